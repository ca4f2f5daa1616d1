"""The session in the browser's cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from documo.access.member_sign_in import MemberSession
from lockstep.kit.returning import safe_next

COOKIE = "documo_session"
SIGN_IN = "/login"
_MOST_DEVICE = 200  # characters


def session_secret(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


def signed_in(request: Request, session: MemberSession, *, back: str) -> Response:
    """Keep the session in the browser until it ends, and go to *back*."""
    response = RedirectResponse(safe_next(back), status_code=303)
    response.set_cookie(
        COOKIE,
        session.secret,
        expires=session.expires_at,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


def signed_out(request: Request) -> Response:
    return forgotten(request, RedirectResponse(SIGN_IN, status_code=303))


def forgotten(request: Request, response: Response) -> Response:
    """*response*, after which the browser has no session."""
    response.delete_cookie(COOKIE, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax")
    return response


def device_of(request: Request) -> str:
    return request.headers.get("user-agent", "")[:_MOST_DEVICE]


def address_of(request: Request) -> str:
    """The client's network address."""
    return request.client.host if request.client is not None else ""
