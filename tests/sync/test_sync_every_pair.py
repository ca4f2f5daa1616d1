"""Every operation whose response is lost, combined with everything that may happen to the person before it is settled.

One world runs all combinations at once. In the end exactly the people who should have an account have one: active and linked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import Target
from lockstep.postgres.pool import Pool
from lockstep.targets.scim_target import ScimTarget
from tests.support.crashes import Lossy, crash, purge, rename, set_deleted, set_enabled, settle
from tests.support.documo_sandbox import sandbox_targets
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import (
    EVERYTHING,
    add_group,
    group_account,
    set_members,
    should_have,
    wanted_members,
)
from tests.support.sync_world import World, make_world, upn

OPERATIONS = ("create", "update", "disable", "delete", "member")
CHANGES = ("none", "rename", "disable", "unassign", "delete", "purge", "restore", "rehire", "filter")
PAIRS = dict(enumerate(product(OPERATIONS, CHANGES)))
NEW = 1000  # numbers of people who come for somebody
STAYS = 900


def doing(operation: str) -> list[int]:
    return [number for number, pair in PAIRS.items() if pair[0] == operation]


def then(change: str, *operations: str) -> list[int]:
    return [n for n, (before, after) in PAIRS.items() if after == change and (not operations or before in operations)]


async def in_step(world: World) -> None:
    """Everybody whose operation is not a create has an account; the group has one member."""
    await world.configure(EVERYTHING)
    there = [number for number in PAIRS if number not in doing("create")]
    await world.add_people([*there, STAYS], department="In")
    await add_group(world, [STAYS])
    await world.sync()


async def lose_every_answer(world: World, lossy: Lossy, how: str) -> None:
    lossy.loses = lambda verb, key: how
    await world.add_people(doing("create"), department="In")
    await world.change(doing("update"), surname="Changed")
    await set_enabled(world, doing("disable"), enabled=False)
    await set_deleted(world, doing("delete"))
    await set_members(world, added=doing("member"), removed=[STAYS])
    await crash(world, lossy, waiting=4 * len(CHANGES) + 1)


async def change_everybody(world: World) -> None:
    await rename(world, {number: f"renamed{number}@contoso.com" for number in then("rename")})
    await set_enabled(world, then("disable"), enabled=False)
    await world.unassign(then("unassign"))
    await set_deleted(world, then("delete"))
    await purge(world, then("purge"))
    await set_deleted(world, then("restore", "create", "update", "member"))
    await set_deleted(world, then("restore"), deleted=False)
    await set_enabled(world, then("restore"), enabled=True)
    await set_deleted(world, then("rehire"))
    for number in then("rehire"):
        await world.add_people([number + NEW], assigned=False, department="In")
        await rename(world, {number + NEW: upn(number)})
        await world.assign([number + NEW])
    await world.change(then("filter"), department="Out")
    left = [number for number in doing("member") if PAIRS[number][1] in ("unassign", "filter")]
    await set_members(world, removed=left, added=[STAYS])


def name_of(user_name: str) -> str:
    """The pair that an account belongs to, for the message of a failure."""
    digits = "".join(filter(str.isdigit, user_name))
    operation, change = PAIRS.get(int(digits or -1), ("stays", "none"))
    return f"{operation}/{change} {user_name}"


async def everybody_is_right(world: World, accounts: dict[str, dict[str, Any]]) -> None:
    """*accounts* are the application's accounts by id."""
    should = await should_have(world)
    active = [(name_of(str(one["userName"]).lower()), key) for key, one in accounts.items() if one["active"] is True]
    assert sorted(name for name, _ in active) == sorted(name_of(name) for name, _ in should)
    links = dict(await world.rows("select source_id::text, target_id from link where kind = 'User' and state = 'live'"))
    assert {name_of(name): links.get(source_id) for name, source_id in should} == dict(active)
    assert await world.rows("select action, source_id from operation where state in ('planned', 'ambiguous')") == []
    assert await world.rows("select source_id, last_error from dirty") == []


async def all_pairs(pool: Pool, target: Target, how: str) -> World:
    lossy = Lossy(target)
    world = await make_world(pool, lossy)  # type: ignore[arg-type]
    await in_step(world)
    await lose_every_answer(world, lossy, how)
    await change_everybody(world)
    await settle(world)
    return world


@pytest.mark.parametrize("how", ["after", "before"])
async def test_every_pair_of_lost_answer_and_change_ends_right(pool: Pool, target: ModelTarget, how: str) -> None:
    """The response is lost *after* the application did the work, or *before* it received the request."""
    world = await all_pairs(pool, target, how)

    await everybody_is_right(world, target.accounts[ObjectKind.USER])
    assert target.members[await group_account(world)] == await wanted_members(world)


@pytest.fixture(scope="module")
async def tenants() -> AsyncIterator[list[ScimTarget]]:
    async with sandbox_targets(2) as targets:
        yield targets


@pytest.mark.parametrize("how", ["after", "before"])
async def test_every_pair_of_lost_answer_and_change_ends_right_in_documo(
    pool: Pool, tenants: list[ScimTarget], how: str
) -> None:
    documo = tenants.pop()
    world = await all_pairs(pool, documo, how)

    accounts = {
        account.id: dict(account.resource)
        async for page in documo.pages(ObjectKind.USER)
        for account in page.accounts
        if not str(account.resource["userName"]).startswith("admin")
    }
    await everybody_is_right(world, accounts)
    group = await group_account(world)
    held = {key for key, one in accounts.items() if any(of["value"] == group for of in one.get("groups", ()))}
    assert held == await wanted_members(world)
