"""The guards at work: count what they limit, in the database and in this drain, and hold what goes beyond.

The database knows what every worker has journalled; what this drain let through and has not journalled yet is added to that.
"""

from __future__ import annotations

import time
from dataclasses import replace

from lockstep.engine.safeguards import Counts, Tally, hold_or_release
from lockstep.postgres.pool import Pool
from lockstep.storage import operations
from lockstep.storage.dirty import Claim
from lockstep.sync.planner import Planned
from lockstep.sync.sending import is_approved
from lockstep.sync.services import Job

FRESH_SECONDS = 5.0


class Guard:
    """One drain's guard."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._counts = Counts()
        self._read_at = -FRESH_SECONDS
        self._cycle: int | None = None

    async def pass_or_hold(self, job: Job, claim: Claim, planned: Planned) -> Planned:
        """*planned*, or the same held for approval. Costs nothing for a plan that no guard looks at."""
        plan = planned.plan
        if not (plan.action.is_destructive or (plan.action.writes and (plan.grants or plan.empties))):
            return planned
        await self._refresh(job, claim.cycle)
        checked = hold_or_release(plan, self._counts, job.configuration, approved=is_approved(claim))
        self._counts = self._counts.with_plan(checked)
        return planned if checked is plan else replace(planned, plan=checked)

    async def _refresh(self, job: Job, cycle: int | None) -> None:
        if cycle == self._cycle and time.monotonic() - self._read_at < FRESH_SECONDS:
            return
        async with self._pool.connection() as connection:
            read = await operations.guarded_counts(connection, job.id, cycle=cycle)
        ours = self._counts
        self._counts = Counts(
            _larger(read.cycle, ours.cycle) if cycle == self._cycle else read.cycle,
            _larger(read.hour, ours.hour),
            _larger(read.day, ours.day),
            read.live_links,
        )
        self._cycle, self._read_at = cycle, time.monotonic()


def _larger(one: Tally, other: Tally) -> Tally:
    return Tally(
        max(one.destructive, other.destructive), max(one.grants, other.grants), max(one.empties, other.empties)
    )
