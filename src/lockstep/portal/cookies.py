"""The portal's cookies: the session of a person, and the state of sign-ins and sign-outs in progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.federated_sign_in import VALID
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import PersonSignedIn
from lockstep.actions.saml_sign_in.asking import VALID as REQUEST_VALID
from lockstep.kit.cookies import address_of, cookie_in, device_of, drop_cookie, keep_cookie

SESSION_COOKIE = "lockstep_person"
HOME = "/myapps"
SIGN_IN = "/myapps/sign-in"
SIGNED_OUT = "/myapps/signed-out"
PROVIDER, CALLBACK = (
    "/myapps/sign-in/sso",
    "/myapps/sign-in/sso/callback",
)  # redirects to the identity provider, and its callback
ATTEMPT_COOKIE = "lockstep_person_sso"  # the state of a sign-in attempt, encrypted in the browser
WAY_COOKIE = "lockstep_way_out"  # the applications still to sign out of, encrypted
_WAY_LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class BrowserCookie:
    """A cookie that identifies the browser in which an application's request arrived. The browser sends it to addresses below *path*."""

    name: str
    path: str


# Two cookies: a request by one protocol does not end a request by the other that is still in progress.
SAML_BROWSER = BrowserCookie("lockstep_person_saml", "/saml2")
OPENID_BROWSER = BrowserCookie("lockstep_person_openid", "/oauth2")


def session_secret(request: Request) -> str:
    return cookie_in(request, SESSION_COOKIE)


def set_session(response: Response, request: Request, signed_in: PersonSignedIn) -> None:
    """Store the session's secret in a cookie, which expires together with the session."""
    keep_cookie(response, request, SESSION_COOKIE, signed_in.secret, until=signed_in.expires_at)


def browser_secret(request: Request, cookie: BrowserCookie) -> str:
    return cookie_in(request, cookie.name)


def set_browser_secret(response: Response, request: Request, secret: str, cookie: BrowserCookie) -> None:
    """Store *secret* in the browser that started a request, to recognise the browser later. The cookie expires with the request."""
    keep_cookie(response, request, cookie.name, secret, until=REQUEST_VALID, path=cookie.path)


def forget_session(response: Response, request: Request) -> None:
    drop_cookie(response, request, SESSION_COOKIE)


def visitor_of(request: Request) -> Visitor:
    return Visitor(device_of(request), address_of(request), request.state.request_id)


def set_way_out(response: Response, request: Request, way: str) -> None:
    """Store in the browser the list of applications that it still has to sign out of; "" removes the list."""
    _keep_or_drop(response, request, WAY_COOKIE, way, lasts=_WAY_LASTS, path=HOME)


def set_attempt(response: Response, request: Request, cookie: str) -> None:
    """Store the sign-in attempt in a cookie, until the browser returns from the provider. If *cookie* is "", remove the stored attempt."""
    _keep_or_drop(response, request, ATTEMPT_COOKIE, cookie, lasts=VALID, path=PROVIDER)


def _keep_or_drop(response: Response, request: Request, name: str, value: str, *, lasts: timedelta, path: str) -> None:
    if value:
        keep_cookie(response, request, name, value, until=lasts, path=path)
    else:
        drop_cookie(response, request, name, path=path)
