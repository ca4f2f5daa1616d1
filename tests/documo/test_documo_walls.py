"""One account can learn nothing about another from crafted requests, not even from the errors."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import psycopg
import pytest

from documo.events import streams
from documo.identifiers import new_id
from documo.store import request_log as table
from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER, Client, Reply

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def shape(reply: Reply, name: str) -> tuple[int, bytes, frozenset[tuple[str, str]]]:
    """Everything that a client sees of a response, with the requested id blanked."""
    headers = {(key.lower(), value.replace(name, "ID")) for key, value in reply.headers.items()}
    return reply.status, reply.raw.replace(name.encode(), b"ID"), frozenset(h for h in headers if h[0] != "date")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GET", None),
        ("DELETE", None),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}),
        ("PUT", {"schemas": [USER], "userName": "x@x.org", "displayName": "x"}),
    ],
)
@pytest.mark.parametrize(
    "condition", [{}, {"If-Match": '"1"'}, {"If-Match": '"99"'}, {"If-None-Match": '"1"'}], ids=str
)
async def test_an_id_of_another_account_is_refused_like_one_that_never_was(
    pair: tuple[Client, Client], method: str, body: Any, condition: dict[str, str]
) -> None:
    mine, theirs = pair
    for path, taken in (("/Users", await theirs.user("b@beta.example")), ("/Groups", await theirs.group("Secret"))):
        never = new_id()
        if path == "/Groups" and body and "userName" in body:
            body = {"schemas": [GROUP], "displayName": "x"}

        known = await mine.send(method, f"{path}/{taken}", body, headers=condition)
        unknown = await mine.send(method, f"{path}/{never}", body, headers=condition)

        assert known.status == 404
        assert shape(known, taken) == shape(unknown, never)


async def test_references_to_another_account_leave_no_trace(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user, group = await theirs.user("b@beta.example", displayName="Secret"), await theirs.group("Secret")
    own = await mine.user("a@alpha.example", **{ENTERPRISE: {"manager": {"value": user}}})
    mine_group = await mine.group("Mine", user, group)

    answers = [
        await mine.get(f"/Users/{own}", attributes=f"{ENTERPRISE}:manager,userName"),
        await mine.get(f"/Groups/{mine_group}", attributes="members,displayName"),
        await mine.find(f'{ENTERPRISE}:manager.displayName eq "Secret"'),
    ]

    assert all(answer.status in (200, 400) and b"Secret" not in answer.raw for answer in answers)
    assert await mine.member_ids(mine_group) == set()
    assert (await theirs.get(f"/Users/{user}")).body["meta"]["version"] == '"1"'


async def test_a_bulk_id_is_known_in_its_own_request_only(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    post = {
        "method": "POST",
        "path": "/Users",
        "bulkId": "q1",
        "data": {"schemas": [USER], "userName": "b@beta.example"},
    }
    await theirs.send("POST", "/Bulk", {"schemas": [BULK], "Operations": [post]})
    group = {"schemas": [GROUP], "displayName": "Mine", "members": [{"value": "bulkId:q1"}]}

    reply = await mine.send(
        "POST",
        "/Bulk",
        {"schemas": [BULK], "Operations": [{"method": "POST", "path": "/Groups", "bulkId": "g1", "data": group}]},
    )

    (answer,) = reply.body["Operations"]
    assert answer["status"] == "409" and "bulkId" in answer["response"]["detail"]


async def test_a_name_that_is_taken_elsewhere_is_free_here(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user = await theirs.user("b@beta.example")
    await theirs.send("DELETE", f"/Users/{user}")

    own = await mine.user("b@beta.example")
    renamed = await mine.patch(f"/Users/{own}", {"op": "replace", "path": "userName", "value": "admin@beta.example"})

    assert own != user and renamed.status == 200


@pytest.mark.parametrize("key", ["", "x", "dk_live_", "dk_live_" + "0" * 64, "' or ''='", "dk_live_" + "é" * 8])
async def test_a_key_that_is_almost_one_opens_nothing(api: Client, key: str) -> None:
    for token in (key, api.token[:-1], api.token + "0", api.token.upper()):
        given = f"Bearer {token}".encode().decode("latin-1")
        reply = await api.send("GET", "/Users", headers={"Authorization": given})
        assert reply.status == 401 and reply.body["status"] == "401" and "WWW-Authenticate" in reply.headers


async def test_what_one_account_changes_leaves_the_counts_of_the_other_alone(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    before = (await mine.get("/Users", count="0")).body["totalResults"]

    for number in range(3):
        await theirs.user(f"b{number}@beta.example")

    assert (await mine.get("/Users", count="0")).body["totalResults"] == before


async def test_a_password_reaches_no_log_however_it_is_written(api: Client) -> None:
    user = await api.user("a@x.org")
    person = {"schemas": [USER], "userName": "b@x.org", "password": "Kept-Quiet-1"}
    change = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "password", "value": "Kept-Quiet-2"}]}
    await api.send("POST", "/Users", raw=with_escapes(person))
    await api.send("PATCH", f"/Users/{user}", raw=with_escapes(change))
    await api.find('password eq "Kept-Quiet-3"')
    await api.send("GET", "/Users?filter=p%61ssword%20eq%20%22Kept-Quiet-4%22")
    await api.send("POST", "/Users/.search", {"filter": 'password eq "Kept-Quiet-5"'})

    async with asyncio.timeout(5):
        while len(entries := await log_of(api)) < 6:
            await asyncio.sleep(0.02)

    assert "Kept-Quiet" not in repr(entries)


async def test_a_path_that_cannot_be_stored_hides_no_other_request(api: Client) -> None:
    await api.send("GET", "/Users?count=0")
    await api.send("GET", api.url + "/Users/%00")
    await api.send("GET", "/Groups?count=0")

    async with asyncio.timeout(5):
        while len(entries := await log_of(api)) < 3:
            await asyncio.sleep(0.02)

    assert [entry["status"] for entry in entries] == [200, 404, 200]


def with_escapes(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body).replace(b"password", rb"p\u0061ssword")


async def log_of(api: Client) -> list[dict[str, Any]]:
    async with api.store.tenant(api.account.id) as connection:
        return await table.rows(connection, api.account.id)


WALLED = ("resources", "group_members", "resource_counts", "request_log", "api_keys", "event_streams", "stream_events")


async def test_no_table_shows_or_takes_rows_of_another_account_whatever_the_statement_says(
    pair: tuple[Client, Client],
) -> None:
    mine, theirs = pair
    await streams.add_stream(theirs.store, theirs.account.id, delivery="poll", audience="app")
    await theirs.group("Secret", await theirs.user("b@beta.example"))
    store, other = mine.store, theirs.account.id

    async def rows(table_name: str, tenant_id: int) -> int:
        async with store.tenant(tenant_id) as connection:
            cursor = await connection.execute(f"select count(*) from {table_name}")  # a table name from this module
            return int((await cursor.fetchone() or (0,))[0])

    async def changed(statement: str) -> int:
        async with store.tenant(mine.account.id) as connection:
            return (await connection.execute(statement, (other,))).rowcount

    async with asyncio.timeout(5):
        while not await rows("request_log", other):
            await asyncio.sleep(0.02)
    for name in WALLED:
        assert await rows(name, other), name
    for name in ("event_streams", "stream_events"):
        assert not await rows(name, mine.account.id), name
    for name in {*WALLED, "resource_search"} - {"stream_events"}:
        assert await changed(f"delete from {name} where tenant_id = %s") == 0, name
    for name in ("resource_search", "api_keys", "event_streams"):
        assert await changed(f"update {name} set tenant_id = tenant_id where tenant_id = %s") == 0, name
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await changed(
            "insert into resource_search (tenant_id, id, kind, document) values (%s, gen_random_uuid(), 'User', '{}')"
        )
