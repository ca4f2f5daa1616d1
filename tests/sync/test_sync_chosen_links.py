"""The decision of an administrator about a link stands, even if a worker is writing to the former account at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lockstep.actions import links, provisioning
from lockstep.actions.context import Context
from lockstep.actions.provisioning import ResetScope
from lockstep.postgres.pool import Pool
from lockstep.storage.links import remove_links
from tests.support.crashes import Lossy, crash, end_leases, settle
from tests.support.model_target import USER, ModelTarget
from tests.support.sync_world import World, make_world, person_id, upn
from tests.support.waiting import until

LINKS = "select target_id, is_forgotten from link"


@asynccontextmanager
async def writing(world: World, target: ModelTarget) -> AsyncIterator[None]:
    """In the block a write is under way. It is answered and reported at the end. Then its lease ends, and everything else is drained."""
    gate = target.gate = asyncio.Event()
    drain = asyncio.create_task(world.drain())
    await until(lambda: _is_under_way(world))
    target.gate = None
    yield
    gate.set()
    await until(lambda: _is_reported(world))
    await end_leases(world)
    await asyncio.wait_for(drain, 30)
    await world.drain()


async def _is_under_way(world: World) -> bool:
    return bool(await world.value("select count(*) from operation where state = 'planned'"))


async def _is_reported(world: World) -> bool:
    return not await _is_under_way(world)


async def test_account_that_is_chosen_for_a_person_out_of_scope_is_disabled(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    await world.sync()
    await world.unassign([1])
    await world.sync()
    await links.forget_link(context, world.app, upn(1))
    account = target.add({"userName": "local@contoso.test", "active": "True"})

    await links.choose_link(context, world.app, upn(1), account)
    await world.drain()

    assert target.accounts[USER][account]["active"] is False


async def test_account_that_is_chosen_during_a_write_to_the_former_one_stays_linked(
    world: World, target: ModelTarget, context: Context
) -> None:
    await world.add_people([1])
    await world.sync()
    chosen = target.add({"userName": "other@contoso.com", "active": True})
    await world.change([1], surname="New")

    async with writing(world, target):
        await links.choose_link(context, "model", upn(1), chosen)

    assert await world.rows(LINKS) == [(chosen, False)]
    assert target.people()[upn(1)]["name.familyName"] == "New"


async def test_link_that_is_forgotten_during_a_write_is_not_recorded_again(
    world: World, target: ModelTarget, context: Context
) -> None:
    await world.add_people([1])
    await world.sync()
    await world.unassign([1])

    async with writing(world, target):
        await links.forget_link(context, "model", upn(1))

    assert await world.rows(LINKS) == []
    assert await world.rows("select state from operation where state in ('planned', 'ambiguous')") == []


async def test_link_that_is_forgotten_while_the_end_of_a_write_is_unknown_is_not_made_again(
    pool: Pool, target: ModelTarget
) -> None:
    lossy = Lossy(target)
    world = await make_world(pool, lossy)  # type: ignore[arg-type]
    await world.add_people([1])
    await world.sync()
    lossy.loses = lambda verb, key: "after" if verb == "update" else ""
    await world.unassign([1])
    await crash(world, lossy, waiting=1)
    async with pool.connection() as connection:
        await remove_links(connection, world.job, [("User", person_id(1))])

    await settle(world)

    assert await world.rows(LINKS) == []


async def test_person_whose_account_is_written_during_a_restart_that_forgets_links_is_matched_again(
    world: World, target: ModelTarget, context: Context
) -> None:
    await world.add_people([1])
    await world.sync()
    ((former, _),) = await world.rows(LINKS)
    await world.change([1], surname="New")

    async with writing(world, target):
        await provisioning.restart(context, "model", [ResetScope.CONNECTOR_DATA_STORE])
        target.accounts[USER][former]["userName"] = "somebody@contoso.com"
        theirs = target.add({"userName": upn(1), "active": True})

    assert await world.rows(LINKS) == [(theirs, False)]
