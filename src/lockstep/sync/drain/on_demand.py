"""Provision or preview named objects now. Provisioning uses the same plan and pipeline as the drain, but these objects come before all
others.

A preview gets only a reader, so it cannot write. Provisioning on demand reads the account first, so that it reports the actual state and
not the recorded one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.steps import decision_step, import_step, scoping_step
from lockstep.engine.moment import Moment
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action, ObjectKind, Reason
from lockstep.ports import TargetReader
from lockstep.storage import cycles, dirty
from lockstep.storage.dirty import Claim
from lockstep.storage.log_record import LogRecord
from lockstep.sync.drain.pipeline import Pipeline
from lockstep.sync.drain.settling import MAYBE_CREATED, Settlement, settle
from lockstep.sync.drain.slices import plan_slice
from lockstep.sync.outcome.outcomes import Outcome
from lockstep.sync.planning.ownership import StoredOwnership
from lockstep.sync.planning.planner import (
    CountingReader,
    Ownership,
    PlanResult,
    SliceFacts,
    load,
    plan_one,
    prepare_one,
)
from lockstep.sync.planning.unique_values import ImaginedClaims
from lockstep.sync.services import Job, Services

ROUNDS = 4  # how often an object is tried if its outcome stays undecided
BUSY_WAIT_SECONDS = 0.2
SLICE = 50


@dataclass(frozen=True, slots=True)
class PushResult:
    """The result for one object. *record* is its log record, or None if nothing changed or if a *problem* prevented planning."""

    source_id: str
    counted: str
    record: LogRecord | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PendingObject:
    """The reason why one object must be evaluated again, and the time when it is due. If *due* is None, it is due at once."""

    reason: str
    due: datetime | None

    @classmethod
    def of(cls, outcome: Outcome) -> PendingObject:
        postponed = outcome.postponed
        due = postponed.not_before if postponed is not None else None
        return cls(_reason(outcome), due if isinstance(due, datetime) else None)


def _reason(outcome: Outcome) -> str:
    """Return the reason why the object keeps its dirty row, or "" if its processing is complete."""
    error = outcome.postponed.error if outcome.postponed is not None else None
    return error.reason if error is not None else ""


async def push(
    services: Services,
    job: Job,
    kind: ObjectKind,
    ids: Sequence[str],
    *,
    initiated_by: str,
    busy_seconds: float = 15.0,
) -> list[PushResult]:
    """Provision *ids* now and wait for the results. This also works if the job is paused or not started.

    Raises LockstepError if there are no credentials.
    """
    results: dict[str, PushResult] = {}
    undecided: dict[str, PendingObject] = {}

    def note(outcome: Outcome) -> None:
        if not outcome.counted and outcome.is_undecided:
            undecided[outcome.claim.source_id] = PendingObject.of(outcome)
        if outcome.counted or not outcome.is_undecided:
            problem = _reason(outcome) if outcome.log is None else ""
            results[outcome.claim.source_id] = PushResult(
                outcome.claim.source_id, outcome.counted, outcome.log, problem
            )

    async with services.pool.connection() as connection:
        cycle = await cycles.open_on_demand(connection, job.id)
    try:
        target, settings = await services.open_target(job)
        pipeline = Pipeline(services, job, target, settings, initiated_by=initiated_by, on_recorded=note)
        conveyor = asyncio.create_task(pipeline.run(), name=f"push {job.id}")
        try:
            for start in range(0, len(ids), SLICE):
                part = ids[start : start + SLICE]
                await _push_part(services, job, pipeline, conveyor, kind, part, results, undecided, cycle, busy_seconds)
        finally:
            conveyor.cancel()
            await asyncio.gather(conveyor, return_exceptions=True)
    finally:
        async with services.pool.connection() as connection:
            await cycles.close_on_demand(connection, cycle)
    busy = "Another worker is processing this object; try again shortly."
    said = {one: last.reason for one, last in undecided.items()}
    return [results.get(one, PushResult(one, "", problem=said.get(one) or busy)) for one in ids]


async def _push_part(
    services: Services,
    job: Job,
    pipeline: Pipeline,
    conveyor: asyncio.Task[None],
    kind: ObjectKind,
    ids: Sequence[str],
    results: Mapping[str, PushResult],
    undecided: Mapping[str, PendingObject],
    cycle: int,
    busy_seconds: float,
) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + busy_seconds
    rounds = 0
    while (missing := [one for one in ids if one not in results]) and rounds < ROUNDS and loop.time() < give_up_at:
        if (wait := _seconds_until_due(missing, undecided, services.now())) > 0:
            if loop.time() + wait >= give_up_at:
                return  # the object is due only after the time limit, so leave it to the drain
            await asyncio.sleep(wait)
        claimed_at = loop.time()
        claims = await _claim(services, job, pipeline, kind, missing, cycle)
        if not claims:
            await asyncio.sleep(BUSY_WAIT_SECONDS)
            continue
        rounds += 1
        pipeline.admit(claims, claimed_at=claimed_at)
        await plan_slice(services, job, pipeline, claims)
        await _recorded(pipeline, conveyor)


def _seconds_until_due(ids: Sequence[str], undecided: Mapping[str, PendingObject], now: datetime) -> float:
    """Return the seconds until all undecided objects are due. A pause is not shortened, although a person is waiting for the result."""
    dues = [undecided[one].due for one in ids if one in undecided]
    latest = max((due for due in dues if due is not None), default=None)
    return (latest - now).total_seconds() if latest is not None else 0.0


async def _claim(
    services: Services, job: Job, pipeline: Pipeline, kind: ObjectKind, ids: Sequence[str], cycle: int
) -> list[Claim]:
    claims = []
    async with services.pool.connection() as connection:
        for one in ids:
            claim = await dirty.claim_one(
                connection,
                job.id,
                kind.value,
                one,
                owner=services.owner,
                lease_seconds=pipeline.lease_seconds,
                cycle=cycle,
            )
            if claim is not None:
                claims.append(claim)
    return claims


async def _recorded(pipeline: Pipeline, conveyor: asyncio.Task[None]) -> None:
    """Wait until all outcomes are recorded. Raises the error that stopped the pipeline."""
    while pipeline.in_flight:
        pipeline.changed.clear()
        changed = asyncio.create_task(pipeline.changed.wait())
        await asyncio.wait((changed, conveyor), return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
        if conveyor.done():
            conveyor.result()


async def preview(
    services: Services, job: Job, kind: ObjectKind, ids: Sequence[str], reader: TargetReader
) -> list[PlanResult]:
    """Return what would be done to *ids*, and why. Writes nothing, neither to the database nor to the application."""
    moment = services.moment()
    async with services.pool.connection() as connection:
        known = await load(connection, job, kind, ids)
    ownership = StoredOwnership(services.pool, job.id, ImaginedClaims(services.pool, job.id))
    return [
        await preview_one(services, job, known, one, moment, reader, ownership) for one in ids if one in known.objects
    ]


async def preview_one(
    services: Services,
    job: Job,
    known: SliceFacts,
    id: str,
    moment: Moment,
    reader: TargetReader,
    ownership: Ownership,
) -> PlanResult:
    """Plan one object by asking the application. If the object has open operations, first find out how they ended. Writes nothing."""
    prepared = prepare_one(known, job, id, moment, look=True)
    if unsettled := known.open_operations.get(id):
        settlement = await settle(services, job, prepared, unsettled, reader)
        if settlement.problem is not None or settlement.waits:
            return PlanResult(_not_settled(prepared, settlement), prepared, requests=settlement.requests)
        # Apply what was found out about unanswered requests before planning.
        known = replace(known, links={**known.links, **({id: settlement.link} if settlement.link else {})})
        prepared = prepare_one(known, job, id, moment, look=True)
    return await plan_one(prepared, CountingReader(reader), ownership)


def _not_settled(prepared: PreparedObject, settlement: Settlement) -> Plan:
    """Return a plan that refuses an object with open operations. The object is not planned until their outcomes are known."""
    problem = settlement.problem
    text = (
        problem.reason
        if problem is not None
        else f"The outcome of the previous request is unknown. {settlement.waits}."
    )
    step = problem.next_step if problem is not None else "Nothing to do: Lockstep checks again."
    obj, reason = prepared.obj, Reason(MAYBE_CREATED, text, {}, step)
    steps = (import_step(obj), scoping_step(prepared.scope), decision_step(Action.REFUSE, reason, ()))
    return Plan(Action.REFUSE, (reason,), kind=obj.kind, source_id=obj.id, display=obj.display, steps=steps)
