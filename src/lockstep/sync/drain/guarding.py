"""Apply the guards: count guarded effects in the database, in this drain and in its queue, and hold writes beyond a limit.

The database counts what all workers have journalled. Writes that this drain has let through but not yet journalled are added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from lockstep.engine.decisions.rejections import Rejection, hold_unapproved, keep_rejected
from lockstep.engine.decisions.safeguards import (
    Counts,
    Tally,
    hold_or_release,
    hold_undecided,
    tally_of,
)
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action, Lane
from lockstep.storage import operations
from lockstep.storage.dirty import Claim
from lockstep.storage.operations import GuardedWrite
from lockstep.sync.drain.foresight import Foresight, Queue
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Job, Services

FRESH_SECONDS = 5.0
RECENT_SECONDS = 20.0
COMMIT_TIME = timedelta(seconds=2)  # a write may be journalled this long after the time that the journal names


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions about one object: a held write, an approved write that was not sent yet, and a rejection that is in force."""

    held: GuardedWrite | None = None
    approved: GuardedWrite | None = None
    rejected: Rejection | None = None

    def __bool__(self) -> bool:
        return self != NOTHING_DECIDED


NOTHING_DECIDED = Decisions()


class Guard:
    """The guard of one drain."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ahead = Foresight(services)
        self._counts = Counts()
        # The effects of each object that are part of the counts, so that an object that is retried after an outage is not
        # counted twice.
        self._passed: dict[tuple[str, str], Tally] = {}
        self._new_accounts = 0  # new accounts that were let through and must still be added to the counts
        self._passed_at: dict[str, float] = {}  # the objects that this drain let through lately, oldest first
        self._read_at = -FRESH_SECONDS
        self._read_until = services.now()  # by the clock of the database
        self._cycle: int | None = None

    def new_slice(self) -> None:
        """Count the queue again, because more objects were claimed."""
        self._ahead.new_slice()

    async def pass_or_hold(
        self, job: Job, claim: Claim, planned: PlanResult, decisions: Decisions = NOTHING_DECIDED
    ) -> PlanResult:
        """Return *planned*, or the same plan held for approval. A plan that no guard checks needs no query."""
        plan = planned.plan
        if not (tally_of(plan) or plan.needs_approval):
            if plan.action is Action.CREATE:  # new privileged accounts are compared with all new accounts
                self._new_accounts += 1
                self._ahead.decided(plan, passed=True)
            return planned
        self._counts, self._new_accounts = self._counts.plus(Tally(creates=self._new_accounts)), 0
        await self._refresh(job, claim.cycle)
        key = (claim.kind, claim.source_id)
        self._counts = self._counts.without(self._passed.pop(key, Tally()))
        checked = await self._check(job, claim, planned, decisions)
        self._passed[key] = tally_of(checked)
        self._counts = self._counts.plus(self._passed[key])
        if self._passed[key] and not claim.is_approved:  # approved writes do not count
            self._passed_at.pop(claim.source_id, None)
            self._passed_at[claim.source_id] = time.monotonic()
        self._ahead.decided(plan, passed=checked is plan)
        return planned if checked is plan else replace(planned, plan=checked)

    async def _check(self, job: Job, claim: Claim, planned: PlanResult, decisions: Decisions) -> Plan:
        plan = planned.plan
        # A hold or a rejection that is in force now is newer than the approval.
        if claim.is_approved and decisions.held is None and decisions.rejected is None:
            return hold_unapproved(plan, decisions.approved.effects if decisions.approved else frozenset())
        if decisions.held is not None and (undecided := _undecided(decisions.held, plan)) is not None:
            return undecided
        if decisions.rejected is not None and not claim.is_on_demand:
            app = job.row.app_name
            if (kept := keep_rejected(plan, decisions.rejected, app=app)) is not None:
                return kept
        checked = hold_or_release(plan, self._counts, job.configuration)
        if checked.action is Action.HELD or claim.lane == Lane.ON_DEMAND.number:
            return checked
        if self._ahead.waiting(plan) is None:
            queue = Queue.behind(claim, planned.prepared)
            bound = replace(self._counts, waiting=await self._ahead.at_most(job, queue))
            if hold_or_release(plan, bound, job.configuration) is plan:
                return plan
            await self._ahead.read(job, queue, cycle=claim.cycle)
        waiting = self._ahead.waiting(plan) or Tally()
        return hold_or_release(plan, replace(self._counts, waiting=waiting), job.configuration)

    def _lately(self) -> list[str]:
        """Return the objects that this drain let through so recently that the last counts from the database may not include their
        writes.
        """
        oldest = time.monotonic() - RECENT_SECONDS
        while self._passed_at and next(iter(self._passed_at.values())) < oldest:
            self._passed_at.pop(next(iter(self._passed_at)))
        return list(self._passed_at)

    async def _refresh(self, job: Job, cycle: int | None) -> None:
        is_fresh = cycle == self._cycle and time.monotonic() - self._read_at < FRESH_SECONDS
        async with self._services.pool.connection() as connection:
            # Other drains count too: without this, each of several drains could let as much through as the limit allows.
            since = self._read_until - COMMIT_TIME
            if is_fresh and not await operations.has_guarded_since(connection, job.id, since, besides=self._lately()):
                return
            began = self._services.now()
            read = await operations.guarded_counts(connection, job.id, cycle=cycle)
        before = self._counts
        self._counts = Counts(
            read.cycle.larger(before.cycle) if cycle == self._cycle else read.cycle,
            read.hour.larger(before.hour),
            read.day.larger(before.day),
            read.live_links,
        )
        self._cycle, self._read_at, self._read_until = cycle, time.monotonic(), began


def _undecided(held_before: GuardedWrite, plan: Plan) -> Plan | None:
    """Return *plan* held by the same guard as before, if *held_before* is the same action and still waits for a decision; otherwise
    None.
    """
    if held_before.action is not plan.action:
        return None
    return hold_undecided(plan, held_before.guard, held_before.sentence, held_before.details)
