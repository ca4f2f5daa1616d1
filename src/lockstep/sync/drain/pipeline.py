"""The pipeline of one drain: read and write concurrently, journal every write before it is sent, record outcomes in batches.

A write is sent only if it is in the journal and its lease ends after the deadline for the response. Claiming stops when too many objects
are `in_flight`, which limits the use of memory.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import psycopg
import structlog

from lockstep.engine.decisions.patience import RequestKind
from lockstep.engine.records import Action
from lockstep.http.deadline import deadline
from lockstep.ports import Answer, Target, TargetSettings
from lockstep.postgres.ids import new_id
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import SettledOperation
from lockstep.storage.target_state import TargetState
from lockstep.sync import application_health
from lockstep.sync.drain import answers, conflicts, members, pinning, sending, settled_outcomes
from lockstep.sync.drain.guarding import NOTHING_DECIDED, Decisions, Guard
from lockstep.sync.drain.leases import Leases
from lockstep.sync.drain.looks import Unreadable, look
from lockstep.sync.drain.sharing import Sharing
from lockstep.sync.drain.transactions import TAKEN, journal_batch, record_batch
from lockstep.sync.drain.work import Ahead, Batches, ClaimWork, Look, Members, Settle, WorkQueue, Write, asks
from lockstep.sync.outcome import giving_back, outcomes
from lockstep.sync.outcome.outcomes import Outcome
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

MOST_JOURNALLED, MOST_RECORDED = 256, 128  # in one transaction
PLANNING_SECONDS = 0.25  # how long a write may wait to be journalled with its slice; no wait once the slice is planned
BATCH_SECONDS = 0.1  # how long an outcome may wait to be recorded with others; no wait if no other object is undecided
DATABASE_TROUBLE = (psycopg.Error, OSError)  # not the fault of an object: the drain ends and the sweep starts another
SHORT_WAIT_SECONDS = 2.0  # wait this long for the application; for longer pauses, objects are released


class Pipeline:
    """The objects of one drain that are being processed."""

    def __init__(
        self,
        services: Services,
        job: Job,
        target: Target,
        settings: TargetSettings,
        *,
        initiated_by: str = "system",
        on_recorded: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self.initiated_by = initiated_by
        self._on_recorded = on_recorded
        self.services = services
        self.job = job
        self.target = target
        self.settings = settings
        self.lease_seconds = settings.deadline_seconds + services.times.lease_margin_seconds
        self.in_flight: dict[int, Claim] = {}
        self.changed = asyncio.Event()  # set when an outcome is recorded, or when claiming must stop
        self.stop_claiming = ""  # why claiming stopped, or ""
        self._leases = Leases(services, job.id, self.lease_seconds)
        self.ahead = Ahead(settings.concurrency)
        self._undecided: set[int] = set()  # attempts in flight whose outcome is not known yet
        self._reports = application_health.Reports(services, job)
        self._guard = Guard(services)
        self._decisions: dict[int, Decisions] = {}  # by attempt
        self._turns = services.turns(job)
        self._sharing = Sharing(target, settings.concurrency)
        self._queue = WorkQueue()
        self._journal: Batches[Write] = Batches(most=MOST_JOURNALLED, wait_seconds=PLANNING_SECONDS)
        self._records: Batches[Outcome] = Batches(most=MOST_RECORDED, wait_seconds=BATCH_SECONDS)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._leases.keep(), name="leases")
            group.create_task(self._journal_writes(), name="journal")
            group.create_task(self._record_outcomes(), name="records")
            for number in range(self.settings.concurrency):
                group.create_task(self._serve(), name=f"sender {number}")

    def admit(self, claims: Iterable[Claim], *, claimed_at: float) -> None:
        """Add claimed objects. *claimed_at* is monotonic time, read before the claim."""
        self._guard.new_slice()
        for claim in claims:
            self.in_flight[claim.attempt] = claim
            self._leases.add(claim.attempt, since=claimed_at)
            self._undecided.add(claim.attempt)

    def room(self) -> int:
        """Return how many more objects may be admitted now."""
        return self.ahead.room(undecided=len(self._undecided), in_flight=len(self.in_flight))

    def note_decisions(self, claim: Claim, decisions: Decisions) -> None:
        """Remember the decisions about an object: a write that is held, approved but not sent yet, or rejected."""
        self._decisions[claim.attempt] = decisions

    def look(self, work: Look | Settle) -> None:
        self._queue.put(work)

    def write(self, work: Write) -> None:
        self._journal.put(work)

    def done(self, outcome: Outcome) -> None:
        self._undecided.discard(outcome.claim.attempt)
        outcome = settled_outcomes.with_settled_before(outcome)
        if outcome.claim.attempt in self._decisions and outcome.is_done and not outcome.stays_rejected:
            outcome = replace(outcome, ends_decisions=True)
        self._records.put(outcome)
        if not self._undecided:
            self._records.hurry()
        if self.room() >= self.ahead.smallest_slice:
            self.changed.set()

    @property
    def seconds_to_wait(self) -> float:
        """The number of seconds during which no request may be sent to the application."""
        return self._turns.quiet_seconds

    async def _serve(self) -> None:
        while True:
            work = await self._queue.get()
            if work.claim.attempt not in self.in_flight:
                continue
            await self._turns.wait()
            if not await self._may_send(work):
                continue
            if isinstance(work, Write):
                if works := await self._with_others(work):
                    await self._send(works)
            elif isinstance(work, Look | Settle):
                await self._look(work)
            else:
                await self._sync_members(work)

    async def _may_send(self, work: ClaimWork) -> bool:
        """Whether the request may be sent now. Waits if the pause is short; otherwise releases the object."""
        if 0 < self.seconds_to_wait <= SHORT_WAIT_SECONDS:
            await asyncio.sleep(self.seconds_to_wait)
        is_lease_long_enough = self._leases.seconds_left(work.claim.attempt) > self.settings.deadline_seconds
        is_stopping = self.stop_claiming or self.services.stopping.is_set()
        if is_lease_long_enough and not is_stopping and not self.seconds_to_wait:
            return True
        settled = (SettledOperation(work.operation_id, "dropped"),) if isinstance(work, Write) else ()
        due = self.services.now() + timedelta(seconds=self.seconds_to_wait) if self.seconds_to_wait else None
        self.done(giving_back.not_sent(work.claim, due=due, settled=settled))
        return False

    async def _with_others(self, work: Write) -> list[Write]:
        """Return *work* and the writes to send in the same request. At the end, check again whether each write may still be sent, because
        time has passed if the application was asked for its bulk limits.
        """
        with deadline(self.settings.deadline_seconds):
            works = await self._sharing.with_others(work, self._queue, self.job.configuration.limits)
        return [one for one in works if one.claim.attempt in self.in_flight and await self._may_send(one)]

    async def _send(self, works: Sequence[Write]) -> None:
        began = time.monotonic()
        with deadline(self.settings.deadline_seconds):
            found = await sending.send_all(self.target, works)
        seconds = time.monotonic() - began
        self.ahead.note(seconds / len(works))
        self._sharing.note(len(works), seconds)
        for work, answer in zip(works, found, strict=True):
            await self._sent(work, answer, seconds)
        await self._notice(application_health.most_telling(found), asks(works[0]))

    async def _sent(self, work: Write, answer: Answer, seconds: float) -> None:
        rival = None
        if conflicts.is_lasting(work, answer):
            with deadline(self.settings.deadline_seconds):
                rival = await conflicts.rival_of(self.services, self.job, work, self.target)
        moment, wait = self.services.moment(), self.services.times.ambiguous_wait
        outcome = answers.outcome_of(
            work, answer, moment=moment, seconds=seconds, wait=wait, initiated_by=self.initiated_by, rival=rival
        )
        self.done(settled_outcomes.with_next_steps(outcome, work.planned, moment, wait))

    async def _sync_members(self, work: Members) -> None:
        chunk = self.job.configuration.limits.members_per_patch or members.CHUNK
        run = members.MemberSync(
            self.services, self.job, self.target, work.claim, work.planned, self.initiated_by,
            chunk=chunk, must_give_way=lambda: self._queue.holds_before(work.claim.lane),
        )  # fmt: skip
        outcome, answer = await run.outcome()
        self.done(outcome)
        if run.result.added or run.result.removed:
            await self._reports.answered(RequestKind.MEMBERS)
        if answer is not None:
            await self._notice(answer, RequestKind.MEMBERS)

    async def _look(self, work: Look | Settle) -> None:
        try:
            with deadline(self.settings.deadline_seconds):
                found = await look(self.services, self.job, work, self.target, initiated_by=self.initiated_by)
        except DATABASE_TROUBLE:
            raise
        except Exception:
            self.fault(work.claim)
            return
        if isinstance(found, Unreadable):
            self.done(found.outcome)
            await self._notice(found.answer, asks(work))
            return
        await self._reports.answered(asks(work))
        if isinstance(found, Outcome):
            self.done(found)
        else:
            await self.sort_out(work.claim, found)
            self.no_more_writes()

    def no_more_writes(self) -> None:
        """Journal the planned writes at once instead of waiting for more, because no further writes are expected soon."""
        self._journal.hurry()

    async def sort_out(self, claim: Claim, planned: PlanResult) -> None:
        """Check a plan against an applied preview and the guards. Then journal a write, compare members, wait or record the outcome."""
        if (left := pinning.left(claim, planned)) is not None:
            self.done(left)
            return
        decisions = self._decisions.get(claim.attempt, NOTHING_DECIDED)
        planned = await self._guard.pass_or_hold(self.job, claim, planned, decisions)
        if planned.plan.action is Action.NONE and planned.has_members:
            self._queue.put(Members(claim, planned))
        elif planned.plan.action.writes:
            self.write(Write(claim, planned, new_id()))
        elif sending.waits_for_another(claim, planned):
            self._look_again_soon(claim, planned, planned.plan.reason.text)
        else:
            moment = self.services.moment()
            outcome = sending.planned_now(
                claim, planned, moment=moment, change_id=new_id(), initiated_by=self.initiated_by
            )
            if planned.has_members and outcome.is_done:
                outcome = outcomes.with_members_due(outcome)
            self.done(outcome)

    def fault(self, claim: Claim) -> None:
        """Put an object on the retry list after an internal error in its processing. The other objects continue."""
        log.error("object_fault", kind=claim.kind, object=claim.source_id, trace=traceback.format_exc())
        self.done(outcomes.refused(claim, None, answers.INTERNAL_ERROR, moment=self.services.moment()))

    async def _notice(self, answer: Answer, asked: RequestKind) -> None:
        """React to what a response says about the application as a whole, not about the single object."""
        if stop := await self._reports.notice(answer, asked):
            self.stop_claiming = stop
            self.changed.set()

    async def _journal_writes(self) -> None:
        while True:
            batch = await self._journal.take()
            found = await journal_batch(self.services, self.job, batch, self._guard, self._turns.learn)
            self._guard.note_journalled(one.claim for one in batch if one.operation_id in found.journalled)
            self._guard.forget(one.claim for one in batch if one.operation_id not in found.journalled)
            for write in batch:
                if write.operation_id in found.journalled:
                    self._queue.put(write)
                elif write.operation_id in found.too_late:
                    self._look_again_soon(write.claim, write.planned, TAKEN)
                elif write.operation_id in found.to_judge:
                    await self.sort_out(write.claim, write.planned)
                else:  # another worker has taken the object over
                    self._forget([write.claim])
            self.no_more_writes()

    def _look_again_soon(self, claim: Claim, planned: PlanResult, reason: str) -> None:
        """Plan the object again soon. Another object took the account first, and the outcome of that object will be recorded by then."""
        requests, moment = planned.requests, self.services.moment()
        self.done(giving_back.after_rival(claim, planned, reason, moment=moment, requests=requests))

    async def _record_outcomes(self) -> None:
        while True:
            batch = await self._records.take()
            for outcome in await record_batch(self.services, self.job, batch, self._learn):
                self._on_recorded(outcome)
            self._forget([one.claim for one in batch])

    def _learn(self, state: TargetState, asked_at: float) -> None:
        self._turns.learn(state, asked_at)
        self._reports.learn(state)

    def _forget(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            self.in_flight.pop(claim.attempt, None)
            self._undecided.discard(claim.attempt)
            self._decisions.pop(claim.attempt, None)
            self._leases.drop(claim.attempt)
        self.changed.set()
