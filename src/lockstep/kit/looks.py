"""The display settings of one browser: theme, width of the navigation rail, single-key shortcuts.

The settings are stored in cookies, so that the page already looks right when it first appears.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.kit.cookies import cookie_in, keep_cookie
from lockstep.kit.returning import page_asked_for

# The allowed values of each setting; the first is the default.
LOOKS: Mapping[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "rail": ("wide", "narrow"),
    "keys": ("on", "off"),
}
_KEPT = timedelta(days=365)


def looks_of(request: Request, product: str) -> dict[str, str]:
    """Return the display settings that the browser stores for *product*, with the default for each setting that it does not store."""
    kept = {name: cookie_in(request, _cookie(product, name)) for name in LOOKS}
    return {name: kept[name] if kept[name] in allowed else allowed[0] for name, allowed in LOOKS.items()}


async def change_look(request: Request, product: str) -> Response:
    """Store the settings in the form, and redirect to the previous page."""
    form = await request.form()
    response = RedirectResponse(page_asked_for(request), status_code=303)
    for name, allowed in LOOKS.items():
        if form.get(name) in allowed:
            keep_cookie(response, request, _cookie(product, name), str(form[name]), until=_KEPT)
    return response


def _cookie(product: str, name: str) -> str:
    return f"{product.lower()}_{name}"
