"""The endpoints of OpenID Connect that programs call: discovery, keys, tokens, user info, revocation.

They are not pages: they ignore cookies and return JSON. Scripts of any origin may read public documents. Only scripts from the origins of
public clients may use the other endpoints.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in import origins, redeeming, telling
from lockstep.actions.openid_sign_in.client import issuer_of
from lockstep.actions.single_sign_on.openid_keys import CACHED, published_keys
from lockstep.errors import Kind, LockstepError
from lockstep.kit.bodies import limited_receive
from lockstep.kit.cookies import origin_of
from lockstep.kit.tracing import request_id_of
from lockstep.openid.discovery import AUTHORIZE, DISCOVERY, KEYS, REVOKE, TOKEN, USERINFO, discovery_document
from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason
from lockstep.openid.requests import Pairs
from lockstep.portal.cookies import visitor_of
from lockstep.process.bug_report import as_error

MAX_FORM = 32 * 1024  # bytes
_FORM = "application/x-www-form-urlencoded"
_PUBLIC = {"Cache-Control": f"public, max-age={int(CACHED.total_seconds())}", "Access-Control-Allow-Origin": "*",
           "Cross-Origin-Resource-Policy": "cross-origin"}  # fmt: skip
_PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

NewContext = Callable[[], Context]
ContextEndpoint = Callable[[Context, Request], Awaitable[Response]]


def openid_routes(context_of: NewContext) -> list[BaseRoute]:
    """Return the routes. Pages at the same addresses, for other HTTP methods, must come after these routes."""
    found: list[BaseRoute] = [
        Route(path, partial(_answered, context_of, endpoint), methods=[*methods, *(["OPTIONS"] if is_private else [])])
        for path, endpoint, methods, is_private in (
            (DISCOVERY, show_discovery, ("GET",), False),
            (KEYS, show_keys, ("GET",), False),
            (TOKEN, give_tokens, ("POST",), True),
            (USERINFO, tell_user_info, ("GET", "POST"), True),
            (REVOKE, take_revocation, ("POST",), True),
            (AUTHORIZE, take_form, ("POST",), False),
        )
    ]
    return found


async def show_discovery(context: Context, request: Request) -> Response:
    return JSONResponse(discovery_document(await issuer_of(context, origin_of(request))), headers=_PUBLIC)


async def show_keys(context: Context, request: Request) -> Response:
    return JSONResponse({"keys": await published_keys(context)}, headers=_PUBLIC)


async def give_tokens(context: Context, request: Request) -> Response:
    pairs = await _form(request)
    tokens = await redeeming.redeem(
        context, request.headers.get("authorization", ""), pairs, visitor=visitor_of(request), origin=origin_of(request)
    )
    return JSONResponse(tokens, headers=_PRIVATE)


async def tell_user_info(context: Context, request: Request) -> Response:
    """Return the claims about the person. The access token is accepted only in a header, because tokens in URLs would end up in logs."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return Response(status_code=401, headers={**_PRIVATE, "WWW-Authenticate": 'Bearer realm="Lockstep"'})
    told = await telling.user_info(context, token.strip(), origin=origin_of(request))
    return JSONResponse(told, headers=_PRIVATE)


async def take_revocation(context: Context, request: Request) -> Response:
    pairs = await _form(request)
    await telling.revoke(
        context, request.headers.get("authorization", ""), pairs, visitor=visitor_of(request), origin=origin_of(request)
    )
    return Response(status_code=200, headers=_PRIVATE)


async def take_form(context: Context, request: Request) -> Response:
    """Redirect an authorization request that was sent by POST (OpenID Connect Core, section 3.1.2.1) to the same request by GET.

    The redirect is needed because browsers send the session cookie with a GET from another site, but not with a POST.
    """
    return RedirectResponse(f"{AUTHORIZE}?{urlencode(list(await _form(request)))}", status_code=303)


async def _answered(context_of: NewContext, endpoint: ContextEndpoint, request: Request) -> Response:
    request.state.request_id = request_id_of(request.headers)
    context = context_of()
    try:
        if request.method == "OPTIONS":
            response = Response(status_code=204, headers={"Access-Control-Max-Age": "600"})
        else:
            response = await endpoint(context, request)
    except OAuthFault as fault:
        response = _refused(request, fault)
    except LockstepError as error:
        response = _failed(error)
    except Exception as fault:
        response = _failed(as_error(fault))
    await _allow_origin(context, request, response)
    response.headers["X-Request-Id"] = request.state.request_id
    return response


def _refused(request: Request, fault: OAuthFault) -> Response:
    """Return the error response of RFC 6749, section 5.2, and RFC 6750, section 3."""
    headers, status = dict(_PRIVATE), 400
    if fault.error is OAuthError.INVALID_TOKEN:
        status = 401
        headers["WWW-Authenticate"] = (
            f'Bearer realm="Lockstep", error="invalid_token", error_description="{fault.detail}"'
        )
    if fault.error is OAuthError.INVALID_CLIENT:
        status = 401
        headers["WWW-Authenticate"] = 'Basic realm="Lockstep"'
    return JSONResponse({"error": fault.error, "error_description": fault.detail}, status_code=status, headers=headers)


def _failed(error: LockstepError) -> Response:
    """Return the response for errors without an OAuth error code: too many requests, a body that is too large, an internal error."""
    status = {Kind.THROTTLED: 429, Kind.INVALID: 400}.get(error.kind, 500)
    body: dict[str, Any] = {"error": "server_error" if status == 500 else OAuthError.INVALID_REQUEST}
    if status == 429:
        body["error"] = "temporarily_unavailable"
    if status != 500:
        body["error_description"] = f"{error.detail}. {error.next_step}".strip()
    return JSONResponse(
        body, status_code=status, headers={**_PRIVATE, **(error.retry_headers if status == 429 else {})}
    )


async def _form(request: Request) -> Pairs:
    """Return the fields of the form, each as often as it was sent. Parameters in the address are ignored (RFC 6749, section 2.3.1)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.REQUEST_OBJECT, f"Content-Type must be {_FORM}")
    request._receive = limited_receive(request.receive, request.headers, MAX_FORM)
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.TOO_LONG, "The form cannot be read") from None
    if any("\0" in text for pair in pairs for text in pair):
        raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.TOO_LONG, "The form contains a NUL character")
    return pairs


async def _allow_origin(context: Context, request: Request, response: Response) -> None:
    """Allow a script to read the response if its origin belongs to a public client, which redeems codes in the browser."""
    origin = request.headers.get("origin", "")
    if not origin or "access-control-allow-origin" in response.headers:
        return
    response.headers["Vary"] = "Origin"
    if await origins.is_of_public_client(context, origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
