"""The session cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from documo.access.member_sign_in import MemberSession
from lockstep.kit.cookies import cookie_in, drop_cookie, keep_cookie
from lockstep.kit.returning import safe_next

COOKIE = "documo_session"
SIGN_IN = "/login"
CONFIRM = "/confirm"


def session_secret(request: Request) -> str:
    return cookie_in(request, COOKIE)


def signed_in(request: Request, session: MemberSession, *, back: str) -> Response:
    """Store the session's secret in a cookie, which expires with the session, and redirect to *back*."""
    response = RedirectResponse(safe_next(back), status_code=303)
    keep_cookie(response, request, COOKIE, session.secret, until=session.expires_at)
    return response


def signed_out(request: Request) -> Response:
    return forgotten(request, RedirectResponse(SIGN_IN, status_code=303))


def forgotten(request: Request, response: Response) -> Response:
    """Remove the session cookie with *response*, and return *response*."""
    drop_cookie(response, request, COOKIE)
    return response
