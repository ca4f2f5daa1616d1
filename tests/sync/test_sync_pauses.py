"""An application without usable responses gets requests after growing pauses, whatever their kind; administrators see why."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lockstep.actions.context import Actor, Context
from lockstep.actions.health import examine
from lockstep.actions.status import status_of
from lockstep.gallery.loader import load_gallery
from lockstep.postgres.pool import Pool
from lockstep.sources.registry import open_source
from lockstep.storage import jobs
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.services import Services
from tests.support.scripted_scim import LIST, Answer, ScriptedScim, saying, scim, scripted_world
from tests.support.sync_world import CONFIG, FAST, World, upn

CASES = Path(__file__).parents[1] / "cases"
NO_QUICK_TRIES = {**CONFIG, "limits": {"maxRetries": 0}}


@pytest.fixture
async def world(pool: Pool, application: ScriptedScim) -> AsyncIterator[World]:
    async with scripted_world(pool, application, NO_QUICK_TRIES) as world:
        yield world


async def drain_as_new_processes(world: World, times: int, **changed: Any) -> None:
    """Drain repeatedly, as `run --wait` and restarts do: each drain knows nothing of the one before."""
    for _ in range(times):
        services = Services(
            world.pool, world.services.vault, world.services.opener, world.drive.wake,
            times=replace(world.services.times, **changed),
        )  # fmt: skip
        await drain_job(services, world.drive, world.job)


HTML = saying(200, "<html>Sign in</html>", content_type="text/html")
PROBES = {
    "200 text/html": HTML,
    "200 with an empty body": saying(200),
    "204": saying(204),
    "200 []": saying(200, "[]"),
    '200 {"Resources":[]} without totalResults': saying(200, '{"Resources":[]}'),
    '200 {"totalResults":"many"}': saying(200, '{"totalResults":"many"}'),
    "200 truncated JSON": saying(200, '{"totalResults":0,"Resou'),
}


def test_every_probe_of_the_case_is_tried() -> None:
    case = json.loads((CASES / "engine-01-unreadable-probe.json").read_bytes())

    assert sorted(next(iter(value for value in case.values() if isinstance(value, list)))) == sorted(PROBES)


@pytest.mark.parametrize("said", PROBES)
async def test_probe_that_cannot_be_read_quarantines_with_the_sentence_of_the_connection_test(
    world: World, application: ScriptedScim, said: str
) -> None:
    application.answers["probe"] = PROBES[said]
    await world.add_people([1])
    await world.start()

    await drain_as_new_processes(world, 10)

    assert application.asked["probe"] == 1
    quarantine = await world.value("select quarantine from job")
    assert quarantine["reason"] == "EncounteredQuarantineException"
    assert quarantine["error"]["code"] == "SystemForCrossDomainIdentityManagementServiceIncompatible"
    assert "Model answered GET" in quarantine["error"]["message"]
    assert await world.rows("select kind, source_display, error_code from provisioning_log") == [
        ("Application", "Model", quarantine["error"]["code"])
    ]


async def repeats_itself(request: web.Request) -> web.StreamResponse:
    page = [{"id": f"x{number}", "userName": f"other{number}"} for number in range(2)]
    return scim({"schemas": [LIST], "totalResults": 5, "Resources": page})


LISTINGS: dict[str, Answer] = {
    "500": saying(500),
    "200 text/html": HTML,
    "200 []": saying(200, "[]"),
    "no totalResults": saying(200, '{"Resources":[]}'),
    "truncated JSON": saying(200, '{"totalResults":1,"Resources":[{"id":"x1","user'),
    "totalResults greater than what it shows": saying(200, '{"totalResults":9,"Resources":[]}'),
    "the same first 100 of 250 whatever startIndex says": repeats_itself,
    "a resource without id": saying(200, '{"totalResults":1,"Resources":[{"userName":"x"}]}'),
}


def test_every_listing_of_the_case_is_tried_but_that_with_numbers() -> None:
    case = json.loads((CASES / "engine-02-unprovable-listing.json").read_bytes())

    listings = next(iter(value for value in case.values() if isinstance(value, list)))
    assert set(listings) - set(LISTINGS) == {"a JSON number as id"}


@pytest.mark.parametrize("said", LISTINGS)
async def test_list_that_cannot_be_proved_whole_is_given_up_and_everybody_is_asked_for(
    world: World, application: ScriptedScim, said: str
) -> None:
    application.answers["listing"] = LISTINGS[said]
    world.services.times = replace(FAST, first_pause=timedelta(milliseconds=10))
    await world.add_people(range(5))

    cycle = await world.sync()

    assert application.user_names == {upn(number) for number in range(5)}
    assert application.asked["listing"] <= 6  # three tries of at most two pages
    assert cycle.state == "succeeded"
    assert cycle.error is not None
    reason = await world.value("select reason from provisioning_log where kind = 'Application'")
    assert reason.startswith("The list of people cannot be used, so each object is read individually: Model ")


async def test_list_that_could_not_be_used_is_tried_once_in_the_next_full_cycle(
    world: World, application: ScriptedScim
) -> None:
    application.answers["listing"] = HTML
    world.services.times = replace(FAST, first_pause=timedelta(milliseconds=10))
    await world.add_people(range(2))
    await world.sync()
    tries = application.asked["listing"]

    application.asked.clear()
    again = await world.sync()

    assert (tries, application.asked["listing"]) == (3, 1)
    assert again.error is not None

    application.answers.pop("listing")
    application.asked.clear()
    assert (await world.sync()).error is None
    assert application.asked["listing"] == 1

    application.answers["listing"] = HTML
    application.asked.clear()
    await world.sync()
    assert application.asked["listing"] == 3, "it was usable in between"


async def test_retry_after_is_kept_by_those_who_know_nothing_of_it(world: World, application: ScriptedScim) -> None:
    application.answers["probe"] = saying(429, **{"Retry-After": "3600"})
    await world.add_people([1])
    await world.start()

    await drain_as_new_processes(world, 20)

    assert application.asked["probe"] == 1


async def test_retry_after_of_nothing_does_not_make_a_loop(world: World, application: ScriptedScim) -> None:
    application.answers["probe"] = saying(503, **{"Retry-After": "0"})
    await world.add_people([1])
    await world.start()

    await drain_as_new_processes(world, 20, first_pause=timedelta(hours=1))

    assert application.asked["probe"] == 2


async def test_outage_that_lasts_becomes_a_quarantine(world: World, application: ScriptedScim) -> None:
    application.answers["probe"] = saying(502)
    await world.add_people([1])
    await world.start()

    await drain_as_new_processes(world, 10, first_pause=timedelta(milliseconds=1))

    assert application.asked["probe"] == 6
    assert await world.value("select quarantine ->> 'reason' from job") == "EncounteredQuarantineException"


async def test_first_answer_ends_the_pauses(world: World, application: ScriptedScim) -> None:
    application.answers["probe"] = saying(502)
    await world.add_people([1])
    await world.start()
    await drain_as_new_processes(world, 1, first_pause=timedelta(hours=1))
    del application.answers["probe"]
    await world.rows("update target_state set not_before = now() returning 1")

    await world.drain()

    assert application.user_names == {upn(1)}
    assert await world.rows("select streaks, trouble from target_state") == [({}, None)]


async def test_application_that_cannot_be_reached_is_in_status_doctor_and_log(
    world: World, application: ScriptedScim
) -> None:
    context = Context(world.pool, Actor("anna"), world.services.vault, load_gallery(), open_source)
    application.answers["probe"] = saying(502)
    await world.add_people([1])
    await world.start()

    await drain_as_new_processes(world, 1, first_pause=timedelta(hours=1))

    async with world.pool.connection() as connection:
        row = await jobs.read_job(connection, world.job)
        assert row is not None
        await connection.execute("insert into procrastinate_workers default values")
        stands = (await status_of(connection, row)).headline
    assert (stands.standing, stands.exit_code, stands.sends) == ("noAnswer", 69, False)
    assert "Model failed at GET" in stands.sentence and "HTTP 502" in stands.sentence
    assert stands.sentence.endswith("The next attempt is in 10 minutes.")
    (finding,) = [one for one in await examine(context) if one.name == "app model"]
    assert (finding.level, finding.text) == ("FAIL", stands.sentence)
    assert (
        await world.value("select count(*) from provisioning_log where kind = 'Application' and status = 'failure'")
        == 1
    )
