"""Who is asking: the session behind the cookie, the cookie itself, and where to go after signing in."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.callers import Caller
from lockstep.actions.context import NOT_SIGNED_IN, Actor, Context
from lockstep.actions.sign_in import SignedIn, caller_of_session
from lockstep.web.page import Redirect

SESSION_COOKIE = "lockstep_session"
SIGN_IN = "/sign-in"
STEP_UP = "/step-up"
_MOST_DEVICE = 200  # characters


def session_secret(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")


async def caller_of(context: Context, request: Request) -> Caller | None:
    """The caller behind the request's cookie; None if there is none."""
    secret = session_secret(request)
    return await caller_of_session(context, secret) if secret else None


def actor_of(caller: Caller | None) -> Actor:
    return caller.actor if caller is not None else NOT_SIGNED_IN


def caller_in(request: Request) -> Caller:
    """The caller of a page that is not public."""
    caller: Caller = request.state.caller
    return caller


def set_session(response: Response, request: Request, signed_in: SignedIn) -> None:
    """Keep the session in the browser until it ends."""
    response.set_cookie(
        SESSION_COOKIE,
        signed_in.session_secret,
        expires=signed_in.expires_at,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def end_session(response: Response, request: Request) -> None:
    response.delete_cookie(
        SESSION_COOKIE, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )


def device_of(request: Request) -> str:
    return request.headers.get("user-agent", "")[:_MOST_DEVICE]


def address_of(request: Request) -> str:
    """The client's network address. Behind a trusted proxy it is the one that the proxy names."""
    return request.client.host if request.client is not None else ""


def sign_in_first(request: Request, *, page: str = SIGN_IN) -> Redirect:
    """Go to *page* (sign in, or enter the password again) and come back. After a POST, to the page with its form."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("hx-request"):
        shown = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
        back = shown.path + (f"?{shown.query}" if shown.query else "")
    return Redirect(page if back in ("", "/") and page == SIGN_IN else f"{page}?next={quote(safe_next(back))}")


def safe_next(text: str) -> str:
    """*text* if it is an address on this server, else "/". A browser reads `//host` and `/\\host` as another server."""
    parts = urlsplit(text)
    is_ours = text.startswith("/") and text[1:2] not in ("/", "\\") and not parts.scheme and not parts.netloc
    return text if is_ours and text.isprintable() and "\\" not in text else "/"
