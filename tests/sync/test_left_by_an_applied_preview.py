"""What an applied preview does with objects that need no write, with groups, and when it may not begin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockstep.actions import applied_previews, provisioning
from lockstep.actions.context import Context, Rehearsal
from lockstep.errors import LockstepError
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import WITH_GROUPS, add_group, members_of, named, set_members
from tests.support.sync_world import World, upn
from tests.sync.test_applied_preview import applied, left_of, made, shown


async def test_object_that_needs_no_write_any_longer_is_done_and_not_left(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)
    await world.unassign([1])

    await world.drain()

    cycle = await world.cycle()
    assert upn(1) not in target.people()
    assert (cycle.counts, await left_of(context, world, number)) == ({"created": 2, "skipped": 1}, {})
    assert await world.value("select count(*) from dirty") == 0


async def test_group_whose_members_wait_is_counted_once(context: Context, world: World, target: ModelTarget) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(3))
    await add_group(world, [0, 1])
    await world.sync()
    await world.drain()
    await set_members(world, added=[2])
    number = await made(context, world)

    cycle = await applied(context, world, number)
    during = await members_of(world, target)
    await provisioning.start(context, world.app)
    await world.drain()

    assert (dict(cycle.counts), during) == ({"unchanged": 4}, named(0, 1))
    assert (await shown(context, world, number)).left == 0
    assert await members_of(world, target) == named(0, 1, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("delete from credential returning 1", "has no credentials"),
        (
            """insert into source (name, kind, display_name, watermark) values ('hr', 'csv', 'HR', '{"restored": "unread"}') returning 1""",
            "come from the backup",
        ),
    ],
)
async def test_preview_is_not_applied_without_credentials_or_with_the_people_of_a_backup(
    context: Context, world: World, target: ModelTarget, change: str, words: str
) -> None:
    await world.add_people([1])
    number = await made(context, world)
    await world.rows(change)

    with pytest.raises(LockstepError, match=words):
        await applied_previews.apply_preview(context, world.app, number)
    await world.drain()

    assert target.writes == 0
    assert await world.value("select count(*) from cycle") == 0


async def test_applying_has_no_dry_run(context: Context, world: World) -> None:
    await world.add_people([1])
    number = await made(context, world)

    with pytest.raises(LockstepError, match="has no dry run"):
        await applied_previews.apply_preview(replace(context, rehearsal=Rehearsal()), world.app, number)

    assert await world.value("select count(*) from cycle") == 0


async def test_applying_is_in_the_audit_log_with_the_number_of_writes(context: Context, world: World) -> None:
    await world.add_people(range(3))
    number = await made(context, world)

    cycle = await applied_previews.apply_preview(context, world.app, number)

    [entry] = await world.rows(
        "select actor, object, after from audit_log where activity = 'Apply provisioning preview'"
    )
    assert entry == ("anna", "model", {"preview": number, "cycle": cycle.id, "writes": 3})
