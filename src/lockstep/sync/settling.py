"""Settle operations that nobody knows the end of: look at the application, then plan from what it holds.

A create is looked for by the matching attributes, twice, because some applications show a new account only after a moment. Anything
else is read by its id. Only then may the object be written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lockstep.engine.records import Action
from lockstep.ports import TargetReader
from lockstep.postgres.pool import Pool
from lockstep.storage.batches import Row
from lockstep.storage.operations import OpenOperation
from lockstep.sync.outcomes import settled_row
from lockstep.sync.planner import Planned, plan_one
from lockstep.sync.services import Job
from lockstep.sync.unique_values import StoredClaims
from lockstep.sync.work import Look

SECOND_LOOK_SECONDS = 0.5


async def settle_by_looking(pool: Pool, job: Job, work: Look, reader: TargetReader) -> tuple[Planned, tuple[Row, ...]]:
    """Plan from what the application holds, and say how the open operations of the object ended.

    Raises TargetError when it cannot be read.
    """
    created = [one for one in work.unsettled if one.action == Action.CREATE]
    changed = len(created) < len(work.unsettled)
    claims = StoredClaims(pool, job.id)
    planned = await plan_one(pool, job, work.prepared, reader, look=work.look or changed, claims=claims)
    if created and planned.plan.action is Action.CREATE:
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        again = await plan_one(pool, job, work.prepared, reader, claims=claims)
        planned = Planned(again.plan, again.prepared, again.observed, planned.requests + again.requests)
    return planned, _ends(work.unsettled, planned)


def is_ours(work: Look, planned: Planned) -> bool:
    """Whether the account that was found, in step already, is the one that our own create has made."""
    return planned.plan.action is Action.LINK and any(one.action == Action.CREATE for one in work.unsettled)


def _ends(unsettled: Sequence[OpenOperation], planned: Planned) -> tuple[Row, ...]:
    """A create happened if its account is there now; a change or deletion if there is nothing left of it to do."""
    happened = {
        Action.CREATE.value: planned.plan.link_to is not None,
        Action.DELETE.value: planned.observed is None,
    }
    nothing_left = not planned.plan.action.writes
    target_id = planned.plan.link_to.id if planned.plan.link_to is not None else ""
    return tuple(
        settled_row(one.id, "confirmed" if happened.get(one.action, nothing_left) else "dropped", target_id=target_id)
        for one in unsettled
    )
