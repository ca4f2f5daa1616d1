"""How the pages look for one browser: theme, width of the rail, single keys. Kept in cookies, so that the first paint is right."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.kit.returning import safe_next

# The allowed values, of which the first is the default.
LOOKS: Mapping[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "rail": ("wide", "narrow"),
    "keys": ("on", "off"),
}
_KEPT_SECONDS = 365 * 24 * 3600


def looks_of(request: Request, product: str) -> dict[str, str]:
    """The looks that the browser keeps for *product*."""
    kept = {name: request.cookies.get(_cookie(product, name), "") for name in LOOKS}
    return {name: kept[name] if kept[name] in allowed else allowed[0] for name, allowed in LOOKS.items()}


async def change_look(request: Request, product: str) -> Response:
    """Keep what the form says, and go back to the page."""
    form = await request.form()
    back = urlsplit(request.headers.get("referer", ""))
    response = RedirectResponse(safe_next(back.path + (f"?{back.query}" if back.query else "") or "/"), status_code=303)
    for name, allowed in LOOKS.items():
        if form.get(name) in allowed:
            response.set_cookie(
                _cookie(product, name),
                str(form[name]),
                max_age=_KEPT_SECONDS,
                path="/",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="lax",
            )
    return response


def _cookie(product: str, name: str) -> str:
    return f"{product.lower()}_{name}"
