"""Turn what a page answers into a response: templates, the frame, notices that are shown once, theme and rail from cookies."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lockstep import __version__
from lockstep.kit import csrf
from lockstep.kit.assets import Assets
from lockstep.kit.page_errors import PageError
from lockstep.kit.templating import new_environment
from lockstep.web.frame import PRODUCT, Frames
from lockstep.web.page import Answer, CopyAs, Fragment, Redirect, View

NOTICE_COOKIE = "lockstep_notice"
# What a browser keeps of how the pages look: cookie and allowed values, of which the first is the default.
LOOKS = {
    "theme": ("lockstep_theme", ("system", "light", "dark")),
    "rail": ("lockstep_rail", ("wide", "narrow")),
    "keys": ("lockstep_keys", ("on", "off")),
}
_MOST_NOTICE = 300  # characters


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages show. *environment*: the word in the badge, such as demo or production; "" shows none."""

    environment: str = ""
    has_api: bool = False


class Renderer:
    """Renders with the templates in `web/templates` and the kit's macros."""

    def __init__(self, assets: Assets, frames: Frames, site: Site) -> None:
        self._frames = frames
        self._site = site
        self._environment = new_environment(
            "lockstep.web",
            {
                "asset": assets.url,
                "product": PRODUCT,
                "version": __version__,
                "site": site,
                "has_page": frames.has,
                "leads": frames.leads,
            },
        )

    def respond(self, request: Request, answer: Answer) -> Response:
        match answer:
            case View():
                return self._view(request, answer)
            case Fragment():
                headers = {"HX-Trigger": _toast(answer.toast)} if answer.toast else {}
                html = self._environment.get_template(answer.template).render(self._common(request) | {**answer.model})
                return HTMLResponse(html, status_code=answer.status, headers=headers)
            case Redirect():
                return self._redirect(request, answer)
            case _:
                return answer

    def error(self, request: Request, problem: PageError) -> Response:
        """The page of an error; for htmx, only the part that takes the place of what was asked for."""
        is_part = request.headers.get("hx-request-type") == "partial"
        template = "errors/part.html" if is_part else "errors/page.html"
        model = self._common(request) | {"problem": problem, "frame": self._frames.of(View("", problem.title))}
        html = self._environment.get_template(template).render(model)
        headers = {"HX-Reswap": "innerHTML"} if is_part else {"X-Whole-Page": "yes"}
        return HTMLResponse(html, status_code=problem.status, headers=headers)

    def _view(self, request: Request, view: View) -> Response:
        notice = _read_notice(request)
        model = self._common(request) | {
            "view": view,
            "frame": self._frames.of(view),
            "notice": notice,
            "copy_ways": self._copy_ways(request, view.copy_as),
            **view.model,
        }
        html = self._environment.get_template(view.template).render(model)
        response = HTMLResponse(html, status_code=view.status, headers={"X-Whole-Page": "yes"})
        if notice:
            response.delete_cookie(NOTICE_COOKIE, path="/", httponly=True, samesite="lax")
        return response

    def _redirect(self, request: Request, answer: Redirect) -> Response:
        if request.headers.get("hx-request"):
            response: Response = Response(status_code=204, headers={"HX-Redirect": answer.href})
        else:
            response = RedirectResponse(answer.href, status_code=303)
        if answer.notice:
            response.set_cookie(
                NOTICE_COOKIE, _sealed_notice(answer.notice), max_age=60, path="/", httponly=True, samesite="lax"
            )
        return response

    def _common(self, request: Request) -> dict[str, Any]:
        caller = getattr(request.state, "caller", None)
        look = {name: request.cookies.get(cookie, "") for name, (cookie, _) in LOOKS.items()}
        return {
            "request": request,
            "path": request.url.path,
            "caller": caller,
            "csrf": csrf.masked(caller.csrf_secret) if caller is not None else "",
            **{name: look[name] if look[name] in allowed else allowed[0] for name, (_, allowed) in LOOKS.items()},
            "header": getattr(request.state, "header", None),
            "latest_event": getattr(request.state, "latest_event", ""),
        }

    def _copy_ways(self, request: Request, wanted: CopyAs | None) -> list[tuple[str, str]]:
        if wanted is None:
            return []
        ways = [("Lockstep CLI", wanted.command)] if wanted.command else []
        if wanted.api and self._site.has_api:
            url = f"{request.url.scheme}://{request.url.netloc}{wanted.api}"
            ways.append(("curl", f'curl -H "Authorization: Bearer $TOKEN" \\\n  "{url}"'))
        return ways


def _toast(text: str) -> str:
    return orjson.dumps({"toast": {"text": text}}).decode().encode("ascii", "backslashreplace").decode()


def _sealed_notice(text: str) -> str:
    return base64.urlsafe_b64encode(text[:_MOST_NOTICE].encode()).decode()


def _read_notice(request: Request) -> str:
    try:
        return base64.urlsafe_b64decode(request.cookies.get(NOTICE_COOKIE, "").encode()).decode()[:_MOST_NOTICE]
    except (binascii.Error, ValueError):
        return ""
