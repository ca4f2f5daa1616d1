"""Groups under concurrent changes: no change is lost, none is refused, and one member is one row."""

from __future__ import annotations

import asyncio
from typing import Any

from documo.store.database import Store, open_store
from documo.store.round_trip import one_trip
from lockstep.postgres.database import Database
from tests.support.documo_client import Client, documo_on


def adding(*users: str) -> dict[str, Any]:
    return {"op": "add", "path": "members", "value": [{"value": user} for user in users]}


def removing(user: str) -> dict[str, Any]:
    return {"op": "remove", "path": f'members[value eq "{user}"]'}


async def test_adds_and_removes_at_the_same_time_all_count(api: Client) -> None:
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(64)))
    leaving, coming = people[:32], people[32:]
    group = await api.group("Everybody", *leaving)

    replies = await asyncio.gather(
        *(api.patch(f"/Groups/{group}", removing(user)) for user in leaving),
        *(api.patch(f"/Groups/{group}", adding(user)) for user in coming),
    )

    assert {reply.status for reply in replies} <= {200, 204}
    assert await api.member_ids(group) == set(coming)


async def test_groups_that_are_filled_in_opposite_orders_do_not_wait_in_a_circle(api: Client) -> None:
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(24)))
    first, second = await api.group("First"), await api.group("Second")

    replies = await asyncio.gather(
        *(api.patch(f"/Groups/{first}", adding(*people[n : n + 3])) for n in range(0, 24, 3)),
        *(api.patch(f"/Groups/{second}", adding(*reversed(people[n : n + 3]))) for n in reversed(range(0, 24, 3))),
        api.patch(f"/Groups/{first}", adding(second)),
        api.patch(f"/Groups/{second}", adding(first)),
    )

    assert {reply.status for reply in replies} <= {200, 204}
    assert await api.member_ids(first) == {*people, second}
    assert await api.member_ids(second) == {*people, first}


async def test_people_who_are_deleted_while_they_are_added_are_members_of_nothing(api: Client) -> None:
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(32)))
    group = await api.group("Sales")
    leavers = people[::2]

    replies = await asyncio.gather(
        *(api.patch(f"/Groups/{group}", adding(user)) for user in people),
        *(api.send("DELETE", f"/Users/{user}") for user in leavers),
    )

    assert {reply.status for reply in replies} <= {200, 204}
    assert await api.member_ids(group) == set(people[1::2])


async def test_one_member_more_is_one_row_written_and_few_rows_read(documo_database: Database) -> None:
    # A single connection, whose statistics count this test alone.
    async with open_store(documo_database, max_size=1) as store, documo_on(store) as documo:
        api = await documo.client()
        people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(2_001)))
        group = await api.group("Large", *people[:2_000])
        before = await rows_of_members(store)
        await api.patch(f"/Groups/{group}", adding(people[2_000]))
        after_add = await rows_of_members(store)
        await api.patch(f"/Groups/{group}", removing(people[7]))
        after_remove = await rows_of_members(store)

    assert (after_add["written"] - before["written"], after_remove["written"] - after_add["written"]) == (1, 1)
    assert (after_add["read"] - before["read"] < 200, after_remove["read"] - after_add["read"] < 200) == (True, True), (
        before,
        after_add,
        after_remove,
    )


async def rows_of_members(store: Store) -> dict[str, int]:
    await one_trip(store, 1, [("select pg_stat_force_next_flush()", ())])
    question = (
        "select n_tup_ins + n_tup_upd + n_tup_del, coalesce(idx_tup_fetch, 0)"
        " from pg_stat_user_tables where relname = 'group_members'"
    )
    (found,) = await one_trip(store, 1, [(question, ())])
    return {"written": int(found[0][0]), "read": int(found[0][1])}
