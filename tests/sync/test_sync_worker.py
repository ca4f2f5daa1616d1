"""The worker: it is woken at once, nothing is lost between producers and a finishing drain, and it stops cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from lockstep.sync.cycle import frame
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.services import Services
from lockstep.sync.worker import tasks
from lockstep.sync.worker.tasks import rescue_stalled, run_sweep
from lockstep.sync.worker.worker import run_worker
from tests.support.model_target import ModelOpener, ModelTarget
from tests.support.sync_world import World, upn
from tests.support.waiting import until


@asynccontextmanager
async def working(world: World) -> AsyncIterator[asyncio.Task[None]]:
    ready = asyncio.Event()
    worker = asyncio.create_task(run_worker(world.services, ready=ready))
    done, _ = await asyncio.wait({worker, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert worker not in done, worker.result()
    yield worker
    world.services.stopping.set()
    await worker


async def has_people(target: ModelTarget, count: int) -> bool:
    return len(target.people()) == count


async def test_change_reaches_the_application_when_its_job_is_woken(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_sweep(*arguments: Any) -> list[str]:
        return []  # it would wake the job as well, only later

    monkeypatch.setattr(tasks, "run_sweep", no_sweep)
    await world.sync()
    async with working(world):
        for number in range(5):
            await world.add_people([number])
            await world.drive.wake([world.job])
            await until(partial(has_people, target, number + 1))

    assert len(target.people()) == 5


async def test_worker_goes_on_after_the_database_was_away(world: World, target: ModelTarget) -> None:
    await world.sync()
    async with working(world):
        await world.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()"
        )
        await until(lambda: _is_added(world, 1))

        await until(lambda: has_people(target, 1))


async def test_crash_between_commit_and_defer_is_closed_by_the_sweep(world: World, target: ModelTarget) -> None:
    await world.sync()
    await world.add_people([1])  # committed; the process died before it could defer the drain

    async with working(world):
        assert await run_sweep(world.services, world.drive) in ([world.job], [])
        await until(lambda: has_people(target, 1))


async def test_producers_that_meet_a_finishing_drain_lose_nothing(world: World, target: ModelTarget) -> None:
    await world.sync()

    async def produce(numbers: range) -> None:
        for number in numbers:
            await world.add_people([number])
            await world.drive.wake([world.job])
            await asyncio.sleep(number % 7 / 500)

    async with working(world):
        await asyncio.gather(produce(range(60)), produce(range(60, 120)))
        await until(lambda: has_people(target, 120), seconds=5)

    assert target.requests["create"] == 120


async def test_wake_that_comes_while_the_drain_closes_its_cycle_is_heard(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit and its wake fall between the last look for due rows and the end of the drain."""
    await world.sync()
    real = frame.close
    calls = []

    async def close_late(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) <= 2:
            await world.add_people([len(calls)])
            await drain_job(world.services, world.drive, world.job)
        await real(*arguments)

    monkeypatch.setattr(frame, "close", close_late)

    await world.drain()

    assert sorted(target.people()) == [upn(1), upn(2)]


async def test_first_signal_finishes_requests_under_way_and_gives_the_rest_back(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(100))
    target.gate = asyncio.Event()
    async with working(world):
        target.gate.set()
        await world.start()
        target.gate.clear()
        await world.drive.wake([world.job])
        target.gate.set()
        await until(lambda: _some(target))
        target.gate.clear()
        world.services.stopping.set()
        target.gate.set()

    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0
    assert await world.value("select count(*) from dirty where lease_owner is not null") == 0
    assert await world.value("select count(*) from link") == len(target.people())


async def test_several_drains_share_a_big_job_and_nobody_is_created_twice(world: World, target: ModelTarget) -> None:

    await world.add_people(range(400))
    await world.start()
    target.seconds = 0.002
    others = [
        Services(world.pool, world.services.vault, ModelOpener(target), world.drive.wake, times=world.services.times)
        for _ in range(3)
    ]

    await asyncio.gather(*(drain_job(one, world.drive, world.job) for one in others))

    assert len(target.people()) == 400
    assert target.requests["create"] == 400
    assert (await world.cycle()).counts == {"created": 400}
    assert sorted(target.people())[0] == upn(0)


async def _some(target: ModelTarget) -> bool:
    return len(target.people()) > 5


async def test_tasks_of_a_dead_worker_do_not_stay(world: World) -> None:
    await world.drive.defer_drain(world.job)
    await world.rows(
        """with dead as (insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 hour') returning id)
        update procrastinate_jobs set status = 'doing', worker_id = dead.id from dead returning 1"""
    )

    assert await rescue_stalled(await world.drive.app()) == 1

    assert await world.value("select count(*) from procrastinate_jobs where status = 'doing'") == 0


async def test_initial_cycle_whose_worker_died_before_it_marked_anybody_is_swept(world: World) -> None:
    await world.add_people([1])
    await world.start()
    assert await world.value("select count(*) from dirty") == 0

    assert await run_sweep(world.services, world.drive) == [world.job]


async def _is_added(world: World, number: int) -> bool:
    """Add a person, as soon as our own pool has a connection that lives."""
    try:
        await world.add_people([number])
    except psycopg.OperationalError:
        return False
    return True
