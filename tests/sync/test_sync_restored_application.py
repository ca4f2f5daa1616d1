"""An application is restored from a backup: every leaver who is active there again is noticed and disabled."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import Verdict
from lockstep.sync.cycle import returned_leavers
from lockstep.sync.drain.on_demand import push
from lockstep.sync.worker.tasks import run_schedule
from tests.support.crashes import purge, set_deleted, set_enabled, settle
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, World, person_id, upn

Leave = Callable[[World, list[int]], Awaitable[None]]


async def disabled(world: World, numbers: list[int]) -> None:
    await set_enabled(world, numbers, enabled=False)


async def unassigned(world: World, numbers: list[int]) -> None:
    await world.unassign(numbers)


async def deleted(world: World, numbers: list[int]) -> None:
    await set_deleted(world, numbers)


async def unassigned_and_deleted(world: World, numbers: list[int]) -> None:
    await world.unassign(numbers)
    await world.drain()
    await set_deleted(world, numbers)


async def unassigned_and_purged(world: World, numbers: list[int]) -> None:
    await world.unassign(numbers)
    await world.drain()
    await purge(world, numbers)


WAYS: list[Leave] = [disabled, unassigned, deleted, unassigned_and_deleted, unassigned_and_purged]


def active(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if values["active"] is True}


async def restored(world: World, target: ModelTarget, leave: Leave, numbers: list[int]) -> None:
    """People 1 to 3 have accounts when the application is backed up; *numbers* leave; the application is restored."""
    await world.add_people([1, 2, 3])
    await world.sync()
    backup = copy.deepcopy(target.accounts[USER])
    await leave(world, numbers)
    await settle(world)
    assert active(target).isdisjoint(map(upn, numbers))
    target.accounts[USER] = backup
    target.requests.clear()


def lists_accounts(target: ModelTarget) -> None:
    """The application lists its accounts in one page."""


def lists_too_many(target: ModelTarget) -> None:
    """Listing the accounts costs more requests than reading those that are linked."""
    for number in range(20):
        target.add({"userName": f"other{number}@contoso.com", "active": False})
    target.page_size = 2


def lists_nothing(target: ModelTarget) -> None:
    target.before = lambda verb, key: answered(Verdict.REFUSED, status=400) if verb == "page" else None


@pytest.mark.parametrize("lists", [lists_accounts, lists_too_many, lists_nothing])
@pytest.mark.parametrize("leave", WAYS)
async def test_full_cycle_disables_leavers_who_are_active_again(
    world: World, target: ModelTarget, leave: Leave, lists: Callable[[ModelTarget], None]
) -> None:
    await restored(world, target, leave, [1])
    lists(target)

    await world.sync()

    assert active(target) == {upn(2), upn(3)}


async def test_leaver_whose_turn_comes_before_the_list_is_read_is_compared_too(
    world: World, target: ModelTarget
) -> None:
    await restored(world, target, disabled, [1])
    await world.start()
    await set_enabled(world, [1], enabled=False)  # marks the person once more, as a leaver

    await world.drain()

    assert active(target) == {upn(2), upn(3)}


@pytest.mark.parametrize("leave", WAYS)
async def test_push_disables_a_leaver_who_is_active_again(world: World, target: ModelTarget, leave: Leave) -> None:
    await restored(world, target, leave, [1])
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)

    await push(world.services, job, ObjectKind.USER, [person_id(1)], initiated_by="anna")

    assert active(target) == {upn(2), upn(3)}


@pytest.mark.parametrize("lists", [lists_accounts, lists_too_many, lists_nothing])
async def test_full_cycle_corrects_values_and_accounts_that_the_backup_did_not_have(
    world: World, target: ModelTarget, lists: Callable[[ModelTarget], None]
) -> None:
    await restored(world, target, unassigned, [1])
    await world.change([2], surname="Married")
    await world.drain()
    target.accounts[USER] = {
        key: {**values, "name.familyName": "Before"}
        for key, values in target.accounts[USER].items()
        if values["userName"] != upn(3)
    }
    lists(target)

    await world.sync()

    assert target.people()[upn(2)]["name.familyName"] == "Married"
    assert await world.value("select state from link where source_id = %s", person_id(3)) == "lost"


async def test_full_cycle_reads_no_account_that_was_listed(world: World, target: ModelTarget) -> None:
    await restored(world, target, disabled, [1])
    target.people()[upn(1)]["active"] = False

    await world.sync()

    assert (target.requests["get"], target.requests["page"], target.writes) == (0, 1, 0)


async def scheduled_cycle(world: World) -> None:
    await world.rows("update job set next_cycle_at = now() returning 1")
    assert await run_schedule(world.services, world.drive) == [world.job]
    await world.drain()


@pytest.mark.parametrize("leave", WAYS)
async def test_scheduled_cycle_notices_that_leavers_are_active_again(
    world: World, target: ModelTarget, leave: Leave
) -> None:
    await restored(world, target, leave, [1, 2])

    await scheduled_cycle(world)

    assert active(target) == {upn(3)}


async def eight_leave(world: World, target: ModelTarget) -> dict[str, dict[str, Any]]:
    """Of 100 people, numbers 0 to 7 leave, one after the other. Returns the accounts before that."""
    await world.add_people(range(100))
    await world.sync()
    backup = copy.deepcopy(target.accounts[USER])
    for number in range(8):
        await world.unassign([number])
        await world.drain()
    return backup


async def test_all_leavers_are_read_if_the_last_ones_are_active_again(world: World, target: ModelTarget) -> None:
    backup = await eight_leave(world, target)
    target.accounts[USER] = backup
    target.requests.clear()

    await scheduled_cycle(world)

    assert active(target) == {upn(number) for number in range(8, 100)}
    assert target.requests["get"] <= 8 + 3


async def test_all_leavers_are_read_again_after_a_second_restore(world: World, target: ModelTarget) -> None:
    backup = await eight_leave(world, target)
    for _ in range(2):
        await world.rows("update operation set planned_at = planned_at - interval '2 days' returning 1")
        target.accounts[USER] = copy.deepcopy(backup)

        await scheduled_cycle(world)

        assert active(target) == {upn(number) for number in range(8, 100)}


async def test_second_leaver_who_is_active_again_does_not_begin_the_check_again(
    world: World, target: ModelTarget
) -> None:
    await restored(world, target, disabled, [1, 2])
    await world.rows("update job set next_cycle_at = now() returning 1")
    await run_schedule(world.services, world.drive)
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)

    await returned_leavers.mark_all(world.services, job)
    await world.drain()  # both are disabled again, and no mark is left
    target.requests.clear()
    await returned_leavers.mark_all(world.services, job)
    await world.drain()

    assert (active(target), target.requests["get"]) == ({upn(3)}, 0)


async def test_scheduled_cycle_reads_three_leavers_and_nobody_else(world: World, target: ModelTarget) -> None:
    await world.add_people(range(40))
    await world.sync()
    await world.unassign(range(8))
    await world.drain()
    target.requests.clear()

    await scheduled_cycle(world)

    assert (target.requests["get"], target.writes) == (3, 0)
    assert await world.value("select count(*) from dirty") == 0


@pytest.mark.parametrize("threshold", [1, 5])
async def test_leavers_who_are_active_again_count_for_the_guard(
    world: World, target: ModelTarget, threshold: int
) -> None:
    await world.add_people(range(40))
    await world.sync()
    backup = copy.deepcopy(target.accounts[USER])
    await world.unassign(range(6))
    await world.drain()
    await world.rows("update operation set planned_at = planned_at - interval '2 days' returning 1")
    await world.configure({**CONFIG, "deletions": {"threshold": threshold}})
    target.accounts[USER] = backup

    await scheduled_cycle(world)

    assert len(active(target)) == 40 - threshold
    assert await world.value("select count(*) from operation where state = 'held'") == 6 - threshold
