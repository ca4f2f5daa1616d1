"""Repeat a logged request on the current data and roll it back, to see why a client got an error.

The request runs with the rights of an Admin of the account. The log has `***` in place of secrets, so a random password is used instead.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from documo.access.api_access import scim_refusal
from documo.access.scopes import SCOPES
from documo.members import ADMIN
from documo.request_log import redacted
from documo.scim_service.app import error_answer
from documo.scim_service.request.exchange import Request, ScimAnswer
from documo.scim_service.request.failures import scim_error
from documo.scim_service.request.routes import dispatch
from documo.scim_service.tenant.service import Service
from documo.scim_service.tenant.tenants import ScimTenant, TenantCaller, Tenants
from documo.settings import SCIM_PATH
from documo.store.database import DatabaseRehearsal, Store, rehearsing
from documo.store.keys import KeyPrincipal
from lockstep.errors import LockstepError, invalid
from lockstep.kit.differences import JsonDifference, json_differences
from lockstep.scim.errors import ScimError

NOBODY = "00000000-0000-0000-0000-000000000000"  # the id of no key and no member
UNKNOWN_BASE = "https://replay.invalid" + SCIM_PATH


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """The differences between the response of a replay and the recorded response. *not_compared* says why the bodies cannot be compared. It
    is "" if the bodies were compared.
    """

    headers: Sequence[JsonDifference]
    body: Sequence[JsonDifference]
    not_compared: str = ""


async def replay_request(
    store: Store, tenant_id: int, entry: Mapping[str, Any], *, base_url: str = UNKNOWN_BASE
) -> dict[str, Any]:
    """Return the status, headers and body that the request would get now. Its changes are rolled back.

    Addresses in the response begin with the base URL of the recorded response. If that response has no base URL, they begin with
    *base_url*. Raises LockstepError for a request whose key was refused, because the body of such a request was never read.
    """
    if entry["status"] == 401:
        raise invalid(
            "The request used a key that is no longer valid, so Documo did not process it",
            next_step="Give the client the new key. See: documo keys list",
        )
    tenant = await Tenants(store, rate_override=0).tenant(tenant_id)
    path, _, query = str(entry["path"]).partition("?")
    request = Request(
        str(entry["method"]), path, query.encode("latin-1"), {b"content-type": str(entry["request_type"]).encode("latin-1")},
        _with_some_password(str(entry["request_body"] or "")).encode(), _base_of(entry) or base_url, as_admin(tenant, entry["key_id"]),
    )  # fmt: skip
    async with rehearsing(store) as rehearsal:
        answer = await answer_in(rehearsal, request)
    return {
        "status": answer.status,
        "was": entry["status"],
        "tolerances": request.tolerances,
        "headers": answer.told,
        "body": answer.body.decode(),
    }


def compare_answers(entry: Mapping[str, Any], answer: Mapping[str, Any]) -> AnswerComparison:
    """Compare *answer*, the response from `replay_request`, with the recorded one."""
    recorded = entry["response_headers"]
    headers = json_differences(recorded, answer["headers"]) if recorded is not None else ()
    if entry["response_body"] is None and (entry["method"] == "GET" and entry["status"] < 400):
        return AnswerComparison(
            headers if entry["status"] != answer["status"] else (), (), "The log does not store responses to GET"
        )
    now = redacted(answer["body"].encode())
    try:
        texts = (entry["response_body"], now)
        was, is_now = (orjson.loads(text) if text else {} for text in texts)
    except orjson.JSONDecodeError:
        return AnswerComparison(headers, (), "One of the bodies was too large for the log and was truncated")
    return AnswerComparison(headers, json_differences(was, is_now))


def as_curl(entry: Mapping[str, Any]) -> str:
    """Return the request as a curl command, which reads the key and the service's address from variables of the shell."""
    parts = ["curl", "-i", "-X", str(entry["method"]), "-H", '"Authorization: Bearer $DOCUMO_KEY"']
    if entry["request_body"]:
        parts += ["-H", shlex.quote(f"Content-Type: {entry['request_type'] or 'application/scim+json'}")]
        parts += ["--data-binary", shlex.quote(entry["request_body"])]
    return " ".join([*parts, '"$DOCUMO_API_URL"' + shlex.quote(str(entry["path"]))])


def _base_of(entry: Mapping[str, Any]) -> str:
    """Return the base URL of the service in the recorded response, or "" if the response has none."""
    location = str((entry["response_headers"] or {}).get("location", ""))
    origin, found, _ = location.partition(SCIM_PATH + "/")
    return origin + SCIM_PATH if found else ""


def _with_some_password(body: str) -> str:
    """Return *body* with a random password in place of each `***`."""
    return body.replace('"***"', f'"{secrets.token_urlsafe(24)}"')


def as_admin(tenant: ScimTenant, key_id: object = None) -> TenantCaller:
    """Return a caller with the rights of an Admin of the account. Its changes are recorded as made with the key *key_id*."""
    return TenantCaller(
        KeyPrincipal(str(key_id or NOBODY), tenant.id, NOBODY, frozenset(SCOPES), ADMIN, None, "key"), tenant
    )


async def answer_in(rehearsal: DatabaseRehearsal, request: Request) -> ScimAnswer:
    """Run *request* in a transaction that will be rolled back, and return the response."""
    service = Service(rehearsal, bytes(32), lambda: None)
    segments = [unquote(part) for part in request.path.removeprefix(SCIM_PATH).strip("/").split("/") if part]
    try:
        if refusal := scim_refusal(request.tenant.account):
            raise ScimError(403, "", refusal)
        return await dispatch(service, request, segments)
    except LockstepError as error:
        return error_answer(scim_error(error, method=request.method))
