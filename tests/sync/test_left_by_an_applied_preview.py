"""What an applied preview does with objects that need no write, with groups, and when it may not begin."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from lockstep.actions import applied_previews, provisioning
from lockstep.actions.context import Context, Rehearsal
from lockstep.errors import LockstepError
from lockstep.storage import cycles, dirty
from lockstep.storage.resume import Pin
from lockstep.sync.cycle import frame
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
    await provisioning.pause(context, world.app)  # otherwise the same drain may begin the next cycle
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


async def test_preview_is_applied_until_it_is_24_hours_old(context: Context, world: World) -> None:
    await world.add_people([1])
    number = await made(context, world)
    await world.rows("update preview set ended_at = ended_at - interval '23 hours' returning 1")

    cycle = await applied_previews.apply_preview(context, world.app, number)

    assert cycle.preview == number


async def test_workers_are_woken_for_an_applied_preview(context: Context, world: World) -> None:
    await world.add_people([1])
    number, woken = await made(context, world), list[str]()

    async def wake(jobs: Collection[str]) -> None:
        woken.extend(jobs)

    await applied_previews.apply_preview(replace(context, after_commit=wake), world.app, number)

    assert woken == [world.job]


async def test_list_of_what_was_left_begins_anew_with_each_application(context: Context, world: World) -> None:
    await world.add_people(range(2))
    number = await made(context, world)
    await world.change([1], surname="Other")
    await applied(context, world, number)

    await applied_previews.apply_preview(context, world.app, number)

    assert await left_of(context, world, number) == {}


async def test_list_of_one_preview_is_not_changed_by_another(context: Context, world: World) -> None:
    await world.add_people(range(2))
    first = await made(context, world)
    await world.change([1], surname="Other")
    await applied(context, world, first)
    second = await made(context, world)

    await applied(context, world, second)

    assert (set(await left_of(context, world, first)), await left_of(context, world, second)) == ({upn(1)}, {})


async def test_object_that_a_claim_found_without_a_cycle_is_pinned_when_the_cycle_of_a_preview_adopts_it(
    context: Context, world: World
) -> None:
    """The preview is applied between the claim and its adoption. What was previewed is not known then, so nothing may be written."""
    await world.add_people(range(2))
    await world.sync()
    number = await made(context, world)
    await world.change([1], surname="Other")
    async with world.pool.connection() as connection:
        claims = await dirty.claim(connection, world.job, owner="me", limit=1, lease_seconds=60)
        await applied_previews.apply_preview(context, world.app, number)
        job = await world.services.read_job(connection, world.job)
        [adopted] = await frame.adopt(connection, job, claims)

    assert ([one.pin for one in claims], adopted.pin) == ([None], Pin(number))


async def test_what_is_left_stays_parked_until_the_cycle_ends_even_if_it_is_cancelled(
    context: Context, world: World
) -> None:
    await world.add_people(range(2))
    await world.sync()
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)
    await world.change([1], surname="Other")
    await world.rows(
        """update dirty set not_before = 'infinity', resume = '{"stage": "fresh", "isLeft": true}' returning 1"""
    )

    await provisioning.start(context, world.app)
    still = await world.value("select not_before = 'infinity' from dirty")
    async with world.pool.connection() as connection:
        await cycles.cancel(connection, world.job, state="cancelled")

    assert still is True
    assert await world.rows("select not_before = '-infinity', resume ->> 'isLeft' from dirty") == [(True, None)]


async def test_failures_of_an_object_that_is_left_are_not_forgotten(context: Context, world: World) -> None:
    await world.add_people(range(2))
    number = await made(context, world)
    await world.change([1], surname="Other")
    await applied_previews.apply_preview(context, world.app, number)
    await world.change([1], surname="Another")
    await world.rows("update dirty set failures = 3, first_failed_at = now() returning 1")

    await world.drain()

    assert await world.rows("select failures, first_failed_at is not null from dirty") == [(3, True)]
