"""Bulk requests: operations may refer to each other in any order, and each has one result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documo import audit_log
from documo.audit_log import AccountAuditFilter
from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER, Client, Documo

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


async def bulk(api: Client, *operations: dict[str, Any], **more: Any) -> Any:
    reply = await api.send("POST", "/Bulk", {"schemas": [BULK], "Operations": list(operations), **more})
    assert reply.status == 200, reply.raw
    return reply.body["Operations"]


def make(kind: str, bulk_id: str, **attributes: Any) -> dict[str, Any]:
    schema = USER if kind == "Users" else GROUP
    return {"method": "POST", "path": f"/{kind}", "bulkId": bulk_id, "data": {"schemas": [schema], **attributes}}


def id_of(outcome: dict[str, Any]) -> str:
    return str(outcome["location"]).rpartition("/")[2]


async def test_references_forwards_and_in_a_circle_are_resolved(api: Client) -> None:
    first, second, anna = await bulk(
        api,
        make("Groups", "g1", displayName="One", members=[{"value": "bulkId:g2"}, {"value": "bulkId:u1"}]),
        make("Groups", "g2", displayName="Two", members=[{"value": "bulkId:g1"}]),
        make("Users", "u1", userName="anna@x.org", **{ENTERPRISE: {"manager": {"value": "bulkId:u1"}}}),
    )

    assert await api.member_ids(id_of(first)) == {id_of(second), id_of(anna)}
    assert await api.member_ids(id_of(second)) == {id_of(first)}
    assert (await api.get(f"/Users/{id_of(anna)}")).body[ENTERPRISE]["manager"]["value"] == id_of(anna)


async def test_each_operation_stands_for_itself(api: Client) -> None:
    taken = await api.user("taken@x.org")
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "T"}]}

    outcomes = await bulk(
        api,
        make("Users", "u1", userName="TAKEN@x.org"),
        make("Users", "u2", userName="free@x.org"),
        {"method": "PATCH", "path": f"/Users/{taken}", "data": patch},
        {"method": "PATCH", "path": "/Users/bulkId:u1", "data": patch},
        {"method": "DELETE", "path": "/Users/bulkId:u2"},
    )

    assert [outcome["status"] for outcome in outcomes] == ["409", "201", "200", "409", "204"]
    assert outcomes[0]["response"]["scimType"] == "uniqueness" and outcomes[0]["bulkId"] == "u1"


async def test_fail_on_errors_stops(api: Client) -> None:
    outcomes = await bulk(
        api,
        make("Users", "u1", userName=""),
        make("Users", "u2", userName="never@x.org"),
        failOnErrors=1,
    )

    assert [outcome["status"] for outcome in outcomes] == ["400"]
    assert (await api.find('userName eq "never@x.org"')).ids == []


async def test_versions_are_checked(api: Client) -> None:
    user = await api.user("a@x.org")

    (outcome,) = await bulk(api, {"method": "DELETE", "path": f"/Users/{user}", "version": '"99"'})

    assert outcome["status"] == "412"


async def test_many_creates_at_once(api: Client) -> None:
    outcomes = await bulk(api, *(make("Users", f"u{n}", userName=f"p{n}@x.org") for n in range(200)))

    assert {outcome["status"] for outcome in outcomes} == {"201"}
    assert (await api.get("/Users", count="0")).body["totalResults"] == 201


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([make("Users", f"u{n}", userName="x") for n in range(1001)], 413),
        ([make("Users", "same", userName="a"), make("Users", "same", userName="b")], 400),
        ([{"method": "GET", "path": "/Users"}], 400),
        ([], 400),
    ],
)
async def test_what_is_no_bulk_request_is_refused_whole(api: Client, operations: list[Any], status: int) -> None:
    reply = await api.send("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})

    assert reply.status == status


async def test_no_bulk_within_bulk(api: Client) -> None:
    (outcome,) = await bulk(api, {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {"schemas": [BULK]}})

    assert outcome["status"] == "404"


async def test_a_body_that_is_too_large_is_taken_so_that_its_sender_can_read_why_not(api: Client) -> None:
    host, port = api.url.split("/")[2].split(":")
    head = f"POST /scim/v2/Bulk HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {api.token}\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))
    size = 12_000_000

    writer.write(f"{head}Content-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 1_000_000):  # a client that reads the response only after sending everything
        writer.write(b"x" * 1_000_000)
        await writer.drain()
    first = await reader.readline()
    writer.close()

    assert first.split()[1] == b"413"


async def test_a_sender_who_asks_first_is_told_at_once(api: Client) -> None:
    host, port = api.url.split("/")[2].split(":")
    head = f"POST /scim/v2/Bulk HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {api.token}\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))

    writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 12000000\r\n\r\n".encode())
    first = await asyncio.wait_for(reader.readline(), 10)
    writer.close()

    assert first.split()[1] == b"413"


async def test_group_that_cannot_have_its_members_is_not_made_and_the_others_are(api: Client) -> None:
    before, itself, after = await bulk(
        api,
        make("Users", "u1", userName="before@x.org"),
        make("Groups", "g1", displayName="Itself", members=[{"value": "bulkId:g1"}]),
        make("Users", "u2", userName="after@x.org"),
    )

    assert [before["status"], itself["status"], after["status"]] == ["201", "400", "201"]
    assert itself["response"]["detail"] == "A group cannot be a member of itself."
    assert itself.keys() == {"method", "bulkId", "status", "response"}
    assert (await api.find('displayName eq "Itself"', "/Groups")).ids == []


async def test_group_of_a_circle_that_the_request_deletes_again_keeps_nobody_from_an_answer(api: Client) -> None:
    outcomes = await bulk(
        api,
        make("Groups", "g1", displayName="One", members=[{"value": "bulkId:g2"}]),
        make("Groups", "g2", displayName="Two", members=[{"value": "bulkId:g1"}]),
        {"method": "DELETE", "path": "/Groups/bulkId:g2"},
    )

    assert [outcome["status"] for outcome in outcomes] == ["201", "201", "204"]


async def test_versions_of_a_circle_are_those_that_are_left(api: Client) -> None:
    outcomes = await bulk(
        api,
        make("Groups", "g1", displayName="One", members=[{"value": "bulkId:g2"}]),
        make("Groups", "g2", displayName="Two", members=[{"value": "bulkId:g1"}]),
    )

    for outcome in outcomes:
        assert (await api.get(f"/Groups/{id_of(outcome)}")).headers["ETag"] == outcome["version"]


async def test_members_without_a_free_seat_are_refused_one_by_one(documo: Documo) -> None:
    api = await documo.client(seats=4)
    before = (await api.get("/Users")).body["totalResults"]

    outcomes = await bulk(api, *(make("Users", f"u{at}", userName=f"u{at}@x.org") for at in range(5)))

    after = (await api.get("/Users")).body["totalResults"]
    free = 4 - before
    assert 0 < free < 5
    assert sorted(one["status"] for one in outcomes) == ["201"] * free + ["402"] * (5 - free)
    assert after == 4
    assert [one["bulkId"] for one in outcomes] == ["u0", "u1", "u2", "u3", "u4"]


async def test_every_member_that_a_bulk_request_creates_is_in_the_audit_log_with_the_key(api: Client) -> None:
    await bulk(api, *(make("Users", f"u{at}", userName=f"u{at}@x.org") for at in range(5)))

    found = await audit_log.find_entries(api.store, api.account.id, AccountAuditFilter(kind="User"), most=500)
    noted = {(one.activity, one.actor_kind, one.actor, one.object_name) for one in found}
    assert {("create", "key", "key", f"u{at}@x.org") for at in range(5)} <= noted
