"""Too many leavers at once: nobody of them goes before somebody has decided, and everybody else is served."""

from __future__ import annotations

import pytest
from model_target import ModelTarget
from sync_world import World, upn

from lockstep.storage import operations


def disabled(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if not values["active"]}


async def decide(world: World, decision: str) -> int:
    async with world.pool.connection() as connection:
        return await operations.decide_held(connection, world.job, decision=decision, actor="test")


async def held(world: World) -> int:
    async with world.pool.connection() as connection:
        return await operations.count_held(connection, world.job)


async def test_of_too_many_leavers_nobody_goes_until_somebody_approves(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(40))
    await world.change(range(50, 60), surname="Goes on")

    await world.drain()

    assert disabled(target) == set()
    assert (await world.cycle()).counts == {"held": 40, "updated": 10}
    assert await held(world) == 40
    assert await decide(world, "approved") == 40
    await world.drain()
    assert disabled(target) == {upn(number) for number in range(40)}


async def test_hold_says_how_many_wait(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))

    await world.drain()

    reasons = await world.rows("select distinct error ->> 'reason' from operation where state = 'held'")
    assert (
        "Held for approval: with this one and 19 more that wait 20 accounts disabled or deleted in this cycle, "
        "more than 20 % of 60 linked accounts.",
    ) in reasons


async def test_leavers_within_the_limit_go_though_many_others_wait(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(5))
    await world.change(range(10, 60), surname="Changed")

    await world.drain()

    assert disabled(target) == {upn(number) for number in range(5)}
    assert await held(world) == 0


async def test_people_who_leave_in_the_lane_of_updates_are_judged_together(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(30))
    await world.rows("update dirty set lane = 4 returning 1")
    await world.change(range(40, 60), surname="Changed")

    await world.drain()

    assert (await world.cycle()).counts == {"held": 30, "updated": 20}
    assert disabled(target) == set()


async def test_one_leaver_goes_while_others_are_held(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    await world.unassign([50])
    await world.drain()

    assert disabled(target) == {upn(50)}
    assert await held(world) == 20


async def test_change_of_somebody_who_is_held_does_not_decide(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    await world.change([3], surname="Married")
    await world.drain()

    assert disabled(target) == set()
    assert await held(world) == 20


@pytest.mark.parametrize("how", ["assigned again", "approved first"])
async def test_hold_is_withdrawn_where_the_write_is_not_wanted_any_more(
    world: World, target: ModelTarget, how: str
) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()

    if how == "approved first":
        await decide(world, "approved")
    await world.assign(range(20))
    await world.drain()

    assert disabled(target) == set()
    assert await held(world) == 0


async def test_rejected_leavers_stay_and_do_not_count_against_the_next(world: World, target: ModelTarget) -> None:
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(range(20))
    await world.drain()
    await decide(world, "rejected")

    await world.unassign([50, 51])
    await world.drain()

    assert disabled(target) == {upn(50), upn(51)}
    assert await held(world) == 0
