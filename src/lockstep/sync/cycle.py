"""The cycle as a frame around the work: it is opened when there is some, prepared when it is initial, and closed when nothing is left.

What is done never depends on the frame; it counts, and the initial one marks everybody and reads the application's accounts by pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog

from lockstep.engine.quarantine import Health, QuarantineReason, decide_quarantine, gives_up, holds_everything
from lockstep.engine.records import Lane, ObjectKind
from lockstep.engine.rules import Scope
from lockstep.errors import LockstepError
from lockstep.ports import Answer, Target, TargetError, TargetReader, Verdict
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import cycles, dirty_marks, instance, jobs
from lockstep.storage.dirty import Claim
from lockstep.sync import health
from lockstep.sync.indexing import read_index
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

PREPARING = frozenset({"source", "scope", "match"})


@dataclass(frozen=True, slots=True)
class Frame:
    """What the running cycle, if there is one, says about claiming."""

    cycle: cycles.Cycle | None = None

    @property
    def needs_preparation(self) -> bool:
        return self.cycle is not None and self.cycle.kind == "initial" and self.cycle.phase in PREPARING

    @property
    def up_to_lane(self) -> int:
        """While the application's accounts are being read, leavers and on-demand runs go on; new accounts wait for the index."""
        return (Lane.ON_DEMAND if self.needs_preparation else Lane.RECONCILE).number


async def frame_of(connection: Connection, job: str) -> Frame:
    return Frame(await cycles.running_cycle(connection, job))


async def adopt(connection: Connection, job: Job, claims: Sequence[Claim]) -> list[Claim]:
    """Count claimed objects in the running cycle, opened if there is none."""
    new = [claim for claim in claims if claim.is_adopted]
    if not new:
        return list(claims)
    cycle, _ = await cycles.open_cycle(connection, job.id, "incremental")
    homeless = [claim.attempt for claim in new if claim.cycle is None]
    if homeless:
        await dirty_marks.set_cycle(connection, job.id, homeless, cycle=cycle.id)
    await cycles.count(connection, cycle.id, total=len(new))
    return [replace(claim, cycle=cycle.id) if claim.cycle is None else claim for claim in claims]


async def prepare(services: Services, job: Job, target: Target) -> bool:
    """Mark everybody and read the application's accounts, once for all workers. A crash in between begins the step again.

    False when it could not be done now: another worker is at it, or the application cannot be read.
    """
    async with services.pool.connection() as lock:
        cursor = await lock.execute("select pg_try_advisory_lock(hashtext(%s))", (f"prepare {job.id}",))
        row = await cursor.fetchone()
        if not (row and row[0]):
            return False  # another worker is at it
        try:
            return await _prepare(services, job, target)
        finally:
            await lock.execute("select pg_advisory_unlock(hashtext(%s))", (f"prepare {job.id}",))


async def _prepare(services: Services, job: Job, target: Target) -> bool:
    async with services.pool.connection() as connection:
        frame = await frame_of(connection, job.id)
    cycle = frame.cycle
    if cycle is None or not frame.needs_preparation:
        return True
    if cycle.phase in ("source", "scope"):
        async with transaction(services.pool) as connection:
            await mark_everybody(connection, job, cycle=cycle.id, reason="initialCycle")
            await cycles.set_phase(connection, cycle.id, "match")
    for mapping in job.configuration.objects:
        if not mapping.enabled:
            continue
        try:
            requests = await read_index(services.pool, job, mapping, target, cycle=cycle.id)
        except TargetError as failed:
            found = await health.notice(services, job, failed.answer)
            log.warning("index_not_read", job=job.id, kind=mapping.source.value, detail=failed.answer.detail)
            if found.stop or found.seconds_to_wait or failed.answer.verdict in (Verdict.UNREACHABLE, Verdict.AMBIGUOUS):
                return False  # tried again when the application can be reached
            requests = 1  # it does not list its accounts: everybody is asked for
        async with services.pool.connection() as connection:
            await cycles.count(connection, cycle.id, requests=requests)
    async with services.pool.connection() as connection:
        await cycles.set_phase(connection, cycle.id, "write")
    return True


async def begin_initial(connection: Connection, job_id: str) -> cycles.Cycle:
    """Open an initial cycle in place of a running one. From the commit on, changes of the directory mark this job's objects."""
    await instance.lock_directory(connection)
    await cycles.cancel(connection, job_id, state="cancelled")
    await jobs.set_started(connection, job_id)
    cycle, _ = await cycles.open_cycle(connection, job_id, "initial", phase="scope")
    return cycle


async def mark_everybody(connection: Connection, job: Job, *, cycle: int | None, reason: str) -> int:
    """Mark every object that the job may have to do with: those it may provision, and those it has linked."""
    await instance.lock_directory(connection)
    marked = 0
    for mapping in job.configuration.objects:
        if mapping.enabled:
            marked += await dirty_marks.mark_all(
                connection,
                job.id,
                job.row.app,
                mapping.source.value,
                everybody=job.configuration.scope is Scope.ALL,
                cycle=cycle,
                reason=reason,
            )
    if cycle is not None:
        await cycles.set_total(connection, cycle, marked)
    return marked


async def close(services: Services, job: Job) -> None:
    """End the running cycle if nothing belongs to it any more, and judge the job's health by what it met."""
    async with services.pool.connection() as connection:
        running = await cycles.running_cycle(connection, job.id)
        ended = await cycles.close_if_done(connection, running.id) if running is not None else None
        if ended is None:
            return
        await jobs.set_next_cycle(connection, job.id, interval_of(services, job))
    log.info("cycle_ended", job=job.id, cycle=ended.id, kind=ended.kind, state=ended.state, counts=dict(ended.counts))
    reason = decide_quarantine(_health(ended.counts))
    if reason is not None:
        text = f"{ended.counts.get('failed', 0)} of {ended.done} objects failed in this cycle"
        await health.quarantine(services, job, reason, Answer(Verdict.REFUSED, code=reason.value, detail=text))
    elif job.row.quarantine is not None:
        await health.lift_quarantine(services, job)


def interval_of(services: Services, job: Job) -> timedelta:
    """Until the next cycle at the latest. With a jitter, a little more, so that applications behind one service do not begin together."""
    settings = job.configuration.settings
    interval = settings.interval or services.times.cycle_interval
    if not settings.jitter:
        return interval
    draw = int.from_bytes(services.moment().random_bytes("jitter", 4)) / 2**32
    return interval + settings.jitter * draw


def _health(counts: Mapping[str, int]) -> Health:
    worked = ("created", "updated", "enabled", "disabled", "deleted", "linked", "unchanged", "released")
    return Health(successes=sum(counts.get(name, 0) for name in worked), failures=counts.get("failed", 0))


async def open_scheduled_cycle(services: Services, job_id: str) -> bool:
    """Open the incremental cycle that is due, with everything that failed before in it.

    False where a quarantine of four weeks switches the job off instead.
    """
    async with transaction(services.pool) as connection:
        job = await services.read_job(connection, job_id)
        began = (job.row.quarantine or {}).get("seriesBegan")
        if began is not None and gives_up(datetime.fromisoformat(began), services.moment()):
            await jobs.set_status(connection, job_id, "off", actor="system (four weeks in quarantine)")
            return False
        await open_incremental(connection, job)
        await jobs.set_next_cycle(connection, job_id, interval_of(services, job))
    return True


async def open_incremental(connection: Connection, job: Job) -> cycles.Cycle:
    """The running cycle, or a new incremental one; what failed before is due now and belongs to it."""
    cycle, _ = await cycles.open_cycle(connection, job.id, "incremental")
    retried = await dirty_marks.make_escrow_due(connection, job.id, cycle=cycle.id)
    fresh = await dirty_marks.adopt_due(connection, job.id, cycle=cycle.id)
    await cycles.count(connection, cycle.id, total=retried + fresh)
    return cycle


async def may_go_on(services: Services, job: Job, target: TargetReader) -> bool:
    """Whether the application may be written to: not in a quarantine that holds everything, and its probe passes when one is due."""
    quarantine = job.row.quarantine
    if is_held(quarantine):
        if quarantine and _is_ahead(quarantine.get("nextAttempt")):
            return False
        if not await probe(services, job, target):
            return False
        await health.lift_quarantine(services, job)
        return True
    last = job.row.last_probe_at
    if last is not None and datetime.now(UTC) - last < services.times.probe_interval:
        return True
    return await probe(services, job, target)


def is_held(quarantine: Mapping[str, Any] | None) -> bool:
    """Whether a quarantine lets nothing through, leavers included."""
    return quarantine is not None and holds_everything(QuarantineReason(quarantine["reason"]))


def _is_ahead(moment: str | None) -> bool:
    return moment is not None and datetime.fromisoformat(moment) > datetime.now(UTC)


async def probe(services: Services, job: Job, target: TargetReader) -> bool:
    """Ask for somebody who cannot exist: 200 with an empty list is what a working application answers."""
    users = job.configuration.mapping_for(ObjectKind.USER)
    attribute = users.matching[0].target if users is not None and users.matching else "userName"
    try:
        await target.find(ObjectKind.USER, attribute, str(uuid4()))
    except TargetError as failed:
        answer = failed.answer
        if answer.verdict is Verdict.REFUSED:
            # Where a list is expected, anything else means that no SCIM service answers there.
            await health.quarantine(services, job, QuarantineReason.EXCEPTION, answer)
            return False
        await health.notice(services, job, answer)
        return False
    except LockstepError as refused:
        await health.notice(services, job, Answer(Verdict.BLOCKED, detail=refused.detail, next_step=refused.next_step))
        return False
    async with services.pool.connection() as connection:
        await jobs.note_probe(connection, job.id)
    return True
