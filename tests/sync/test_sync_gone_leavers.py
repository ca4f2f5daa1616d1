"""A leaver's account that the application does not show is disabled once it shows it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lockstep.ports import Verdict
from tests.support.crashes import purge, set_deleted, set_enabled, settle
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, World, until, upn


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
