"""If the application does not show a leaver's account, the account is disabled once it is shown again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lockstep.actions import explaining
from lockstep.actions.context import Context
from lockstep.ports import Verdict
from lockstep.storage import links
from tests.support.crashes import purge, rename, set_deleted, set_enabled, settle
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, World, person_id, upn
from tests.support.waiting import until


@contextmanager
def empty_tenant(target: ModelTarget) -> Iterator[None]:
    """The application answers for a tenant without accounts."""
    own = target.accounts[USER]
    target.accounts[USER] = {}
    yield
    target.accounts[USER] = own


async def active(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if values["active"] is True}


async def leave(world: World, how: str, number: int) -> None:
    match how:
        case "disabled":
            await set_enabled(world, [number], enabled=False)
        case "unassigned":
            await world.unassign([number])
        case "deleted":
            await set_deleted(world, [number])
        case "purged":
            await purge(world, [number])


async def reviews_come_due(world: World) -> None:
    await world.rows("update link set review_at = now() where review_at is not null returning 1")
    async with world.pool.connection() as connection:
        await links.mark_reviews_due(connection)
    await settle(world)


WAYS = ["disabled", "unassigned", "deleted", "purged"]


@pytest.mark.parametrize("how", WAYS)
async def test_leaver_loses_access_once_the_application_answers_for_the_right_tenant_again(
    world: World, target: ModelTarget, how: str
) -> None:
    await world.add_people([1, 2, 3])
    await world.sync()
    with empty_tenant(target):
        await leave(world, how, 1)
        draining = asyncio.create_task(world.drain())

        async def looked() -> bool:
            return draining.done() or target.requests["get"] >= 4

        await until(looked)
    await draining

    await settle(world)

    assert await active(target) == {upn(2), upn(3)}


@pytest.mark.parametrize("how", WAYS)
async def test_leaver_whose_account_comes_back_loses_access_when_it_is_looked_for_again(
    world: World, target: ModelTarget, how: str
) -> None:
    await world.add_people([1])
    await world.sync()
    with empty_tenant(target):
        await leave(world, how, 1)
        await settle(world)

    await reviews_come_due(world)

    assert await active(target) == set()


async def test_account_that_reads_find_is_never_taken_as_deleted(world: World, target: ModelTarget) -> None:
    await world.add_people([1, 2])
    await world.sync()
    target.before = lambda verb, key: answered(Verdict.DONE_ALREADY, status=404) if verb == "delete" else None
    await purge(world, [1])
    await settle(world)

    target.before = lambda verb, key: None
    await settle(world)

    assert set(target.people()) == {upn(2)}


async def test_empty_tenant_gets_no_new_accounts_for_those_that_are_missing(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "deletions": {"onLost": "recreate"}})
    await world.add_people([1, 2, 3])
    await world.sync()
    with empty_tenant(target):
        await world.change([1], surname="Other")
        draining = asyncio.create_task(world.drain())

        async def looked() -> bool:
            return draining.done() or target.requests["get"] >= 4

        await until(looked)
        assert target.people() == {}
    await draining

    await settle(world)

    assert target.people()[upn(1)]["name.familyName"] == "Other"
    assert target.requests["create"] == 3


async def ended_for_want_of_the_account(world: World, target: ModelTarget) -> None:
    """Person 1 has left while the application did not show the only account."""
    await world.add_people([1])
    await world.sync()
    with empty_tenant(target):
        await set_enabled(world, [1], enabled=False)
        await settle(world)


async def test_account_that_stays_away_is_looked_for_at_growing_intervals(world: World, target: ModelTarget) -> None:
    await ended_for_want_of_the_account(world, target)
    waits = []

    with empty_tenant(target):
        for _ in range(3):
            waits.append(await world.value("select round(extract(epoch from review_at - now()) / 3600)::int from link"))
            await world.rows("update link set gone_at = gone_at - (review_at - now()), review_at = now() returning 1")
            await reviews_come_due(world)

    assert waits == [1, 1, 2]
    assert await world.value("select state from link") == "tombstone"
    assert not await world.rows("select 1 from dirty")


async def test_restart_looks_for_accounts_that_are_gone(world: World, target: ModelTarget) -> None:
    await ended_for_want_of_the_account(world, target)

    await world.sync()

    assert await active(target) == set()
    assert await world.rows("select state, gone_at from link") == [("disabled", None)]


async def test_account_that_went_to_somebody_else_meanwhile_is_theirs(world: World, target: ModelTarget) -> None:
    await ended_for_want_of_the_account(world, target)
    await world.add_people([2], assigned=False)
    await rename(world, {1: "former@contoso.com", 2: upn(1)})
    await world.assign([2])
    await world.drain()

    await reviews_come_due(world)

    assert await active(target) == {upn(1)}
    assert await world.value("select source_id::text from link where state = 'live'") == person_id(2)


async def test_leaver_who_returns_gets_a_new_account_if_theirs_is_gone(world: World, target: ModelTarget) -> None:
    await ended_for_want_of_the_account(world, target)
    target.accounts[USER].clear()

    await set_enabled(world, [1], enabled=True)
    await settle(world)

    assert await active(target) == {upn(1)}
    assert await world.rows("select state, gone_at from link") == [("live", None)]


async def test_explanation_says_that_the_account_is_looked_for_again(
    context: Context, world: World, target: ModelTarget
) -> None:
    await ended_for_want_of_the_account(world, target)

    with empty_tenant(target):
        told = await explaining.explain_person(context, upn(1), "model")

    assert "Lockstep checks again later" in " ".join(reason.text for reason in told.plan.reasons)
