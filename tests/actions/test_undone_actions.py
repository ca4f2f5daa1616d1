"""An action that PostgreSQL rolls back because of a deadlock is run again, and its caller notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import psycopg
import pytest

from lockstep.actions import groups
from lockstep.actions.access import ACTIONS, CHECKED, needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.undone import TRIES
from tests.support.hub import Hub
from tests.support.waiting import until

Steps = Callable[[Context], Coroutine[Any, Any, str]]


@pytest.fixture
async def as_action(hub: Hub) -> AsyncIterator[Callable[[Steps], Steps]]:
    """Make an action of a function, until the test ends. There are two groups, a and b, for it to lock."""
    for name in ("a", "b"):
        await groups.create_group(hub.context, name)
    known, checked = dict(ACTIONS), dict(CHECKED)
    yield needs(Permission.DIRECTORY_READ)
    for actions, before in ((ACTIONS, known), (CHECKED, checked)):
        actions.clear()
        actions.update(before)  # type: ignore[arg-type]


async def lock(connection: psycopg.AsyncConnection[object], name: str) -> None:
    await connection.execute("select from grp where display_name = %s for update", (name,))


async def run_into_a_deadlock(hub: Hub, action: Steps) -> list[str]:
    """Run *action*, which locks b and then a, against a transaction that has locked a and now locks b. PostgreSQL rolls back the action,
    because it has waited longer. Returns the result of each run: there are more if the machine paused and the other transaction had waited
    longer.
    """
    results = []
    while True:
        try:
            async with hub.pool.connection() as other, other.transaction():
                await lock(other, "a")
                task = asyncio.create_task(action(hub.context))
                await until(lambda: waits_for_a_lock(hub))
                await lock(other, "b")
        except psycopg.errors.DeadlockDetected:
            results.append(await task)
        else:
            return [*results, await task]


async def waits_for_a_lock(hub: Hub) -> bool:
    return (
        await hub.fetch(
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        != []
    )


async def lock_both(context: Context) -> str:
    async with context.changing() as edit:
        await audit(edit, "Lock both", "groups")
        await lock(edit.connection, "b")
        await lock(edit.connection, "a")
    return "done"


async def lock_both_after_a_commit(context: Context) -> str:
    async with context.recording() as connection:
        await connection.execute("select 1")
    return await lock_both(context)


async def lock_both_together(context: Context) -> str:
    async with context.together() as shared:
        return await needs(Permission.DIRECTORY_READ)(lock_both)(shared)


async def entries(hub: Hub) -> int:
    return len(await hub.fetch("select 1 from audit_log where activity = 'Lock both'"))


@pytest.mark.parametrize("action", [lock_both, lock_both_together])
async def test_action_that_a_deadlock_undid_is_run_again(
    hub: Hub, as_action: Callable[[Steps], Steps], action: Steps
) -> None:
    results = await run_into_a_deadlock(hub, as_action(action))

    assert set(results) == {"done"}
    assert await entries(hub) == len(results)


async def test_action_with_a_committed_step_is_not_run_again(hub: Hub, as_action: Callable[[Steps], Steps]) -> None:
    with pytest.raises(LockstepError) as refused:
        await run_into_a_deadlock(hub, as_action(lock_both_after_a_commit))

    assert (refused.value.kind, refused.value.next_step) == (Kind.CONFLICT, "Do it again")
    assert "after 1 of its steps" in refused.value.why


async def test_action_that_is_undone_every_time_says_so(hub: Hub, as_action: Callable[[Steps], Steps]) -> None:
    tries = 0

    async def undone(_: Context) -> str:
        nonlocal tries
        tries += 1
        raise psycopg.errors.DeadlockDetected

    with pytest.raises(LockstepError) as refused:
        await as_action(undone)(hub.context)

    assert (tries, refused.value.kind) == (TRIES, Kind.CONFLICT)
    assert "steps" not in refused.value.why
