"""While a preview is applied, the status says so. A cycle counts every object once."""

from __future__ import annotations

from lockstep.actions import applied_previews, following, job_previews, provisioning, status
from lockstep.actions.context import Context
from lockstep.actions.status_labels import StatusLabel, label_of
from lockstep.engine.decisions.headline import Standing
from lockstep.storage import cycles
from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, World


async def made(context: Context, world: World) -> int:
    begun = await job_previews.begin_preview(context, world.app)
    assert await job_previews.make_due_preview(context)
    return begun.id


async def test_status_names_the_preview_that_is_being_applied_while_provisioning_is_off(
    context: Context, world: World
) -> None:
    await world.add_people([1])
    number = await made(context, world)
    await world.rows("insert into procrastinate_workers default values returning 1")

    await applied_previews.apply_preview(context, world.app, number)

    during = await status.show_status(context, world.app)
    assert (during.headline.standing, during.is_on) == (Standing.RUNNING, False)
    assert during.sentence == f"Applying preview {number}."
    assert label_of(during) is StatusLabel.APPLYING_PREVIEW


async def test_followed_preview_that_ends_while_provisioning_is_off_is_not_reported_as_stopped(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    number = await made(context, world)
    cycle = await applied_previews.apply_preview(context, world.app, number)

    states = []
    async for state in following.follow_cycle(context, world.app, cycle.id, helps=False):
        states.append(state.state)
        if state.ended_at is None:
            await world.drain()

    assert states == ["running", "succeeded"]


async def too_many_leavers(world: World) -> None:
    """Synchronize eight people, and let four of them leave, which is more than the threshold."""
    await world.configure({**CONFIG, "deletions": {"threshold": 2}})
    await world.add_people(range(8))
    await world.sync()
    await world.unassign([1, 2, 3, 4])


async def test_held_leavers_that_were_already_due_are_counted_once(
    context: Context, world: World, target: ModelTarget
) -> None:
    await too_many_leavers(world)
    number = await made(context, world)

    await applied_previews.apply_preview(context, world.app, number)
    await world.drain()

    assert dict((await world.cycle()).counts) == {"held": 4, "unchanged": 4}


async def test_leavers_that_were_already_due_are_counted_once(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(6))
    await world.sync()
    await world.unassign([1, 2])
    number = await made(context, world)

    await applied_previews.apply_preview(context, world.app, number)
    await world.drain()

    cycle = await world.cycle()
    assert dict(cycle.counts) == {"disabled": 2, "unchanged": 4}
    assert (cycle.done, cycle.total) == (6, 6)


async def test_full_cycle_counts_leavers_that_were_already_due_once(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(6))
    await world.sync()
    await world.unassign([1, 2])

    await provisioning.run(context, world.app, full=True)
    await world.drain()

    assert dict((await world.cycle()).counts) == {"disabled": 2, "unchanged": 4}


async def test_object_that_changes_while_it_is_held_is_counted_once_in_its_cycle(
    context: Context, world: World, target: ModelTarget
) -> None:
    await too_many_leavers(world)
    async with world.pool.connection() as connection:
        cycle, _ = await cycles.open_cycle(connection, world.job, "incremental", phase="match")
    await world.drain()
    await world.change([1, 2, 3], surname="Other")

    await world.drain()

    assert dict((await world.cycle()).counts) == {"held": 4}
    assert (await world.cycle()).id == cycle.id


async def test_object_that_was_held_and_is_written_in_the_same_cycle_is_counted_for_the_write_too(
    context: Context, world: World, target: ModelTarget
) -> None:
    await too_many_leavers(world)
    async with world.pool.connection() as connection:
        await cycles.open_cycle(connection, world.job, "incremental", phase="match")
    await world.drain()
    await world.assign([1])
    await world.change([1], surname="Other")

    await world.drain()

    assert dict((await world.cycle()).counts) == {"held": 4, "updated": 1}


async def test_object_that_is_held_again_in_a_later_cycle_is_counted_in_that_cycle_too(
    context: Context, world: World, target: ModelTarget
) -> None:
    await too_many_leavers(world)
    await world.drain()
    first = await world.cycle()

    await world.sync()

    later = await world.cycle()
    assert (dict(first.counts), later.id > first.id) == ({"held": 4}, True)
    assert (later.counts["held"], later.done, later.total) == (4, 8, 8)
