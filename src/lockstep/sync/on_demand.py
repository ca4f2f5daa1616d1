"""Provision objects now, by name: the same plan and the same way as the drain, in front of everybody else; and preview them.

A preview gets a reader only. A push reads the account first, so that it says what is true and not what we remember.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.engine.records import ObjectKind
from lockstep.ports import TargetReader
from lockstep.storage import cycles, dirty
from lockstep.storage.dirty import Claim
from lockstep.sync import outcomes
from lockstep.sync.outcomes import Outcome
from lockstep.sync.pipeline import Pipeline
from lockstep.sync.planner import Planned, load, plan_one, prepare_one
from lockstep.sync.services import Job, Services
from lockstep.sync.slices import plan_slice
from lockstep.sync.unique_values import ImaginedClaims

ROUNDS = 4  # an answer that needs another look is looked at again, so often
BUSY_WAIT_SECONDS = 0.2
SLICE = 50


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one object. *record* is its log record; empty where the object could not be worked on (*problem*)."""

    source_id: str
    counted: str
    record: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


async def push(
    services: Services,
    job: Job,
    kind: ObjectKind,
    ids: Sequence[str],
    *,
    initiated_by: str,
    busy_seconds: float = 15.0,
) -> list[Pushed]:
    """Provision *ids* now and wait for it; works for a job that is paused or not started, too.

    Raises LockstepError when there are no credentials.
    """
    results: dict[str, Pushed] = {}

    def note(outcome: Outcome) -> None:
        error = (outcome.postponed or {}).get("last_error") or {}
        if outcome.counted or not outcomes.is_undecided(outcome):
            problem = str(error.get("reason", "")) if not outcome.log else ""
            results[outcome.claim.source_id] = Pushed(
                outcome.claim.source_id, outcome.counted, outcome.log or {}, problem
            )

    async with services.pool.connection() as connection:
        cycle = await cycles.open_on_demand(connection, job.id)
    try:
        async with services.target(job) as (target, settings):
            pipeline = Pipeline(services, job, target, settings, initiated_by=initiated_by, on_recorded=note)
            conveyor = asyncio.create_task(pipeline.run(), name=f"push {job.id}")
            try:
                for start in range(0, len(ids), SLICE):
                    part = ids[start : start + SLICE]
                    await _push_part(services, job, pipeline, conveyor, kind, part, results, cycle, busy_seconds)
            finally:
                conveyor.cancel()
                await asyncio.gather(conveyor, return_exceptions=True)
    finally:
        async with services.pool.connection() as connection:
            await cycles.close_on_demand(connection, cycle)
    busy = "Another worker is at this object; try again in a moment."
    return [results.get(one, Pushed(one, "", problem=busy)) for one in ids]


async def _push_part(
    services: Services,
    job: Job,
    pipeline: Pipeline,
    conveyor: asyncio.Task[None],
    kind: ObjectKind,
    ids: Sequence[str],
    results: Mapping[str, Pushed],
    cycle: int,
    busy_seconds: float,
) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + busy_seconds
    rounds = 0
    while (missing := [one for one in ids if one not in results]) and rounds < ROUNDS and loop.time() < give_up_at:
        claimed_at = loop.time()
        claims = await _claim(services, job, pipeline, kind, missing, cycle)
        if not claims:
            await asyncio.sleep(BUSY_WAIT_SECONDS)
            continue
        rounds += 1
        pipeline.admit(claims, claimed_at=claimed_at)
        await plan_slice(services, job, pipeline, claims)
        await _recorded(pipeline, conveyor)


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
    """Wait until all is recorded; raises what stopped the pipeline."""
    while pipeline.in_flight:
        pipeline.changed.clear()
        changed = asyncio.create_task(pipeline.changed.wait())
        await asyncio.wait((changed, conveyor), return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
        if conveyor.done():
            conveyor.result()


async def preview(
    services: Services, job: Job, kind: ObjectKind, ids: Sequence[str], reader: TargetReader
) -> list[Planned]:
    """What would be done to *ids*, and why. Nothing is written, here or there."""
    moment = services.moment()
    async with services.pool.connection() as connection:
        known = await load(connection, job, kind, ids)
    prepared = [prepare_one(known, job, one, moment, look=True) for one in ids if one in known.objects]
    claims = ImaginedClaims(services.pool, job.id)
    return [await plan_one(services.pool, job, one, reader, claims=claims) for one in prepared]
