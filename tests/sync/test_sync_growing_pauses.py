"""No loop repeats a request without a growing pause: requests of every kind are counted over a day, for many invalid responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from lockstep.engine.decisions.patience import RequestKind
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Pool, transaction
from lockstep.sync.cycle import frame as cycle_frame
from lockstep.sync.drain.on_demand import push
from tests.support.passing_time import live
from tests.support.scripted_scim import ERROR, Answer, ScriptedScim, saying, scripted_world
from tests.support.sync_world import CONFIG, USERS, World, person_id

GROUPS: dict[str, Any] = {
    "name": "Groups", "source": "Group",
    "attributes": [{"target": "displayName", "source": "displayName", "match": 1}, {"target": "members", "source": "members"}],
}  # fmt: skip
DAY = timedelta(days=1)
# The most requests of one kind about one object, within that time.
ENOUGH = {timedelta(seconds=9): 5, timedelta(minutes=1): 8, timedelta(minutes=10): 12, timedelta(hours=1): 20, DAY: 170}


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """The connection is closed in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


def error(status: int, scim_type: str = "") -> Answer:
    return saying(status, json.dumps({"schemas": [ERROR], "status": str(status), "scimType": scim_type}))


NONSENSE = {
    "a web page": saying(500, "<html>Oops</html>", content_type="text/html"),
    "a web page that says 200": saying(200, "<html>Sign in</html>", content_type="text/html"),
    "nothing at all": saying(200),
    "half an answer": saying(200, '{"id": "x", "totalRes'),
    "an answer that breaks off": breaks_off,
    **{str(status): error(status) for status in (401, 403, 404, 409, 412, 429, 500, 503)},
    "400 invalidValue": error(400, "invalidValue"),
    "503 with Retry-After: 0": saying(503, **{"Retry-After": "0"}),
}


@pytest.fixture
async def world(pool: Pool, application: ScriptedScim) -> AsyncIterator[World]:
    async with scripted_world(pool, application, {**CONFIG, "mappings": [USERS, GROUPS]}) as world:
        async with transaction(pool) as connection:
            await connection.execute(
                """insert into grp (id, source, anchor, display_name, attributes)
                values (%s, 'admin', 'g', 'Team', '{"displayName": "Team"}')""",
                (person_id(9),),
            )
            await connection.execute(
                "insert into assignment (app, principal_kind, principal_id) values (%s, 'Group', %s)",
                (world.app, person_id(9)),
            )
        await world.add_people([1])
        await world.sync()
        application.asked.clear()
        yield world


async def cause(world: World, asked: RequestKind) -> None:
    """A change whose provisioning sends a request of the kind *asked*."""
    match asked:
        case RequestKind.PROBE | RequestKind.SEARCH | RequestKind.CREATE:
            await world.add_people([2])
        case RequestKind.LISTING:
            await world.add_people([2])
            async with transaction(world.pool) as connection:
                await cycle_frame.begin_initial(connection, world.job)
        case RequestKind.DELETE:
            await world.rows(
                "update person set deleted_at = now() - interval '60 days' where id = %s returning 1", person_id(1)
            )
            await world.change([1], surname="Gone")
        case RequestKind.MEMBERS:
            await join(world)
        case RequestKind.GET | RequestKind.UPDATE:
            await world.change([1], surname="Renamed")
    if asked is RequestKind.PROBE:
        await world.rows("update job set last_probe_at = null returning 1")
    if asked is RequestKind.GET:
        await world.rows("""update dirty set resume = '{"stage": "lookAgain"}' returning 1""")


async def join(world: World) -> None:
    async with transaction(world.pool) as connection:
        parameters = {"group": person_id(9), "member": person_id(1), "job": world.job}
        await connection.execute(
            "insert into member (group_id, member_id, member_kind) values (%(group)s, %(member)s, 'User')", parameters
        )
        await connection.execute(
            "insert into dirty_member (job, group_id, member_id) values (%(job)s, %(group)s, %(member)s)", parameters
        )
        await connection.execute(
            "select mark_dirty(%(job)s, 'Group', array[%(group)s]::uuid[], 5::smallint, 'members')", parameters
        )


def are_few(came: list[timedelta], enough: dict[timedelta, int] = ENOUGH) -> None:
    for time, most in enough.items():
        assert sum(one <= time for one in came) <= most, f"within {time}, at {[str(one) for one in came]}"


HOUR = timedelta(hours=1)
GAPS = [
    (RequestKind.PROBE, "503"),
    (RequestKind.LISTING, "412"),
    (RequestKind.CREATE, "409"),
    (RequestKind.UPDATE, "412"),
    (RequestKind.MEMBERS, "503"),
]
MORE_GAPS = [
    (RequestKind.PROBE, "409"), (RequestKind.SEARCH, "503"), (RequestKind.GET, "an answer that breaks off"),
    (RequestKind.CREATE, "503"), (RequestKind.UPDATE, "403"), (RequestKind.DELETE, "404"),
]  # fmt: skip
# Every kind with five of the nonsenses, every nonsense with two or three kinds.
PAIRS = [
    (asked, said)
    for row, asked in enumerate(RequestKind)
    for column, said in enumerate(NONSENSE)
    if (row + column) % 3 == 0
]
LONG = [(RequestKind.LISTING, "412"), (RequestKind.CREATE, "409"), (RequestKind.MEMBERS, "503")]


async def asked_for(
    world: World, application: ScriptedScim, asked: RequestKind, said: str, how_long: timedelta
) -> list[timedelta]:
    application.answers[asked] = NONSENSE[said]
    await cause(world, asked)
    came = await live(world, how_long, lambda: application.asked[asked], most=ENOUGH[DAY])
    assert came
    return came


@pytest.mark.parametrize(
    ("asked", "said"), [*GAPS, *(pytest.param(*pair, marks=pytest.mark.full) for pair in MORE_GAPS)]
)
async def test_nonsense_is_asked_for_after_growing_pauses(
    world: World, application: ScriptedScim, asked: RequestKind, said: str
) -> None:
    are_few(await asked_for(world, application, asked, said, timedelta(minutes=10)))


@pytest.mark.full
@pytest.mark.parametrize(("asked", "said"), PAIRS)
async def test_every_nonsense_is_asked_for_after_growing_pauses(
    world: World, application: ScriptedScim, asked: RequestKind, said: str
) -> None:
    came = await asked_for(world, application, asked, said, HOUR)
    # One 404 proves nothing, so every look at an account that seems to be gone reads it twice.
    are_few(came[::2] if (asked, said) == (RequestKind.GET, "404") else came)


@pytest.mark.full
@pytest.mark.parametrize(("asked", "said"), LONG)
async def test_nonsense_of_a_day_is_asked_for_a_few_times(
    world: World, application: ScriptedScim, asked: RequestKind, said: str
) -> None:
    are_few(await asked_for(world, application, asked, said, DAY))


async def test_probe_that_passes_does_not_make_the_pauses_of_writes_short_again(
    world: World, application: ScriptedScim
) -> None:
    application.answers[RequestKind.CREATE] = NONSENSE["503"]
    await world.configure({**CONFIG, "mappings": [USERS, GROUPS], "limits": {"concurrency": 2}})
    await world.add_people(range(2, 6))

    minutes = timedelta(minutes=10)
    came = await live(world, minutes, lambda: application.asked[RequestKind.CREATE], most=1000)

    breaks = sorted(set(came))
    assert len(breaks) <= ENOUGH[minutes]
    assert max(came.count(one) for one in breaks) <= 2  # those that go out at the same time
    assert application.asked[RequestKind.PROBE] <= len(breaks) + 1


async def test_person_who_waits_makes_no_pause_shorter(world: World, application: ScriptedScim) -> None:
    application.answers[RequestKind.CREATE] = NONSENSE["503"]
    await world.add_people([2])
    world.services.times = replace(world.services.times, ambiguous_wait=timedelta(seconds=3600.0))
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)

    (pushed,) = await push(world.services, job, ObjectKind.USER, [person_id(2)], initiated_by="anna")

    assert application.asked[RequestKind.CREATE] == 1
    assert pushed.problem == "Model is temporarily unavailable (HTTP 503)"


async def test_cycle_ends_although_the_application_fails_on_each_write_of_one_object(
    world: World, application: ScriptedScim
) -> None:
    """The application answers everything else, and says each time that the account is as it was."""
    world.services.times = replace(world.services.times, ambiguous_wait=timedelta(seconds=0.002))
    application.answers["update"] = error(500)
    await world.change([1], surname="New")

    await world.drain()

    assert (await world.cycle()).state == "entryLevelErrors"
    assert (await world.cycle()).counts == {"failed": 1}
    seconds = await world.value("select extract(epoch from not_before - now())::float from dirty where failures = 1")
    assert 60 < seconds < 600, "it is tried again soon"
