"""Turn the result of a page function into a response: templates, the frame, notices that are shown once, display settings from cookies."""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lockstep.errors import LockstepError
from lockstep.kit import csrf
from lockstep.kit.cookies import cookie_in, drop_cookie, keep_cookie
from lockstep.kit.headers import POLICY, content_security_policy
from lockstep.kit.looks import looks_of
from lockstep.kit.page_errors import PageError
from lockstep.kit.page_steps import PageSteps
from lockstep.kit.pages import CopyAs, Fragment, PageAnswer, PageView, Redirect
from lockstep.kit.templating import new_environment

_NOTICE_WAITS = timedelta(minutes=1)  # a notice that no page has shown by then is dropped

_MOST_NOTICE = 300  # characters


class Renderer(ABC):
    """Renders the templates of one product with the kit's macros.

    *product* is the name of the product; the names of its cookies and bundles begin with it. *globals_* are names that all templates may
    use. The kit's own templates require `asset`, `version` and `sign_in_page`. They show the icon `product_icon` beside the name of the
    product. *steps* are the pages that replace commands in the next steps of errors.
    """

    def __init__(
        self, package: str, product: str, globals_: Mapping[str, Any], *, steps: PageSteps | None = None
    ) -> None:
        self._product = product
        names = {"product": product, "product_icon": "mark", "bundle": product.lower(), **globals_}
        self._environment = new_environment(package, names, steps=steps)

    @abstractmethod
    def frame_of(self, view: PageView) -> object:
        """Return the data that the frame's templates show for *view*."""

    @abstractmethod
    def problem_view(self, problem: PageError) -> PageView:
        """Return the view that puts the page of *problem* into the frame."""

    def ways_to_copy(self, request: Request, wanted: CopyAs) -> list[tuple[str, str]]:
        """Return the ways that *wanted* describes to get the same content outside the pages. Each is a pair of a label and a command."""
        return []

    def more_names(self, request: Request) -> Mapping[str, Any]:
        """Return further names that the product's templates may use on any page."""
        return {}

    def respond(self, request: Request, answer: PageAnswer) -> Response:
        match answer:
            case PageView():
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
        """Return the page of an error or, for a request of htmx, only the part to swap in."""
        is_part = request.headers.get("hx-request-type") == "partial"
        template = "errors/part.html" if is_part else "errors/page.html"
        frame = self.frame_of(self.problem_view(problem))
        html = self._environment.get_template(template).render(
            self._common(request) | {"problem": problem, "frame": frame}
        )
        headers = {"HX-Reswap": "innerHTML"} if is_part else {"X-Whole-Page": "yes"}
        return HTMLResponse(html, status_code=problem.status, headers={**headers, **problem.headers})

    def _view(self, request: Request, view: PageView) -> Response:
        notice = _read_notice(request, self._notice)
        model = self._common(request) | {
            "view": view,
            "frame": self.frame_of(view),
            "notice": notice,
            "copy_ways": self.ways_to_copy(request, view.copy_as) if view.copy_as is not None else [],
            **view.model,
        }
        html = self._environment.get_template(view.template).render(model)
        response = HTMLResponse(html, status_code=view.status, headers={"X-Whole-Page": "yes", **_retry_headers(view)})
        if view.sends_to:
            response.headers[POLICY] = content_security_policy(view.sends_to)
        if notice:
            drop_cookie(response, request, self._notice)
        return response

    @property
    def _notice(self) -> str:
        return f"{self._product.lower()}_notice"

    def _redirect(self, request: Request, answer: Redirect) -> Response:
        if request.headers.get("hx-request"):
            response: Response = Response(status_code=204, headers={"HX-Redirect": answer.href})
        else:
            response = RedirectResponse(answer.href, status_code=303)
        if answer.notice:
            keep_cookie(response, request, self._notice, _sealed_notice(answer.notice), until=_NOTICE_WAITS)
        return response

    def _common(self, request: Request) -> dict[str, Any]:
        caller = getattr(request.state, "caller", None)
        return {
            "request": request,
            "path": request.url.path,
            "caller": caller,
            "csrf": csrf.masked(caller.csrf_secret) if caller is not None else "",
            **looks_of(request, self._product),
            "header": getattr(request.state, "header", None),
            "latest_event": getattr(request.state, "latest_event", ""),
            **self.more_names(request),
        }


def _toast(text: str) -> str:
    return orjson.dumps({"toast": {"text": text}}).decode().encode("ascii", "backslashreplace").decode()


def _sealed_notice(text: str) -> str:
    return base64.urlsafe_b64encode(text[:_MOST_NOTICE].encode()).decode()


def _retry_headers(view: PageView) -> Mapping[str, str]:
    """Return the header Retry-After for a form that is shown again because of a temporary refusal. Returns an empty mapping for any other
    view.
    """
    if view.status not in (429, 503):
        return {}
    found = [one.retry_headers for one in view.model.values() if isinstance(one, LockstepError)]
    return next((one for one in found if one), {})


def _read_notice(request: Request, cookie: str) -> str:
    try:
        return base64.urlsafe_b64decode(cookie_in(request, cookie).encode()).decode()[:_MOST_NOTICE]
    except (binascii.Error, ValueError):
        return ""
