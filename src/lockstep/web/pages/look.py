"""How the pages look for one browser: theme, width of the rail, single keys. Kept in cookies, so that the first paint is right."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lockstep.actions.context import Context
from lockstep.web.callers import safe_next
from lockstep.web.page import Pages
from lockstep.web.rendering import LOOKS

pages = Pages()
_KEPT_SECONDS = 365 * 24 * 3600


@pages.post("/look")
async def change_look(_: Context, request: Request) -> Response:
    form = await request.form()
    back = urlsplit(request.headers.get("referer", ""))
    response = RedirectResponse(safe_next(back.path + (f"?{back.query}" if back.query else "") or "/"), status_code=303)
    for name, (cookie, allowed) in LOOKS.items():
        if form.get(name) in allowed:
            is_https = request.url.scheme == "https"
            response.set_cookie(
                cookie, str(form[name]), max_age=_KEPT_SECONDS, path="/", secure=is_https, httponly=True, samesite="lax"
            )
    return response
