"""The meaning of each answer of an application."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import Change, ObjectKind
from lockstep.ports import Answer, TargetError, Verdict
from lockstep.scim.patch_build import Mode
from lockstep.targets.listing import MOST_FOUND
from lockstep.targets.scim_requests import create_request, delete_request, members_request, update_request
from lockstep.targets.scim_target import ScimTarget
from tests.support.target_servers import ERROR_URN, LIST_URN, TOKEN, answering, serving, target_at

USER = ObjectKind.USER
NOT_SCIM = "SystemForCrossDomainIdentityManagementServiceIncompatible"


def error(detail: str = "", scim_type: str = "") -> dict[str, Any]:
    return (
        {"schemas": [ERROR_URN], "status": "400"}
        | ({"detail": detail} if detail else {})
        | ({"scimType": scim_type} if scim_type else {})
    )


def user(id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "userName": "anna"} | more


async def ask(target: ScimTarget, call: str) -> Answer:
    """Make one call; for a failed read, return the answer in its error."""
    change = [Change("displayName", "a", "b")]
    try:
        match call:
            case "create":
                return await target.create(USER, {"userName": "anna"}, operation_id="op-1")
            case "update":
                return await target.update(USER, "u1", change, current=None, etag="", operation_id="op-1")
            case "delete":
                return await target.delete(USER, "u1", etag="", operation_id="op-1")
            case "members":
                return await target.change_members("g1", add=["u1"], remove=[], operation_id="op-1")
            case "get":
                account = await target.get(USER, "u1")
                return Answer(Verdict.GONE if account is None else Verdict.DONE, account)
            case "find":
                found = await target.find(USER, "userName", "anna")
                return Answer(Verdict.DONE, found[0] if found else None)
    except TargetError as failed:
        return failed.answer
    raise AssertionError(call)


HTML = "<html><body>Sign in to the intranet</body></html>"
ROWS: list[tuple[str, int, Any, Verdict, str]] = [
    ("create", 201, user(), Verdict.DONE, ""),
    ("create", 200, user(), Verdict.DONE, ""),
    ("create", 201, None, Verdict.AMBIGUOUS, NOT_SCIM),
    ("create", 201, {"ok": True}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("create", 202, user(), Verdict.AMBIGUOUS, NOT_SCIM),
    ("create", 204, None, Verdict.AMBIGUOUS, NOT_SCIM),
    ("create", 200, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("create", 301, None, Verdict.REFUSED, "WebExceptionProtocolError"),
    ("create", 302, HTML, Verdict.REFUSED, "WebExceptionProtocolError"),
    ("create", 307, None, Verdict.REFUSED, "WebExceptionProtocolError"),
    ("create", 308, None, Verdict.REFUSED, "WebExceptionProtocolError"),
    ("create", 400, error("no"), Verdict.REFUSED, "UnprocessableEntity"),
    ("create", 400, error("bad", "invalidValue"), Verdict.REFUSED, "SchemaPropertyCanOnlyAcceptValue"),
    ("create", 400, error("userName is required", "invalidValue"), Verdict.REFUSED, "MandatoryFieldsMissing"),
    ("create", 400, error("taken", "uniqueness"), Verdict.CONFLICT, "Conflict"),
    ("update", 400, error("ro", "mutability"), Verdict.REFUSED, "SchemaPropertyCanOnlyAcceptValue"),
    ("update", 400, error("?", "invalidPath"), Verdict.REFUSED, "SchemaAttributeNotFound"),
    ("update", 400, error("?", "noTarget"), Verdict.REFUSED, "SchemaAttributeNotFound"),
    ("update", 400, error("?", "invalidSyntax"), Verdict.REFUSED, "UnprocessableEntity"),
    ("find", 400, error("?", "invalidFilter"), Verdict.REFUSED, "SchemaAttributeNotFound"),
    ("find", 400, error("?", "tooMany"), Verdict.REFUSED, "UnprocessableEntity"),
    ("find", 400, error("?", "sensitive"), Verdict.REFUSED, "NotPermitted"),
    ("find", 400, error("?", "invalidVers"), Verdict.REFUSED, NOT_SCIM),
    ("create", 401, error("expired"), Verdict.UNAUTHORIZED, "Unauthorized"),
    ("find", 401, HTML, Verdict.UNAUTHORIZED, "Unauthorized"),
    ("create", 402, None, Verdict.REFUSED, "LicenseLimitExceeded"),
    ("create", 403, None, Verdict.UNAUTHORIZED, "InsufficientRights"),
    ("create", 404, None, Verdict.REFUSED, NOT_SCIM),
    ("find", 404, error("no"), Verdict.REFUSED, NOT_SCIM),
    ("update", 404, error("no"), Verdict.GONE, "InvalidAnchor"),
    ("update", 404, None, Verdict.AMBIGUOUS, NOT_SCIM),
    ("update", 404, {"message": "no route"}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("update", 404, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("update", 410, error("no"), Verdict.GONE, "InvalidAnchor"),
    ("delete", 404, error("no"), Verdict.DONE_ALREADY, ""),
    ("delete", 404, None, Verdict.AMBIGUOUS, NOT_SCIM),
    ("delete", 404, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("get", 404, error("no"), Verdict.GONE, ""),
    ("get", 404, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("members", 404, error("no"), Verdict.GONE, "InvalidAnchor"),
    ("update", 405, None, Verdict.REFUSED, "MethodNotAllowed"),
    ("create", 406, None, Verdict.REFUSED, NOT_SCIM),
    ("create", 408, None, Verdict.AMBIGUOUS, "Timeout"),
    ("create", 409, error("taken", "uniqueness"), Verdict.CONFLICT, "Conflict"),
    ("create", 409, None, Verdict.CONFLICT, "Conflict"),
    ("update", 412, None, Verdict.STALE, "Conflict"),
    ("members", 413, None, Verdict.REFUSED, "UnprocessableEntity"),
    ("create", 415, None, Verdict.REFUSED, NOT_SCIM),
    ("create", 418, None, Verdict.REFUSED, "UnprocessableEntity"),
    ("create", 422, error("no"), Verdict.REFUSED, "UnprocessableEntity"),
    ("create", 423, None, Verdict.REFUSED, "NotPermitted"),
    ("create", 429, None, Verdict.THROTTLED, "TooManyRequests"),
    ("create", 500, error("boom"), Verdict.AMBIGUOUS, "InternalServerError"),
    ("create", 500, HTML, Verdict.AMBIGUOUS, "InternalServerError"),
    ("update", 501, None, Verdict.REFUSED, "NotImplemented"),
    ("create", 502, HTML, Verdict.AMBIGUOUS, "InternalServerError"),
    ("create", 503, None, Verdict.THROTTLED, "TooManyRequests"),
    ("create", 504, HTML, Verdict.AMBIGUOUS, "InternalServerError"),
    ("create", 599, None, Verdict.AMBIGUOUS, "InternalServerError"),
    ("update", 200, user(), Verdict.DONE, ""),
    ("update", 200, None, Verdict.DONE, ""),
    ("update", 204, None, Verdict.DONE, ""),
    ("update", 200, user("someone-else"), Verdict.AMBIGUOUS, NOT_SCIM),
    ("update", 200, {"ok": True}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("update", 200, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("members", 204, None, Verdict.DONE, ""),
    ("delete", 204, None, Verdict.DONE, ""),
    ("delete", 200, None, Verdict.DONE, ""),
    ("delete", 200, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("get", 200, user(), Verdict.DONE, ""),
    ("get", 200, user("someone-else"), Verdict.AMBIGUOUS, NOT_SCIM),
    ("get", 200, None, Verdict.AMBIGUOUS, NOT_SCIM),
    ("get", 200, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, {"schemas": [LIST_URN], "totalResults": 0}, Verdict.DONE, ""),
    ("find", 200, {"schemas": [LIST_URN], "totalResults": 1, "Resources": [user()]}, Verdict.DONE, ""),
    ("find", 200, {"schemas": [LIST_URN], "totalResults": "1", "Resources": [user(userName="ANNA")]}, Verdict.DONE, ""),
    ("find", 200, {"totalResults": 1, "Resources": [user(userName="bob")]}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, {"totalResults": 1, "Resources": [{"id": "u1"}]}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, {"totalResults": 1, "Resources": [{"userName": "anna"}]}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, {"totalResults": 1, "Resources": []}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, {"Resources": []}, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, [], Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 200, HTML, Verdict.AMBIGUOUS, NOT_SCIM),
    ("find", 204, None, Verdict.AMBIGUOUS, NOT_SCIM),
]


@pytest.mark.parametrize(
    ("call", "status", "body", "verdict", "code"),
    ROWS,
    ids=[f"{call}-{status}-{number}" for number, (call, status, *_) in enumerate(ROWS)],
)
async def test_answer_means(call: str, status: int, body: Any, verdict: Verdict, code: str) -> None:
    handler = answering(status, text=body) if isinstance(body, str) else answering(status, body)
    async with serving(handler) as server, target_at(server.origin) as target:
        answer = await ask(target, call)

    assert (answer.verdict, answer.code) == (verdict, code), answer.detail
    if code:
        assert answer.detail
        assert answer.next_step
        assert "{" not in answer.detail + answer.next_step
        assert "intranet" not in answer.detail + answer.next_step


async def test_refused_credentials_are_said_as_the_style_guide_says_it() -> None:
    async with serving(answering(401, text="no")) as server, target_at(server.origin) as target:
        answer = await ask(target, "find")

    assert answer.detail == f"Documo refused the credentials (HTTP 401) at GET {server.origin}/scim/v2/Users"
    assert answer.next_step == "Create a new key in Documo, then run: lockstep creds set documo --token-stdin"


NUMBERED = orjson.loads((Path(__file__).parents[1] / "cases" / "engine-03-numeric-id.json").read_bytes())[
    "target answers POST /Users with"
]


async def test_whole_number_as_id_is_taken_for_its_text() -> None:
    listed = {"schemas": [LIST_URN], "totalResults": 1, "Resources": [NUMBERED]}
    answers = {"POST": (201, NUMBERED), "PATCH": (200, NUMBERED)}

    async def handle(request: web.Request) -> web.StreamResponse:
        status, body = answers.get(request.method, (200, NUMBERED if request.path.endswith("/41") else listed))
        return await answering(status, body)(request)

    async with serving(handle) as server, target_at(server.origin) as target:
        created = await target.create(USER, {"userName": "per.boss@fjord.test"}, operation_id="op")
        read = await target.get(USER, "41")
        found = await target.find(USER, "userName", "per.boss@fjord.test")
        pages = [page async for page in target.pages(USER)]
        change = [Change("active", True, False)]
        updated = await target.update(USER, "41", change, current=None, etag="", operation_id="op")

    accounts = [created.account, read, *found, *pages[0].accounts, updated.account]
    assert [account and account.id for account in accounts] == ["41"] * 5


@pytest.mark.parametrize("id", [True, 4.1, "", None, ["41"]])
async def test_what_is_neither_text_nor_whole_number_is_no_id(id: Any) -> None:
    async with serving(answering(201, NUMBERED | {"id": id})) as server, target_at(server.origin) as target:
        answer = await ask(target, "create")

    assert answer.verdict is Verdict.AMBIGUOUS


async def test_words_of_a_scim_error_are_shown_and_made_harmless() -> None:
    body = error("userName must be\x1b[31m an e-mail\r\naddress." + "x" * 5000, "invalidValue")
    async with serving(answering(400, body)) as server, target_at(server.origin) as target:
        answer = await ask(target, "create")

    assert answer.detail.startswith("Documo rejected a value: userName must be [31m an e-mail address.xxx")
    assert len(answer.detail) < 600


async def test_words_of_an_answer_that_is_no_scim_error_are_not_shown() -> None:
    async with serving(answering(400, {"detail": "stack trace"})) as server, target_at(server.origin) as target:
        answer = await ask(target, "create")

    assert answer.detail == "Documo rejected the request"


@pytest.mark.parametrize("header", ["30", "date"])
async def test_retry_after_is_passed_on_and_kept_to(header: str) -> None:
    at = datetime.now(UTC) + timedelta(seconds=30)
    text = "30" if header == "30" else at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with serving(answering(429, headers={"Retry-After": text})) as server, target_at(server.origin) as target:
        first = await ask(target, "create")
        second = await ask(target, "create")

    assert first.wait is not None
    assert abs(first.wait.total_seconds() - 30) < 3
    assert (second.verdict, second.exchanges) == (Verdict.THROTTLED, ())
    assert second.wait is not None
    assert len(server.requests) == 1


async def test_operation_id_etag_and_token_travel_in_headers() -> None:
    async with serving(answering(204)) as server, target_at(server.origin) as target:
        await target.delete(USER, "u/1?x", etag='W/"7"', operation_id="op-77")

    seen = server.requests[0]
    assert (seen.method, seen.path) == ("DELETE", "/scim/v2/Users/u%2F1%3Fx")
    assert seen.headers["authorization"].encode("utf-8", "surrogateescape").decode() == f"Bearer {TOKEN}"
    assert seen.headers["if-match"] == 'W/"7"'
    assert seen.headers["x-request-id"] == seen.headers["idempotency-key"] == "op-77"
    assert seen.headers["user-agent"].startswith("Lockstep/")


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b'"op":"replace","path":"active","value":false'),
        ("?aadOptscim062020", b'"op":"replace","path":"active","value":false'),
        ("?AzureAdScimPatch2017", b'"op":"Replace","path":"active","value":"False"'),
    ],
)
async def test_query_of_the_tenant_url_travels_and_chooses_the_dialect(query: str, body: bytes) -> None:
    async with serving(answering(204)) as server, target_at(server.origin, tenant_url="") as _:
        url = f"{server.origin}/scim/v2/{query}"
        async with target_at(server.origin, tenant_url=url) as target:
            change = [Change("active", True, "False")]
            await target.update(USER, "u1", change, current=None, etag="", operation_id="op")

    assert server.requests[0].path == f"/scim/v2/Users/u1{query}"
    assert body in server.requests[0].body


async def test_groups_are_read_without_their_members() -> None:
    body = {"totalResults": 0, "Resources": []}
    async with serving(answering(200, body)) as server, target_at(server.origin) as target:
        await target.find(ObjectKind.GROUP, "displayName", 'Sales & 50% "more" é')

    assert server.requests[0].path == (
        "/scim/v2/Groups?filter=displayName%20eq%20%22Sales%20%26%2050%25%20%5C%22more%5C%22%20%C3%A9%22"
        "&excludedAttributes=members"
    )


async def test_change_that_changes_nothing_sends_nothing() -> None:
    async with serving(answering(500)) as server, target_at(server.origin) as target:
        answer = await target.update(USER, "u1", [], current=None, etag="", operation_id="op")

    assert answer.verdict is Verdict.DONE_ALREADY
    assert server.requests == []


async def test_at_most_a_handful_is_found() -> None:
    people = [user(f"u{number}") for number in range(500)]
    body = {"totalResults": 500, "Resources": people}
    async with serving(answering(200, body)) as server, target_at(server.origin) as target:
        found = await target.find(USER, "userName", "anna")

    assert len(found) == MOST_FOUND


@pytest.mark.parametrize("mode", ["rfc", "entra", "entra-flag"])
def test_no_write_carries_a_query(mode: Mode) -> None:
    change = Change("displayName", "Old", "New")
    written = [
        create_request(ObjectKind.GROUP, {"displayName": "Sales"}),
        update_request(ObjectKind.GROUP, "g1", [change], current=None, mode=mode),
        members_request("g1", add=["a"], remove=["b"], mode=mode),
        delete_request(ObjectKind.GROUP, "g1"),
    ]

    assert [one.path for one in written if one is not None] == ["/Groups", "/Groups/g1", "/Groups/g1", "/Groups/g1"]


def test_values_that_are_only_added_never_replace_those_that_others_set() -> None:
    change = Change(
        "roles", ({"value": "Member"},), ({"value": "Member"}, {"value": "Writer"}), added=({"value": "Writer"},)
    )

    request = update_request(ObjectKind.USER, "u1", [change], current=None)

    assert request is not None and request.body is not None
    assert orjson.loads(request.body)["Operations"] == [{"op": "add", "path": "roles", "value": [{"value": "Writer"}]}]
