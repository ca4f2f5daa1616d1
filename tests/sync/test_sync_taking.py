"""Two objects have the same matching value, and the second was searched for before the account of the first existed: only one of them gets
the account.

The applications here enforce no uniqueness, so a second create would really make a second account.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Pool
from lockstep.sync.drain.on_demand import push
from tests.support.crashes import rename
from tests.support.scripted_scim import ScriptedScim, scim, scripted_world
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until

ONE = "E-1"
BY_EMPLOYEE = {
    **CONFIG,
    "mappings": [
        {
            **USERS,
            "attributes": [
                *({**one, "match": 0} if one["target"] == "userName" else one for one in USERS["attributes"]),
                {"target": "externalId", "source": "employeeId", "match": 1},
            ],
        }
    ],
}
BY_NAME_AND_EMPLOYEE = {
    **CONFIG,
    "mappings": [
        {**USERS, "attributes": [*USERS["attributes"], {"target": "externalId", "source": "employeeId", "match": 2}]}
    ],
}


@pytest.fixture
async def world(pool: Pool, application: ScriptedScim) -> AsyncIterator[World]:
    async with scripted_world(pool, application, BY_EMPLOYEE) as world:
        yield world


class SlowSecondSearch:
    """Both searches are answered from the same state of the application; the second answer arrives when `gate` is set."""

    def __init__(self, application: ScriptedScim) -> None:
        self._application = application
        self._both = asyncio.Event()
        self._asked = 0
        self.gate = asyncio.Event()
        application.answers["search"] = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        found = await self._application._answer("search", request)
        self._asked += 1
        number = self._asked
        if number == 2:
            self._both.set()
        if number <= 2:
            await self._both.wait()
        if number == 2:
            await self.gate.wait()
        return found


async def _links(world: World) -> int:
    return int(await world.value("select count(*) from link"))


async def _failures(world: World) -> list[tuple[str, str]]:
    return await world.rows("select source_id::text, last_error ->> 'code' from dirty where failures > 0")


async def _one_has_it(world: World, application: ScriptedScim) -> None:
    ((owner,),) = await world.rows("select source_id::text from link")
    (account,) = application.resources.values()
    number = 1 if owner == person_id(1) else 2
    assert account["name"]["familyName"] == f"Sur{number}"
    assert await _failures(world) == [(person_id(3 - number), "DuplicateSourceEntries")]


async def test_search_that_was_answered_before_the_account_was_created_does_not_lead_to_a_second_one(
    world: World, application: ScriptedScim
) -> None:
    await world.sync()
    await world.add_people([1, 2], employeeId=ONE)
    searches = SlowSecondSearch(application)

    drain = asyncio.create_task(world.drain())
    await until(lambda: _is(world, links=1))
    searches.gate.set()
    await drain

    await _one_has_it(world, application)


async def test_named_object_and_the_cycle_do_not_both_create_the_account(
    world: World, application: ScriptedScim
) -> None:
    """A push has a pipeline of its own, like another worker."""
    await world.sync()
    await world.add_people([1, 2], employeeId=ONE)
    await _not_due(world, 2)
    searches = SlowSecondSearch(application)

    drain = asyncio.create_task(world.drain())
    pushed = asyncio.create_task(_push(world, 2))
    await until(lambda: _is(world, links=1))
    searches.gate.set()
    await asyncio.gather(drain, pushed)

    await _one_has_it(world, application)


async def test_pages_that_were_read_before_somebody_was_pushed_do_not_hide_the_account(
    world: World, application: ScriptedScim
) -> None:
    """The push belongs to a cycle of its own."""
    await world.add_people([1, 2], employeeId=ONE)
    await _read_pages_only(world, application)

    await _push(world, 1)
    await _due(world, 2)
    await world.drain()

    await _one_has_it(world, application)


@pytest.mark.parametrize("first", [1, 2])
async def test_pages_hide_no_account_that_was_created_since_with_the_same_second_matching_value(
    world: World, application: ScriptedScim, first: int
) -> None:
    await world.configure(BY_NAME_AND_EMPLOYEE)
    await world.add_people([1, 2], employeeId=ONE)
    await _read_pages_only(world, application)

    for number in (first, 3 - first):
        await _due(world, number)
        await world.drain()

    await _one_has_it(world, application)


async def test_account_that_needs_no_change_is_not_linked_while_another_worker_writes_to_it(
    world: World, application: ScriptedScim
) -> None:
    await world.sync()
    application.resources["x"] = {
        "id": "x", "kind": "Users", "userName": "person00001@contoso.com", "externalId": ONE, "active": True,
        "name": {"givenName": "Given1", "familyName": "Sur1"},
    }  # fmt: skip
    await world.add_people([2], assigned=False, employeeId=ONE)
    await world.add_people([1], employeeId=ONE)

    searched, go_on = asyncio.Event(), asyncio.Event()

    async def search(request: web.Request) -> web.StreamResponse:
        searched.set()
        await go_on.wait()
        return await application._answer("search", request)

    application.answers["search"] = search
    drain = asyncio.create_task(world.drain())
    await searched.wait()
    async with _cannot_record(world, 1) as is_waiting:
        go_on.set()
        await until(is_waiting)
        await world.rows(
            """insert into operation (id, job, kind, source_id, target_id, action, state, attempt)
            values (gen_random_uuid(), %s, 'User', %s, 'x', 'update', 'planned', 1) returning 1""",
            world.job,
            person_id(2),
        )
    await until(lambda: _looks_again(world, 1))
    assert await _links(world) == 0
    await world.rows(
        """insert into link (job, kind, source_id, target_id, state, base) values (%s, 'User', %s, 'x', 'live', '{}')
        returning 1""",
        world.job,
        person_id(2),
    )
    await world.rows("update operation set state = 'confirmed', settled_at = now() returning 1")
    await drain

    assert await _failures(world) == [(person_id(1), "DuplicateSourceEntries")]
    assert await world.value("select resume ->> 'account' from dirty") == "x"  # it is woken when the account is free


async def test_pages_that_were_read_before_a_rename_do_not_keep_the_name_from_the_next_person(
    world: World, application: ScriptedScim
) -> None:
    await world.configure(CONFIG)
    await world.add_people([1])
    await world.sync()
    await rename(world, {1: "later@contoso.com"})
    await world.add_people([2], assigned=False)
    await rename(world, {2: upn(1)})
    await world.assign([2])
    await _read_pages_only(world, application)

    for number in (1, 2):
        await _due(world, number)
        await world.drain()

    assert application.user_names == {"later@contoso.com", upn(1)}
    assert await _failures(world) == []


async def test_pages_that_were_read_before_a_deletion_do_not_link_the_deleted_account(
    world: World, application: ScriptedScim
) -> None:
    """Its values are those of the next person, so nothing would be written to it, and nobody would notice."""
    await world.configure({**BY_EMPLOYEE, "deletions": {"onOutOfScope": "delete"}})
    await world.add_people([1], employeeId=ONE)
    await world.sync()
    await world.add_people([2], assigned=False, employeeId=ONE, givenName="Given1", surname="Sur1")
    await world.rows(
        "update person set attributes = attributes || jsonb_build_object('userPrincipalName', %s::text) where id = %s returning 1",
        upn(1),
        person_id(2),
    )
    await world.assign([2])
    await world.unassign([1])
    await _read_pages_only(world, application)

    for number in (1, 2):
        await _due(world, number)
        await world.drain()

    ((owner, account),) = await world.rows("select source_id::text, target_id from link where state = 'live'")
    assert owner == person_id(2)
    assert set(application.resources) == {account}


async def test_push_reports_the_refusal_of_an_account_that_belongs_to_somebody_else(
    world: World, application: ScriptedScim
) -> None:
    """The application answers with the id of an account that is linked already; the report is what was recorded."""
    await world.add_people([1], employeeId=ONE)
    await world.sync()
    (taken,) = application.resources

    async def create(request: web.Request) -> web.StreamResponse:
        return scim({**await request.json(), "id": taken}, status=201)

    application.answers["create"] = create
    await world.add_people([2], employeeId="E-2")

    (result,) = await _push(world, 2)

    assert result.counted == "failed"
    assert result.record is not None
    assert result.record.error_code == "DuplicateSourceEntries"


async def _push(world: World, number: int) -> Any:
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    return await push(world.services, job, ObjectKind.USER, [person_id(number)], initiated_by="test")


async def _read_pages_only(world: World, application: ScriptedScim) -> None:
    """Begin the initial cycle and read the pages; nobody is due."""

    async def listing(request: web.Request) -> web.StreamResponse:
        await _not_due(world, 1, 2)
        return await application._answer("listing", request)

    application.answers["listing"] = listing
    await world.rows("update dirty set lane = 4 returning 1")  # leavers do not wait for the pages
    creates = application.asked["create"]
    await world.start()
    await world.drain()
    assert application.asked["create"] == creates
    assert await world.value("select complete from target_index_state where kind = 'User'")


async def _due(world: World, number: int) -> None:
    await world.rows("update dirty set not_before = '-infinity' where source_id = %s returning 1", person_id(number))


async def _not_due(world: World, *numbers: int) -> None:
    await world.rows(
        "update dirty set not_before = now() + interval '1 hour' where source_id = any(%s::uuid[]) returning 1",
        [person_id(number) for number in numbers],
    )


async def _is(world: World, *, links: int) -> bool:
    return await _links(world) == links


async def _looks_again(world: World, number: int) -> bool:
    return bool(
        await world.rows(
            "select 1 from dirty where source_id = %s and last_error ->> 'code' = 'LookAgain'", person_id(number)
        )
    )


@asynccontextmanager
async def _cannot_record(world: World, number: int) -> AsyncIterator[Any]:
    """Hold back the transaction that records the outcome of one object; yields a condition: it waits."""
    async with world.pool.connection() as connection, connection.transaction():
        await connection.execute("select 1 from dirty where source_id = %s for key share", (person_id(number),))

        async def is_waiting() -> bool:
            return bool(
                await world.value(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%%for update of dirty%%'"
                )
            )

        yield is_waiting
