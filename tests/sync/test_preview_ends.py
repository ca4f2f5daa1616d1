"""A preview that was taken over, or whose process lost the database, leaves the list of its successor alone and says how it ended."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from lockstep.actions import job_previews
from lockstep.actions.context import Context
from lockstep.actions.job_previews import PreviewState
from lockstep.engine.records import ObjectKind
from lockstep.errors import unreachable
from lockstep.gallery.loader import load_gallery
from lockstep.ports import Verdict
from lockstep.postgres.pool import Connection
from lockstep.storage import preview_accounts, previews
from lockstep.storage.previews import ClaimedPreview
from lockstep.sync.previewing import making
from lockstep.sync.previewing.listing import PreviewEnded, list_accounts
from lockstep.sync.previewing.reading import PacedReader
from lockstep.wiring import House
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World

ACCOUNT = {"target_id": "1", "attribute": "userName", "value": "anna", "account": {"resource": {}, "etag": ""}}


async def taken_over(context: Context, world: World) -> tuple[ClaimedPreview, ClaimedPreview]:
    """Claim a preview twice, as a process does after the first one was silent; return both claims."""
    await job_previews.begin_preview(context, world.app)
    async with world.pool.connection() as connection:
        first = await previews.claim_due(connection, owner="first", lost_after=making.LOST_AFTER)
        await connection.execute("update preview set beat_at = now() - interval '5 minutes'")
        second = await previews.claim_due(connection, owner="second", lost_after=making.LOST_AFTER)
    assert first is not None
    assert second is not None
    return first, second


async def read_list(world: World, claimed: ClaimedPreview) -> bool:
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, claimed.job)
    reader = PacedReader(world.services, await world.services.open_reader(job), world.services.turns(job))
    return await list_accounts(world.pool, claimed, job.configuration.objects[0], reader, asked_for=3)


async def listed(world: World) -> list[Any]:
    return await world.rows("select target_id from preview_account")


async def test_former_owner_that_fails_leaves_the_list_of_the_new_owner(context: Context, world: World) -> None:
    first, second = await taken_over(context, world)
    async with world.pool.connection() as connection:
        await preview_accounts.add_page(connection, second.id, ObjectKind.USER, [ACCOUNT])

        await previews.save_end(connection, first, PreviewState.FAILED, error={})

    assert len(await listed(world)) == 1


async def test_former_owner_adds_nothing_to_the_list_of_the_new_owner(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    first, _ = await taken_over(context, world)

    with pytest.raises(PreviewEnded):
        await read_list(world, first)

    assert await listed(world) == []


async def test_former_owner_does_not_remove_the_list_of_the_new_owner(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    first, second = await taken_over(context, world)
    assert await read_list(world, second)
    target.before = lambda verb, key: answered(Verdict.REFUSED)

    with pytest.raises(PreviewEnded):
        await read_list(world, first)

    assert len(await listed(world)) == 3


async def test_preview_that_was_lost_too_often_keeps_no_list(context: Context, world: World) -> None:
    _, second = await taken_over(context, world)
    async with world.pool.connection() as connection:
        await preview_accounts.add_page(connection, second.id, ObjectKind.USER, [ACCOUNT])
        await connection.execute("update preview set attempts = 3, beat_at = now() - interval '5 minutes'")

        assert await previews.claim_due(connection, owner="third", lost_after=making.LOST_AFTER) is None

    assert await listed(world) == []


async def test_value_that_the_database_refuses_ends_the_preview_with_an_error(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(2))
    await world.sync()
    for resource in target.people().values():
        resource["name.familyName"] = "Sur\0name"
    begun = await job_previews.begin_preview(context, world.app)

    assert await job_previews.make_due_preview(context)

    found = await job_previews.show_preview(context, world.app, begun.id)
    assert (found.state, found.error is None) == (PreviewState.FAILED, False)


async def test_list_survives_a_crash_of_the_database(world: World) -> None:
    """Otherwise everyone whose account was listed would be shown as new."""
    assert await world.rows("select relpersistence::text from pg_class where relname = 'preview_account'") == [("p",)]


async def test_preview_whose_sign_of_life_failed_once_shows_the_next(
    context: Context, world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_people(range(3))
    target.gate, beats = asyncio.Event(), asyncio.Event()
    number, save = 0, previews.save_progress

    async def failing_once(connection: Connection, claimed: ClaimedPreview, **options: Any) -> bool:
        nonlocal number
        if not options:
            number += 1
            if number == 1:
                raise psycopg.OperationalError("the connection was lost")
            beats.set()
        return await save(connection, claimed, **options)

    monkeypatch.setattr(making, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(previews, "save_progress", failing_once)
    await job_previews.begin_preview(context, world.app)
    making_it = asyncio.create_task(job_previews.make_due_preview(context))

    await asyncio.wait_for(beats.wait(), 20)

    target.gate.set()
    assert await making_it


async def test_background_work_goes_on_after_a_failure(context: Context, world: World) -> None:
    nothing = cast(Any, None)
    settings = cast(Any, SimpleNamespace(purge_after=context.purge_after, sources_folder=context.sources_folder))
    house = House(settings, nothing, world.pool, world.services.vault, load_gallery(), nothing, world.drive)
    again, times = asyncio.Event(), 0

    async def work(_: Context) -> bool:
        nonlocal times
        times += 1
        if times == 1:
            raise unreachable("No PostgreSQL connection became free")
        again.set()
        return False

    repeating = asyncio.create_task(house._repeat(work, pause_seconds=0.01))
    waiting = asyncio.create_task(again.wait())
    await asyncio.wait([repeating, waiting], timeout=20, return_when=asyncio.FIRST_COMPLETED)

    assert again.is_set()
    repeating.cancel()
    waiting.cancel()
    await asyncio.gather(repeating, waiting, return_exceptions=True)


async def test_preview_of_a_process_that_ends_is_made_by_the_next_one_at_once(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    target.gate = asyncio.Event()
    begun = await job_previews.begin_preview(context, world.app)
    making_it = asyncio.create_task(job_previews.make_due_preview(context))
    async with asyncio.timeout(20):
        while (await job_previews.show_preview(context, world.app, begun.id)).phase != making.LISTING:
            await asyncio.sleep(0)

    making_it.cancel()
    await asyncio.gather(making_it, return_exceptions=True)
    target.gate.set()

    assert await job_previews.make_due_preview(context)
    found = await job_previews.show_preview(context, world.app, begun.id)
    assert (found.state, found.done, found.attempts) == (PreviewState.DONE, 3, 1)
