"""The entry point of the SCIM service: one ASGI application without a framework, because this is the hot path.

If anything goes wrong, the response is an error as in RFC 7644 and reveals nothing internal.
"""

from __future__ import annotations

import time
from urllib.parse import unquote

import orjson

from documo.access.api_access import scim_refusal
from documo.access.sign_ins import RefusedSignIns
from documo.request_log import LoggedRequest, RequestLog
from documo.scim_service.request.exchange import MEDIA_TYPE, MethodNotAllowed, Request, ScimAnswer
from documo.scim_service.request.failures import Throttled, retry_after, scim_error
from documo.scim_service.request.hosts import Hosts
from documo.scim_service.request.routes import dispatch
from documo.scim_service.tenant.service import Service
from documo.scim_service.tenant.tenants import TenantCaller, Tenants
from documo.settings import SCIM_PATH
from lockstep.errors import release_frames
from lockstep.scim.errors import ScimError, invalid_syntax, too_large
from lockstep.scim.limits import MAX_BODY_BYTES, MAX_BULK_BYTES
from lockstep.serving.bodies import AsgiScope, AsgiSend, BodyCutShort, BodyTooLarge, Receive, read_body

_CONTENT_TYPE = (b"content-type", MEDIA_TYPE)
_CHALLENGE = (b"www-authenticate", b'Bearer realm="Documo"')


class ScimApp:
    """ASGI: `/scim/v2` and everything below it."""

    def __init__(
        self, service: Service, tenants: Tenants, hosts: Hosts, request_log: RequestLog, refused: RefusedSignIns
    ) -> None:
        self._refused = refused
        self._service = service
        self._tenants = tenants
        self._hosts = hosts
        self._request_log = request_log

    async def __call__(self, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        begun = time.perf_counter()
        headers = dict(scope["headers"])
        seen = _Seen()
        try:
            answer = await self._answer(scope, receive, headers, seen)
        except Exception as error:
            answer = error_answer(scim_error(error, method=scope["method"]))
            release_frames(error)
        if answer.status == 401 and b"authorization" in headers:
            await self._refused.note(_token(headers), scope, SCIM_PATH)
        await _send(send, answer)
        if seen.request is not None:
            self._request_log.add(_log_entry(seen.request, answer, scope, time.perf_counter() - begun))

    async def _answer(self, scope: AsgiScope, receive: Receive, headers: dict[bytes, bytes], seen: _Seen) -> ScimAnswer:
        base_url, only_tenant = await self._hosts.base_url_for(scope["headers"])
        caller = await self._caller(headers, only_tenant)
        path: str = scope["path"]
        raw_path: bytes = scope.get("raw_path") or path.encode()
        local = raw_path.partition(b"?")[0][len(SCIM_PATH) :]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]  # the server drops the body for HEAD
        request = Request(method, path, scope["query_string"], headers, b"", base_url, caller)
        seen.request = request
        try:
            segments = (
                [unquote(part, errors="strict") for part in local.decode("ascii").strip("/").split("/")]
                if local.strip(b"/")
                else []
            )
        except (UnicodeDecodeError, ValueError):
            raise ScimError(400, "", "The path is not valid UTF-8: percent-encode each byte as %XX.") from None
        if refusal := scim_refusal(caller.tenant.account):
            raise ScimError(403, "", refusal)
        wait = caller.tenant.bucket.take()
        if wait:
            raise Throttled("Too many requests", wait)
        if request.method in ("POST", "PUT", "PATCH"):
            request.body = await _body(receive, headers, MAX_BULK_BYTES if segments[:1] == ["Bulk"] else MAX_BODY_BYTES)
        return await dispatch(self._service, request, segments)

    async def _caller(self, headers: dict[bytes, bytes], only_tenant: int | None) -> TenantCaller:
        given, token = headers.get(b"authorization", b""), _token(headers)
        caller = await self._tenants.caller(token) if token else None
        if caller is None or (only_tenant is not None and caller.tenant.id != only_tenant):
            detail = (
                "The API key is unknown, expired or revoked."
                if given
                else "Send an API key: Authorization: Bearer <key>."
            )
            raise ScimError(401, "", detail)
        return caller


def _token(headers: dict[bytes, bytes]) -> bytes:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _log_entry(request: Request, answer: ScimAnswer, scope: AsgiScope, seconds: float) -> LoggedRequest:
    return LoggedRequest.of(
        scope,
        tenant_id=request.tenant.id,
        key_id=request.caller.principal.key_id,
        status=answer.status,
        seconds=seconds,
        tolerances=request.tolerances,
        request_body=request.body,
        response_body=answer.body,
        response_headers=answer.told,
    )


class _Seen:
    """Keeps the request from the moment at which its caller is known, so that it can be logged even if answering it fails."""

    __slots__ = ("request",)

    def __init__(self) -> None:
        self.request: Request | None = None


def error_answer(error: ScimError) -> ScimAnswer:
    """Return the response for a SCIM error, including its headers."""
    headers: tuple[tuple[bytes, bytes], ...] = (_CHALLENGE,) if error.status == 401 else ()
    if isinstance(error, MethodNotAllowed):
        headers = ((b"allow", ", ".join(error.allowed).encode()),)
    if seconds := retry_after(error):
        headers = ((b"retry-after", str(seconds).encode()),)
    return ScimAnswer(error.status, orjson.dumps(error.error_body()), headers=headers)


async def _body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    try:
        return await read_body(receive, headers.items(), limit)
    except BodyTooLarge as error:
        raise too_large(str(error)) from None
    except BodyCutShort as error:
        raise invalid_syntax(str(error)) from None


async def _send(send: AsgiSend, answer: ScimAnswer) -> None:
    headers = list(answer.headers)
    if answer.body:
        headers.append(_CONTENT_TYPE)
    if answer.status != 304 and answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    if answer.etag:
        headers.append((b"etag", answer.etag.encode()))
    if answer.location:
        headers.append((b"location", answer.location.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
