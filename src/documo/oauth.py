"""OAuth 2.0 client credentials (RFC 6749, section 4.4). A client sends the id of a key and the key itself, and gets a token that is valid
for one hour.

A token has at most the permissions of its key, and stops working when the key does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse

from documo.access.api_access import api_refusal
from documo.access.api_keys import NewKey, hash_of, looks_like_jwt
from documo.access.scopes import ADMIN, SCOPES, present_names
from documo.access.sign_ins import RefusedSignIns
from documo.identifiers import new_id, new_key, read_id
from documo.request_log import LoggedRequest
from documo.scim_service.request.failures import Throttled, retry_after, scim_error
from documo.scim_service.tenant.tenants import TenantCaller, Tenants
from documo.store import keys as table
from documo.store.database import Store
from lockstep.errors import release_frames
from lockstep.scim.errors import ScimError
from lockstep.serving.bodies import BodyCutShort, BodyTooLarge, read_body

LIFE = timedelta(hours=1)
LARGEST_BODY = 10_000
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def token_endpoint(
    store: Store, tenants: Tenants, refused: RefusedSignIns
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Return the endpoint `/oauth/token`."""

    async def token(request: Request) -> JSONResponse:
        try:
            return await answer(request)
        except Exception as error:
            failure = scim_error(error, method=request.method)
            release_frames(error)
            return _failure(failure)

    async def answer(request: Request) -> JSONResponse:
        try:
            body = await read_body(request.receive, request.headers.raw, LARGEST_BODY)
        except BodyTooLarge:
            return _error(413, "invalid_request")
        except BodyCutShort:
            return _error(400, "invalid_request")
        try:
            form = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
        except (UnicodeDecodeError, ValueError):
            return _error(400, "invalid_request")
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type")
        client_id, secret = _credentials(request, form)
        given = secret.encode("utf-8", "replace")
        caller = await tenants.caller(given) if given and not looks_like_jwt(given) else None
        if caller is None or read_id(client_id) != caller.principal.key_id or caller.principal.kind == "token":
            await refused.note(given, request.scope, "/oauth/token")
            return _error(401, "invalid_client")
        if refusal := api_refusal(caller.tenant.account):
            return _error(400, "unauthorized_client", refusal)
        wait = caller.tenant.bucket.take()
        if wait:
            raise Throttled("Too many requests", wait)
        wanted = present_names(form.get("scope", "").split()) or caller.principal.scopes
        if not wanted <= _largest_grant(caller):
            return _error(400, "invalid_scope")
        made = await _issue(store, caller, wanted, request)
        answer = {"access_token": made.secret, "token_type": "Bearer", "expires_in": int(LIFE.total_seconds())}
        return JSONResponse({**answer, "scope": " ".join(made.scopes)}, headers=_NO_STORE)

    return token


async def _issue(store: Store, caller: TenantCaller, scopes: Iterable[str], request: Request) -> NewKey:
    """Issue a token for the key of *caller*. The request counts as a use of the key."""
    key_id, tenant_id = caller.principal.key_id, caller.tenant.id
    made = NewKey(new_id(), "token", "", new_key(), tuple(sorted(scopes)), datetime.now(UTC) + LIFE)
    use = LoggedRequest.of(request.scope, tenant_id=tenant_id, key_id=key_id, status=200).use
    async with store.control() as connection:
        await table.insert(
            connection,
            tenant_id,
            caller.principal.member_id,
            made,
            hash_of(made.secret),
            kind="token",
            client_id=key_id,
        )
        await table.note_use(connection, [use])
    return made


def _largest_grant(caller: TenantCaller) -> frozenset[str]:
    """Return the scopes that a token may have. The scope admin includes all others, so a key with the scope admin may request any scope."""
    return frozenset(SCOPES) if ADMIN in caller.principal.scopes else caller.principal.scopes


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return unquote(client_id), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _failure(error: ScimError) -> JSONResponse:
    """Return the response for an error that has no code in RFC 6749, section 5.2.

    Status 429 gets the code `slow_down` (RFC 8628, section 3.5); any other status gets a code of RFC 6749, section 4.1.2.1.
    """
    code = {429: "slow_down", 503: "temporarily_unavailable"}.get(error.status, "server_error")
    headers = {"Retry-After": str(seconds)} if (seconds := retry_after(error)) else {}
    return JSONResponse({"error": code, "error_description": error.detail}, error.status, {**_NO_STORE, **headers})


def _error(status: int, code: str, description: str = "") -> JSONResponse:
    headers = {**_NO_STORE, **({"WWW-Authenticate": 'Basic realm="Documo"'} if status == 401 else {})}
    more = {"error_description": description} if description else {}
    return JSONResponse({"error": code, **more}, status, headers)
