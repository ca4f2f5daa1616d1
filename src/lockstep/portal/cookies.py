"""The session of a person in the browser's cookie, and what the request says of the browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.federated_sign_in import VALID
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import PersonSignedIn
from lockstep.actions.saml_sign_in.asking import VALID as REQUEST_VALID

SESSION_COOKIE = "lockstep_person"
HOME = "/myapps"
SIGN_IN = "/myapps/sign-in"
SIGNED_OUT = "/myapps/signed-out"
PROVIDER, CALLBACK = (
    "/myapps/sign-in/sso",
    "/myapps/sign-in/sso/callback",
)  # leave for the identity provider, and come back
ATTEMPT_COOKIE = "lockstep_person_sso"  # what the browser keeps meanwhile, sealed
WAY_COOKIE = "lockstep_way_out"  # the applications that are still to be signed out of, sealed

BROWSER_COOKIE = "lockstep_person_browser"  # which browser brought the request of an application


def session_secret(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")


def set_session(response: Response, request: Request, signed_in: PersonSignedIn) -> None:
    """Keep the session in the browser until it ends."""
    response.set_cookie(
        SESSION_COOKIE,
        signed_in.secret,
        expires=signed_in.expires_at,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def browser_secret(request: Request) -> str:
    return request.cookies.get(BROWSER_COOKIE, "")


def set_browser_secret(response: Response, request: Request, secret: str) -> None:
    """Let the browser be known as the one that brought a request until that is too old."""
    response.set_cookie(
        BROWSER_COOKIE,
        secret,
        max_age=int(REQUEST_VALID.total_seconds()),
        path="/saml2",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def forget_session(response: Response, request: Request) -> None:
    response.delete_cookie(
        SESSION_COOKIE, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )


def visitor_of(request: Request) -> Visitor:
    """Behind a trusted proxy, the address is the one that the proxy names."""
    address = request.client.host if request.client is not None else ""
    return Visitor(request.headers.get("user-agent", ""), address, request.state.request_id)


def origin_of(request: Request) -> str:
    """The origin of the pages, as the browser writes it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def set_way_out(response: Response, request: Request, way: str) -> None:
    """Keep in the browser which applications are still to be signed out of, or with "" none."""
    response.set_cookie(
        WAY_COOKIE,
        way,
        max_age=600 if way else 0,
        path="/myapps",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def set_attempt(response: Response, request: Request, cookie: str) -> None:
    """Keep in the browser that it left for the provider, or with "" forget it."""
    response.set_cookie(
        ATTEMPT_COOKIE,
        cookie,
        max_age=int(VALID.total_seconds()) if cookie else 0,
        path=PROVIDER,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
