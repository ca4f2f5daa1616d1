"""The audit entry about a decision on held writes says exactly what was decided."""

from __future__ import annotations

import asyncio
import json

import pytest

from lockstep.actions import applications, provisioning
from lockstep.postgres.pool import transaction
from tests.support.hub import Hub, guid

WAITS = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
async def job(hub: Hub) -> str:
    return (await applications.add_application(hub.context, "documo")).job


async def hold(hub: Hub, job: str, name: str, cause: str) -> str:
    """Hold the disable of a person's account. Returns the id of the write."""
    error = {"guard": "TooManyDeletes", "message": "too many", "cause": cause, "display": name}
    await hub.fetch(
        "insert into dirty (job, kind, source_id, lane, reasons, not_before) values (%s, 'User', %s, 1, '{}', 'infinity')",
        job, guid(name),
    )  # fmt: skip
    made = await hub.fetch(
        "insert into operation (id, job, kind, source_id, target_id, action, state, error, attempt, planned_at) "
        "values (gen_random_uuid(), %s, 'User', %s, %s, 'disable', 'held', %s, 1, now()) returning id::text",
        job, guid(name), f"u_{name}", json.dumps(error),
    )  # fmt: skip
    return str(made[0][0])


async def logged(hub: Hub) -> object:
    """The newest decision in the audit log."""
    rows = await hub.fetch(
        "select after from audit_log where activity like '%% held %%' or activity like '%% rejected %%' order by seq"
    )
    return rows[-1][0]


async def test_audit_log_has_reasons_and_names_of_writes_whose_ids_are_in_upper_case(hub: Hub, job: str) -> None:
    anna, bo = await hold(hub, job, "anna", "unassigned"), await hold(hub, job, "bo", "disabled")

    await provisioning.reject_deletes(hub.context, "documo", [anna.upper()])
    rejected = await logged(hub)
    await provisioning.approve_rejected(hub.context, "documo", [anna.upper()])
    approved = await logged(hub)

    about_anna = {"count": 1, "reasons": {"unassigned": 1}, "names": ["anna"]}
    assert rejected == {"decision": "rejected", **about_anna}
    assert approved == {"decision": "approved", **about_anna}
    assert await hub.fetch("select id::text from operation where state = 'held'") == [(bo,)]


async def test_audit_log_names_a_write_that_is_held_while_the_decision_about_all_waits(hub: Hub, job: str) -> None:
    await hold(hub, job, "anna", "unassigned")

    async with transaction(hub.pool) as drain:
        await drain.execute("select from dirty for update")
        deciding = asyncio.create_task(provisioning.reject_deletes(hub.context, "documo"))
        async with asyncio.timeout(10):
            while (await hub.fetch(WAITS))[0][0] == 0:
                await asyncio.sleep(0.02)
        await hold(hub, job, "bo", "disabled")
    await deciding

    assert await logged(hub) == {
        "decision": "rejected",
        "count": 2,
        "reasons": {"unassigned": 1, "disabled": 1},
        "names": ["anna", "bo"],
    }
