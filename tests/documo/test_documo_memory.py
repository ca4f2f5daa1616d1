"""Memory use does not grow, whatever clients send: neither responses nor connections nor the request log keep too much."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType

import pytest

from documo.request_log import MOST_WAITING_BYTES, LoggedRequest, RequestLog
from documo.store.database import Store, open_store
from documo.store.round_trip import LONGEST_PREPARED, one_trip
from documo.testing import Sandbox, sandbox
from lockstep.postgres.database import Database
from tests.documo.hostile_flood import Flood
from tests.support.documo_client import PATCH, USER, Client, documo_on

MOST_GROWTH_MB = 50
PREPARED = 10
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

Ask = Callable[[Client, str], Awaitable[object]]


async def _bulk(api: Client, user: str) -> object:
    taken = {
        "method": "POST",
        "path": "/Users",
        "bulkId": "a",
        "data": {"schemas": [USER], "userName": "lee@x.example"},
    }
    bad = {"method": "PATCH", "path": f"/Users/{user}", "data": {"schemas": [PATCH], "Operations": [{"op": "add"}]}}
    return await api.send("POST", "/Bulk", {"schemas": [BULK], "Operations": [taken, bad]})


REFUSED: dict[str, Ask] = {
    "name taken": lambda api, user: api.send("POST", "/Users", {"schemas": [USER], "userName": "lee@x.example"}),
    "no target": lambda api, user: api.patch(
        f"/Users/{user}", {"op": "replace", "path": 'emails[type eq "home"].display', "value": "x"}
    ),
    "required attribute removed": lambda api, user: api.patch(f"/Users/{user}", {"op": "remove", "path": "userName"}),
    "bad filter": lambda api, user: api.find("userName eq"),
    "not found": lambda api, user: api.get("/Users/0190a0b0-0000-7000-8000-000000000000"),
    "no JSON": lambda api, user: api.send("POST", "/Users", raw=b"{"),
    "wrong key": lambda api, user: api.send("GET", "/Users", headers={"Authorization": "Bearer nonsense"}),
    "long target": lambda api, user: api.get("/Users/" + "x" * 60_000),
    "bulk": _bulk,
}


@contextmanager
def garbage() -> Iterator[list[object]]:
    """The objects made in the block that, after it, only the cyclic garbage collector would free."""
    gc.disable()
    gc.freeze()  # what exists already is not looked at, which would take seconds
    found: list[object] = []
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize("what", REFUSED)
async def test_a_refused_request_leaves_no_cycle_that_holds_it(api: Client, what: str) -> None:
    user = await api.user("lee@x.example")
    await REFUSED[what](api, user)

    with garbage() as found:
        for _ in range(3):
            await REFUSED[what](api, user)

    frames = [one.f_code.co_qualname for one in found if isinstance(one, FrameType)]
    assert [name for name in frames if "Client" not in name and "test_" not in name] == []


async def _connection(store: Store, api: Client) -> int:
    (rows,) = await one_trip(store, api.account.id, [("select pg_backend_pid()", ())])
    return int(rows[0][0])


async def test_a_connection_that_has_sent_much_is_not_used_again(documo_database: Database) -> None:
    async with open_store(documo_database, max_size=1) as store, documo_on(store) as documo:
        api = await documo.client()
        user = await api.user("lee@x.example")
        first = await _connection(store, api)
        await api.patch(f"/Users/{user}", {"op": "add", "path": "title", "value": "short"})
        assert await _connection(store, api) == first

        await api.patch(f"/Users/{user}", {"op": "add", "path": "title", "value": "x" * 900_000})
        second = await _connection(store, api)
        await api.user("kim@x.example", title="x" * 900_000)
        third = await _connection(store, api)

        assert len({first, second, third}) == 3


async def test_few_and_short_statements_stay_prepared(documo_database: Database) -> None:
    async with open_store(documo_database, max_size=1) as store, documo_on(store) as documo:
        api = await documo.client()
        async with store.connection() as connection:
            assert connection.prepared_max is not None and connection.prepared_max <= 100
            connection.prepared_max = PREPARED  # for speed
        for at in range(PREPARED + 5):
            for _ in range(6):  # the driver prepares a statement on its sixth use
                await api.find(f'displayName co "n{at}"')
        for _ in range(8):
            await api.find(f'displayName co "{"x" * LONGEST_PREPARED}"')

        (rows,) = await one_trip(
            store, api.account.id, [("select count(*), max(length(statement)) from pg_prepared_statements", ())]
        )
    assert 0 < rows[0][0] <= PREPARED + 4  # the oldest statement is dropped one round trip late
    assert rows[0][1] <= LONGEST_PREPARED


@pytest.mark.parametrize("size", [100, 20_000, 1_000_000, 10_000_000])
async def test_requests_that_wait_for_the_log_are_bounded_in_bytes(store: Store, size: int) -> None:
    log = RequestLog(store)
    body = b"x" * size
    entry = LoggedRequest(1, datetime.now(UTC), "POST", "/" + "p" * 40_000, 200, 1.0, "", (), "", "a", "t", body, b"")

    for at in range(30_000):
        log.add(replace(entry, request_body=body[:-1] + bytes([at % 256])) if size <= 100 else entry)

    assert log.waiting_bytes <= MOST_WAITING_BYTES


async def growth(server: Sandbox, *, warm_up: int, requests: int, step: int) -> tuple[int, list[int]]:
    """The growth of the process in MB after *warm_up* requests, and its memory after each *step*."""
    flood = Flood(server, seed=int.from_bytes(os.urandom(4)))
    before = await flood.run(warm_up)
    curve = [before]
    begun = time.monotonic()
    for _ in range(requests // step):
        curve.append(await flood.run(step))
        seconds = round(time.monotonic() - begun)
        print(f"{flood.sent} requests, {seconds} s, {curve[-1]} MB, {flood.unanswered} unanswered", flush=True)
    assert flood.server_errors == []
    return max(curve) - before, curve


def test_memory_that_a_burst_left_free_goes_back_to_the_system() -> None:
    """In a separate process, because free memory inside this one would hide growth."""
    code = """
from pathlib import Path
from lockstep.process.garbage_collection import return_free_pages
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20
burst = [bytes(4_000) for _ in range(20_000)]
del burst[::2], burst[:9_000]  # what is left holds the top of the heap
before = resident()
return_free_pages()
print(before - resident())
"""
    given_back = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert int(given_back) > 10


@pytest.mark.full
async def test_memory_does_not_grow_under_hostile_requests() -> None:
    with sandbox(users=1_000) as server:
        grown, curve = await growth(server, warm_up=3_000, requests=9_000, step=1_000)
    assert grown <= MOST_GROWTH_MB, curve


@pytest.mark.soak
async def test_memory_does_not_grow_in_an_hour_of_hostile_requests() -> None:
    with sandbox(users=1_000) as server:
        grown, curve = await growth(server, warm_up=5_000, requests=150_000, step=2_500)
    assert grown <= MOST_GROWTH_MB, curve
