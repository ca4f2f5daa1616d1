"""The rules that every route follows: callers, problems, pages, filters, conditions, consent."""

from __future__ import annotations

import html
from typing import Any

import pytest
import structlog
from starlette.applications import Starlette

from lockstep.api.app import api_routes
from lockstep.api.problem_types import PROBLEM_TYPES
from lockstep.api.rates import Rates
from lockstep.kit.tracing import trace_id_of
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from tests.api.conftest import Client
from tests.support.hub import upn


@pytest.mark.parametrize(
    "header", [{"Authorization": ""}, {"Authorization": "Bearer lockstep_pat_unknown"}, {"Authorization": "Basic YTpi"}]
)
async def test_request_without_a_known_token_is_refused_before_its_body_is_looked_at(
    client: Client, header: dict[str, str]
) -> None:
    answer = await client.call("POST", "applications", {"nonsense": 1}, headers=header)

    assert (answer.status, answer.body["type"]) == (401, "/problems/not-authenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="lockstep"'


async def test_cookie_without_the_token_of_its_session_is_no_way_to_change_something(client: Client) -> None:
    answer = await client.call(
        "POST", "groups", {"displayName": "x"}, headers={"Authorization": "", "Cookie": "lockstep_session=guess"}
    )

    assert answer.status == 401


async def test_problem_names_what_who_and_what_next_and_its_type_resolves(client: Client) -> None:
    answer = await client.get(
        "applications/documa",
    )

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == answer.status == 404
    assert "documo" in answer.body["nextAction"]["text"]
    assert answer.body["requestId"] == answer.headers["x-request-id"]
    assert (await client.get(answer.body["type"])).status == 200
    assert answer.headers["cache-control"] == "no-store"


async def test_every_type_of_problem_has_a_page(client: Client) -> None:
    for slug, known in PROBLEM_TYPES.items():
        page = await client.get(f"/problems/{slug}")
        assert (page.status, known.title in html.unescape(page.body)) == (200, True)
    assert (await client.get("/problems/unknown")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "applications", {"template": "documo", "nmae": "x"}, "/nmae"),
        ("POST", "applications", {}, "/template"),
        ("POST", "applications/documo/push", {"users": ["a", 1]}, "/users/1"),
        ("GET", "people?limit=501", None, "/query/limit"),
        ("GET", "people?filter=department%20eq", None, "/query/filter"),
        ("GET", "people?cursor=abc", None, "/query/cursor"),
    ],
)
async def test_mistake_in_a_request_is_named_by_its_place(
    client: Client, method: str, path: str, body: Any, pointer: str
) -> None:
    answer = await client.call(method, f"{client.origin}/api/v1/{path}", body)

    assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-request")
    assert [one["pointer"] for one in answer.body["errors"]] == [pointer]


async def test_unknown_address_and_wrong_method_are_problems_too(client: Client) -> None:
    unknown, wrong = await client.get("nothing/here"), await client.call("DELETE", "people")

    assert (unknown.status, unknown.body["type"]) == (404, "/problems/not-found")
    assert (wrong.status, wrong.body["type"], wrong.headers["allow"]) == (405, "/problems/method-not-allowed", "GET")


async def test_path_with_a_line_break_is_a_problem_too(client: Client) -> None:
    answer = await client.call("GET", f"{client.origin}/api/v1/applications/%0A/status")

    assert (answer.status, answer.body["type"]) == (404, "/problems/not-found")


async def test_request_id_of_the_caller_comes_back(client: Client) -> None:
    answer = await client.call("GET", "me", headers={"X-Request-Id": "deploy-42"})
    forged = await client.call("GET", "me", headers={"X-Request-Id": "x" * 500})

    assert answer.headers["x-request-id"] == "deploy-42"
    assert len(forged.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    "path", ["people", "groups", "applications", "audit", "templates", "expressions/functions", "people/attributes"]
)
async def test_pages_of_one_are_the_whole_list_without_repetition(client: Client, path: str) -> None:
    whole = (await client.get(path, limit=500)).body["items"]

    found, next_page = [], f"{client.origin}/api/v1/{path}?limit=1"
    while next_page:
        answer = await client.get(next_page)
        found += answer.body["items"]
        link = answer.headers.get("link", "")
        assert bool(link) == bool(answer.body["nextCursor"])
        next_page = link.partition(">")[0].removeprefix("<")

    assert found == whole


async def test_page_is_stable_when_somebody_is_added_before_it(client: Client) -> None:
    first = await client.get("groups", limit=1)
    for name in ("aaa", "zzz"):
        await client.post("groups", {"displayName": name})

    second = await client.get("groups", limit=5, cursor=first.body["nextCursor"] or "")

    names = [one["displayName"] for one in (await client.get("groups")).body["items"]]
    assert names == ["aaa", "all-sales", "zzz"]
    assert first.body["items"][0]["displayName"] == "all-sales"
    assert second.status == 200


async def test_cursor_of_another_list_is_refused(client: Client) -> None:
    cursor = (await client.get("people", limit=1)).body["nextCursor"]

    answer = await client.get("groups", cursor=cursor)

    assert answer.status == 400


@pytest.mark.parametrize(
    ("path", "filter", "names"),
    [
        ("people", 'displayName co "berg"', ["kim.berg@contoso.test"]),
        ("people", 'department eq "Sales" and accountEnabled eq true and displayName co "bo"', ["bo@contoso.test"]),
        ("people", "deleted eq true", []),
        ("templates", 'name eq "documo" or (name sw "zzz")', ["documo"]),
        ("templates", 'not (name ne "documo")', ["documo"]),
    ],
)
async def test_filter_selects(client: Client, path: str, filter: str, names: list[str]) -> None:
    answer = await client.get(path, filter=filter)

    assert [one.get("userPrincipalName") or one["name"] for one in answer.body["items"]] == names


@pytest.mark.parametrize(
    ("path", "filter", "said"),
    [
        ("people", 'departmant eq "Sales"', "department"),
        ("people", 'department co "Sales"', "department eq"),
        ("logs", 'status eq "failed"', "success, failure, warning, skipped"),
        ("templates", 'nmae eq "x"', "name"),
    ],
)
async def test_filter_that_cannot_be_answered_is_refused_with_what_can(
    client: Client, path: str, filter: str, said: str
) -> None:
    answer = await client.get(path, filter=filter)

    assert answer.status == 400
    assert said in f"{answer.body['detail']} {answer.body.get('nextAction', {}).get('text', '')}"


async def test_change_to_what_was_not_read_is_refused(client: Client) -> None:
    read = await client.get("applications/documo/settings")
    tag = read.headers["etag"]
    first = await client.call("PATCH", "applications/documo/settings", {"interval": "PT30M"}, headers={"If-Match": tag})
    second = await client.call(
        "PATCH", "applications/documo/settings", {"interval": "PT20M"}, headers={"If-Match": tag}
    )

    assert (first.status, first.body["result"]["interval"]) == (200, "PT30M")
    assert (second.status, second.body["type"]) == (412, "/problems/precondition-failed")
    assert (await client.get("applications/documo/settings")).body["interval"] == "PT30M"


async def test_person_whom_somebody_else_changed_is_not_changed(client: Client) -> None:
    here = f"people/{upn('anna')}"
    tag = (await client.get(here)).headers["etag"]
    other = await client.call("PATCH", here, {"attributes": {"city": "Bonn"}})
    late = await client.call("PATCH", here, {"attributes": {"city": "Rome"}}, headers={"If-Match": tag})
    now = (await client.get(here)).headers["etag"]
    seen = await client.call("PATCH", here, {"attributes": {"city": "Rome"}}, headers={"If-Match": now})

    assert (other.status, late.status, seen.status) == (200, 412, 200)
    assert now != tag


async def test_problem_with_a_request_leads_to_what_the_operation_takes(client: Client) -> None:
    page = (await client.get("/api/docs")).body

    wrong = await client.post("groups", {"nmae": "x"})
    unsaid = await client.call("PUT", "applications/documo/scope", {"scopingFilters": []})
    method = await client.call("DELETE", "people")

    for answer in (wrong, unsaid, method):
        address, _, operation = answer.body["nextAction"]["url"].partition("#")
        assert (address, answer.body["nextAction"]["text"] != "") == ("/api/docs", True)
        assert not operation or f'id="{operation}"' in page
    assert wrong.body["nextAction"]["url"] == "/api/docs#create_group"


async def test_whole_list_is_replaced_only_by_somebody_who_read_it(client: Client) -> None:
    blind = await client.call("PUT", "applications/documo/scope", {"scopingFilters": []})
    tag = (await client.get("applications/documo/scope")).headers["etag"]
    seen = await client.call("PUT", "applications/documo/scope", {"scope": "all"}, headers={"If-Match": tag})

    assert (blind.status, blind.body["type"]) == (428, "/problems/precondition-required")
    assert (seen.status, seen.body["result"]["scope"]) == (200, "all")


async def test_dry_run_shows_and_changes_nothing(client: Client) -> None:
    answer = await client.post("applications/documo/assignments", {"users": [upn("anna")]}, dryRun=True)

    assert (answer.status, answer.body["dryRun"], answer.body["result"]) == (200, True, None)
    assert (await client.get("applications/documo/assignments")).body["items"] == []


async def test_token_without_the_scope_is_refused_and_nothing_changes(client: Client) -> None:
    from lockstep.actions import access_tokens

    small = await access_tokens.create_service_token(
        client.hub.context, "reader", ["directory.read", "applications.read"]
    )
    answer = await client.call(
        "POST", "groups", {"displayName": "x"}, headers={"Authorization": f"Bearer {small.secret}"}
    )

    assert (answer.status, answer.body["type"]) == (403, "/problems/not-permitted")


async def test_nul_and_broken_json_are_refused(client: Client) -> None:
    nul = await client.post("groups", {"displayName": "a\0b"})
    async with client.http.post(
        f"{client.origin}/api/v1/groups", data=b'{"displayName": "\\ud800"}',
        headers={"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"},
    ) as response:  # fmt: skip
        broken = response.status

    assert (nul.status, broken) == (400, 400)


async def test_repeated_request_gets_the_first_answer_and_has_one_effect(client: Client) -> None:
    headers = {"Idempotency-Key": "deploy-7"}
    first = await client.post("groups", {"displayName": "once"}, headers=headers)
    second = await client.post("groups", {"displayName": "once"}, headers=headers)
    without = await client.post("groups", {"displayName": "once"})

    assert (first.status, second.status, without.status) == (201, 201, 409)
    assert second.body == first.body
    assert (second.headers["idempotency-replayed"], "idempotency-replayed" in first.headers) == ("true", False)


async def test_key_belongs_to_one_request_and_one_caller(client: Client) -> None:
    from lockstep.actions import access_tokens

    headers = {"Idempotency-Key": "deploy-8"}
    await client.post("groups", {"displayName": "one"}, headers=headers)
    other = await client.post("groups", {"displayName": "two"}, headers=headers)
    new = await access_tokens.create_service_token(client.hub.context, "second", ["people.write"])
    theirs = await client.post(
        "groups", {"displayName": "two"}, headers=headers | {"Authorization": f"Bearer {new.secret}"}
    )

    assert (other.status, other.body["type"]) == (422, "/problems/idempotency-key-reused")
    assert theirs.status == 201


async def test_refused_request_may_be_repeated_with_the_same_key(client: Client) -> None:
    headers = {"Idempotency-Key": "deploy-9"}
    refused = await client.post("groups/sales/members", {"add": [upn("anna")]}, headers=headers)
    await client.post("groups", {"displayName": "sales"})
    done = await client.post("groups/sales/members", {"add": [upn("anna")]}, headers=headers)

    assert (refused.status, done.status) == (404, 200)


async def test_answer_that_is_kept_is_sealed(client: Client) -> None:
    await client.post("groups", {"displayName": "sealed words"}, headers={"Idempotency-Key": "k"})

    [(is_readable,)] = await client.hub.fetch(
        "select position('sealed words'::bytea in body) > 0 from api_answer where key = 'k'"
    )

    assert is_readable is False


@pytest.mark.parametrize("path", ["people", "templates", "groups", "applications"])
async def test_items_have_the_members_that_were_asked_for_and_no_others(client: Client, path: str) -> None:
    whole = await client.get(path, limit=1)
    names = list(whole.body["items"][0])[:2]

    answer = await client.get(path, limit=1, fields=f"{names[0]}, {names[1]}")
    wrong = await client.get(path, fields=f"{names[0]},nmae")

    assert answer.body["items"] == [{name: whole.body["items"][0][name] for name in names}]
    assert answer.body["nextCursor"] == whole.body["nextCursor"]
    assert answer.headers.get("link", "").startswith("<") == (answer.body["nextCursor"] is not None)
    assert (wrong.status, wrong.body["errors"][0]["pointer"]) == (400, "/query/fields")


async def test_every_answer_says_how_many_requests_are_left_and_one_too_many_is_refused(client: Client) -> None:
    app = Starlette(routes=list(api_routes(client.contexts, hub=client.live, rates=Rates(2, clock=lambda: 0.0))))
    listener = listen("127.0.0.1", 0, next_step="")
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async with serving_http(app, listener, limits=ServingLimits()):
        answers = [await client.get(f"{origin}/api/v1/{path}") for path in ("me", "applications/x", "me")]
        stranger = await client.call("GET", f"{origin}/api/v1/me", headers={"Authorization": "Bearer x"})

    assert [one.status for one in answers] == [200, 404, 429]
    assert [one.headers["ratelimit-remaining"] for one in answers] == ["1", "0", "0"]
    assert {one.headers["ratelimit-limit"] for one in answers} == {"2"}
    assert {one.headers["ratelimit-policy"] for one in answers} == {"2;w=60"}
    assert answers[2].headers["retry-after"] == answers[2].headers["ratelimit-reset"] == "60"
    assert answers[2].body["type"] == "/problems/too-many-requests"
    assert (stranger.status, "ratelimit-limit" in stranger.headers) == (401, False)


def test_requests_are_counted_for_each_caller_and_from_the_first_of_a_minute() -> None:
    now = 100.0
    rates = Rates(2, clock=lambda: now)

    first, second, other = rates.count("a"), rates.count("a"), rates.count("b")
    now += 59.5
    late = rates.count("a")
    now += 0.5
    fresh = rates.count("a")

    assert [one.used for one in (first, second, other, late, fresh)] == [1, 2, 1, 3, 1]
    assert (late.reset_seconds, fresh.reset_seconds) == (1, 60)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01-more", ""),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
        ("", ""),
    ],
)
def test_trace_id_is_taken_from_a_valid_traceparent_only(traceparent: str, trace: str) -> None:
    assert trace_id_of({"traceparent": traceparent}) == trace


async def test_log_lines_of_a_request_have_its_id_and_the_trace_of_its_caller(client: Client) -> None:
    headers = {"X-Request-Id": "deploy-42", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await client.hub.fetch("alter table person rename to person_gone")
        answer = await client.call("GET", "people", headers=headers)

    [line] = [one for one in lines if one["event"] == "request_failed"]
    assert (answer.status, line["request"], line["trace"]) == (500, "deploy-42", TRACE)


@pytest.mark.parametrize("digits", [20, 5_000])
async def test_number_that_cannot_be_stored_is_refused(client: Client, digits: int) -> None:
    body = b'{"arguments": {"app": "documo", "deletion_threshold": %b}}' % (b"9" * digits)
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}

    async with client.http.post(
        f"{client.origin}/api/v1/actions/settings.change_settings", data=body, headers=headers
    ) as answer:
        assert answer.status == 400
    same_as_text = await client.post("groups", {"displayName": "9" * 20})

    assert same_as_text.status == 201
