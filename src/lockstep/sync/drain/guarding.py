"""Apply the guards: count guarded effects in the database, in this drain and in its queue, and hold writes beyond a limit.

The database counts what all workers have journalled. Writes that this drain has let through but not yet journalled are added. Several
workers may let writes through at the same moment. A write is therefore journalled only if no other worker has journalled guarded writes
since the count; otherwise the write is judged again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

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
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import guarded_writes
from lockstep.storage.dirty import Claim
from lockstep.storage.operations import HeldPlan
from lockstep.sync.drain.foresight import Foresight, Queue
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Job, Services

FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions about one object: a held write, an approved write that was not sent yet, and a rejection that is in force."""

    held: HeldPlan | None = None
    approved: HeldPlan | None = None
    rejected: Rejection | None = None

    def __bool__(self) -> bool:
        return self != NOTHING_DECIDED


NOTHING_DECIDED = Decisions()


@dataclass(slots=True)
class LetThrough:
    """A write that this drain has let through. Once it is journalled, the next count in the database includes it."""

    object: tuple[str, str]
    cycle: int | None
    tally: Tally
    counted_at: datetime | None  # by the clock of the database: later writes of others were not counted
    is_journalled: bool = False


class Guard:
    """The guard of one drain."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ahead = Foresight(services)
        self._counts = Counts()
        # By attempt: effects that the last count in the database did not include.
        self._let_through: dict[int, LetThrough] = {}
        self._new_accounts = 0  # new accounts that were let through and must still be added to the counts
        self._read_at = -FRESH_SECONDS
        self._read_until: datetime | None = None  # by the clock of the database
        self._cycle: int | None = None
        self._is_ahead_outdated = False  # whether other workers have journalled some of what was planned ahead
        self._one_at_a_time = asyncio.Lock()  # each plan is judged after the previous one was counted

    def new_slice(self) -> None:
        """Count the queue again, because more objects were claimed."""
        self._ahead.new_slice()

    async def pass_or_hold(
        self, job: Job, claim: Claim, planned: PlanResult, decisions: Decisions = NOTHING_DECIDED
    ) -> PlanResult:
        """Return *planned* unchanged, or replace its plan: by one that is held for approval, or by one that sends nothing because an
        administrator rejected the write. A plan that no guard checks needs no query.
        """
        plan = planned.plan
        if not (tally_of(plan) or plan.needs_approval):
            if plan.action is Action.CREATE:  # new privileged accounts are compared with all new accounts
                self._new_accounts += 1
                self._ahead.decided(plan, passed=True)
            return planned
        async with self._one_at_a_time:
            self._counts, self._new_accounts = self._counts.plus(Tally(creates=self._new_accounts)), 0
            self._forget_earlier(claim)
            await self._refresh(job, claim.cycle)
            checked = await self._check(job, claim, planned, decisions)
            tally = tally_of(checked)
            if tally and not claim.is_approved:  # approved writes do not count
                of = (claim.kind, claim.source_id)
                self._let_through[claim.attempt] = LetThrough(of, claim.cycle, tally, self._read_until)
                self._counts = self._counts.plus(tally)
        self._ahead.decided(plan, passed=checked is plan)
        return planned if checked is plan else replace(planned, plan=checked)

    async def outdated(self, connection: Connection, job: Job, attempts: Iterable[int]) -> frozenset[int]:
        """Return the attempts in *attempts* whose writes must be judged again, because other workers have journalled guarded writes that
        were not counted. Call this under the lock for the journal.
        """
        counted = {one: self._let_through[one].counted_at for one in attempts if one in self._let_through}
        oldest = min((at for at in counted.values() if at is not None), default=None)
        return (
            frozenset(counted)
            if oldest is not None and await self._have_others(connection, job, oldest)
            else frozenset()
        )

    async def _have_others(self, connection: Connection, job: Job, since: datetime) -> bool:
        return await guarded_writes.has_guarded_since(connection, job.id, since, besides=self._let_through)

    def note_journalled(self, claims: Iterable[Claim]) -> None:
        """Note that the writes of *claims* are now in the journal. The next count of the journal therefore includes these writes."""
        for claim in claims:
            if claim.attempt in self._let_through:
                self._let_through[claim.attempt].is_journalled = True

    def forget(self, claims: Iterable[Claim]) -> None:
        """Stop counting the writes of *claims*, because these writes were not journalled."""
        for claim in claims:
            gone = self._let_through.pop(claim.attempt, None)
            if gone is not None:
                self._counts = self._counts.without(gone.tally)

    def _forget_earlier(self, claim: Claim) -> None:
        """Stop counting earlier writes of the object, so that an object that is tried again after an outage is counted only once."""
        earlier = [key for key, one in self._let_through.items() if one.object == (claim.kind, claim.source_id)]
        for attempt in earlier:
            self._counts = self._counts.without(self._let_through.pop(attempt).tally)

    async def _check(self, job: Job, claim: Claim, planned: PlanResult, decisions: Decisions) -> Plan:
        plan = planned.plan
        # A hold or a rejection that is in force now is newer than the approval.
        if claim.is_approved and decisions.held is None and decisions.rejected is None:
            return hold_unapproved(plan, decisions.approved.effects if decisions.approved else frozenset())
        if decisions.held is not None and (undecided := still_undecided(decisions.held, plan)) is not None:
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
        checked = self._with_those_behind(job, plan)
        if checked is plan or not self._is_ahead_outdated:
            return checked
        await self._look_ahead_again(job, Queue.behind(claim, planned.prepared), claim.cycle)
        return self._with_those_behind(job, plan)

    def _with_those_behind(self, job: Job, plan: Plan) -> Plan:
        waiting = self._ahead.waiting(plan) or Tally()
        return hold_or_release(plan, replace(self._counts, waiting=waiting), job.configuration)

    async def _look_ahead_again(self, job: Job, queue: Queue, cycle: int | None) -> None:
        """Plan the queue ahead once more. Otherwise, a write that another worker has journalled since the queue was planned would count
        twice.
        """
        self._ahead, self._is_ahead_outdated = Foresight(self._services), False
        await self._ahead.read(job, queue, cycle=cycle)
        for one in self._let_through.values():
            self._ahead.leaves(*one.object, one.tally)

    async def _refresh(self, job: Job, cycle: int | None) -> None:
        is_fresh = cycle == self._cycle and time.monotonic() - self._read_at < FRESH_SECONDS
        async with transaction(self._services.pool) as connection:
            # Other drains count too: without this, each of several drains could let as much through as the limit allows.
            has_others = self._read_until is not None and await self._have_others(connection, job, self._read_until)
            if is_fresh and not has_others:
                return
            self._is_ahead_outdated |= has_others
            self._let_through = {key: one for key, one in self._let_through.items() if not one.is_journalled}
            until = await guarded_writes.lock_for_count(connection, job.id)
            read = await guarded_writes.guarded_counts(connection, job.id, cycle=cycle, besides=self._let_through)
        creates = self._counts.cycle.creates if cycle == self._cycle else 0
        self._counts = self._with_let_through(read, cycle).with_creates(
            cycle=creates, hour=self._counts.hour.creates, day=self._counts.day.creates
        )
        self._cycle, self._read_at, self._read_until = cycle, time.monotonic(), until

    def _with_let_through(self, read: Counts, cycle: int | None) -> Counts:
        """Return the sum of the counts in *read* and of the writes that were let through but are not journalled yet."""
        mine = sum((one.tally for one in self._let_through.values()), Tally())
        in_cycle = sum((one.tally for one in self._let_through.values() if one.cycle == cycle), Tally())
        return replace(read, cycle=read.cycle + in_cycle, hour=read.hour + mine, day=read.day + mine)


def still_undecided(held_before: HeldPlan, plan: Plan) -> Plan | None:
    """Return *plan*, held by the same guard as *held_before*. This keeps the object held until an administrator decides.

    Returns None if the two plans have different actions, or if *plan* no longer has an effect that this guard limits.
    """
    if held_before.action is not plan.action:
        return None
    return hold_undecided(plan, held_before.guard, held_before.sentence, held_before.details)
