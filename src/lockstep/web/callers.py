"""The caller of a page: find the caller by the session cookie, set and delete the cookies, and redirect callers who must sign in first."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.callers import Caller
from lockstep.actions.context import NOT_SIGNED_IN, Actor, Context
from lockstep.actions.federated_sign_in import VALID, Departure
from lockstep.actions.sign_in import SignedIn, caller_of_session
from lockstep.kit.cookies import cookie_in, drop_cookie, keep_cookie
from lockstep.kit.returning import page_asked_for
from lockstep.kit.returning import safe_next as safe_next
from lockstep.web.page import Redirect

SESSION_COOKIE = "lockstep_session"
SIGN_IN = "/sign-in"
STEP_UP = "/step-up"
THROUGH_PROVIDER = "/sign-in/sso"  # redirects to the single sign-on provider; the callback is below it
ATTEMPT_COOKIE = "lockstep_sso"  # the state of a sign-in attempt, encrypted in the browser


def session_secret(request: Request) -> str:
    return cookie_in(request, SESSION_COOKIE)


async def caller_of(context: Context, request: Request) -> Caller | None:
    """Return the caller that the request's cookie belongs to, or None."""
    secret = session_secret(request)
    return await caller_of_session(context, secret) if secret else None


def actor_of(caller: Caller | None) -> Actor:
    return caller.actor if caller is not None else NOT_SIGNED_IN


def caller_in(request: Request) -> Caller:
    """Return the caller of a page that is not public."""
    caller: Caller = request.state.caller
    return caller


def set_session(response: Response, request: Request, signed_in: SignedIn) -> None:
    """Store the session in a cookie that lasts until the session ends."""
    keep_cookie(response, request, SESSION_COOKIE, signed_in.session_secret, until=signed_in.expires_at)


def end_session(response: Response, request: Request) -> None:
    drop_cookie(response, request, SESSION_COOKIE)


def keep_attempt(response: Response, request: Request, departure: Departure) -> None:
    """Store the encrypted sign-in attempt in a cookie until the browser comes back from the provider."""
    keep_cookie(response, request, ATTEMPT_COOKIE, departure.cookie, until=VALID, path=THROUGH_PROVIDER)


def forget_attempt(response: Response, request: Request) -> None:
    drop_cookie(response, request, ATTEMPT_COOKIE, path=THROUGH_PROVIDER)


def sign_in_first(request: Request, *, page: str = SIGN_IN) -> Redirect:
    """Redirect to *page*, where the caller signs in or enters the password again. That page then redirects back.

    The address of `STEP_UP` says whether a form was sent: what was entered in it is not kept.
    """
    back = page_asked_for(request)
    sent = "&sent=yes" if page == STEP_UP and request.method != "GET" else ""
    return Redirect(page if back == "/" and page == SIGN_IN else f"{page}?next={quote(back)}{sent}")
