"""Begin and end cycles. A cycle is opened when there is work, prepared if it is an initial cycle, and closed when no work is left.

A cycle never decides what is done to an object; it only counts. An initial cycle also marks every object and reads the list of accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from lockstep.configuration.rules import ObjectMapping, Scope
from lockstep.engine.decisions.patience import MOST_PAUSES, RequestKind
from lockstep.engine.records import Lane
from lockstep.ports import Target, TargetError, Verdict
from lockstep.postgres.advisory_locks import session_lock
from lockstep.postgres.pool import Connection, transaction
from lockstep.postgres.undone import until_done
from lockstep.storage import cycles, dirty_marks, jobs, target_index, target_state
from lockstep.storage.dirty import FULL_CYCLE_MARK, Claim
from lockstep.storage.locks import lock_directory, preparation_of_cycle
from lockstep.storage.resume import Pin
from lockstep.sync import application_health, notifying
from lockstep.sync.cycle import judging, returned_leavers
from lockstep.sync.cycle.indexing import read_index
from lockstep.sync.cycle.judging import is_held
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

MARKING = frozenset({"source", "scope"})
PREPARING = MARKING | {"match"}
NO_LANE = 0
MOST_LISTING_TRIES = 3
MAY_PASS = frozenset({Verdict.THROTTLED, Verdict.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Frame:
    """The running cycle, or None if none is running, and its limits on what may be claimed."""

    cycle: cycles.Cycle | None = None

    @property
    def needs_preparation(self) -> bool:
        return self.cycle is not None and self.cycle.kind == "initial" and self.cycle.phase in PREPARING

    @property
    def up_to_lane(self) -> int:
        """The last lane to claim.

        Until every object is marked, nothing is claimed: an object claimed earlier would be marked afterwards, and the cycle would process
        and count it twice. While the list of accounts is being read, only leavers and on-demand runs are claimed; objects that need a new
        account wait for the list.
        """
        if self.needs_preparation and self.cycle is not None and self.cycle.phase in MARKING:
            return NO_LANE
        return (Lane.ON_DEMAND if self.needs_preparation else Lane.RECONCILE).number


async def frame_of(connection: Connection, job: str) -> Frame:
    return Frame(await cycles.running_cycle(connection, job))


async def adopt(connection: Connection, job: Job, claims: Sequence[Claim]) -> list[Claim]:
    """Count the claimed objects in the running cycle, and open a cycle if none is running. Returns the claims, each with its cycle."""
    new = [claim for claim in claims if claim.is_adopted]
    if not new:
        return list(claims)
    cycle, _ = await cycles.open_cycle(connection, job.id, "incremental")
    homeless = [claim.attempt for claim in new if claim.cycle is None]
    if homeless:
        await dirty_marks.set_cycle(connection, job.id, homeless, cycle=cycle.id)
    await cycles.count(connection, cycle.id, total=len(new))
    # What was previewed for an object is read when it is claimed in the cycle; until then nothing may be written to it.
    pin = None if cycle.preview is None else Pin(cycle.preview)
    return [replace(claim, cycle=cycle.id, pin=pin) if claim.cycle is None else claim for claim in claims]


async def prepare(services: Services, job: Job, target: Target, *, on_marked: Callable[[], None]) -> bool:
    """Mark every object and read the list of accounts, once for all workers. After a crash the interrupted step starts again from its
    beginning. Calls *on_marked* when the objects are marked, before the list is read.

    Returns False if another worker is preparing the cycle, or if the application cannot be read now.
    """
    async with session_lock(services.pool, preparation_of_cycle(job.id)) as lock:
        return lock is not None and await _prepare(services, job, target, on_marked)


async def _prepare(services: Services, job: Job, target: Target, on_marked: Callable[[], None]) -> bool:
    async with services.pool.connection() as connection:
        frame = await frame_of(connection, job.id)
    cycle = frame.cycle
    if cycle is None or not frame.needs_preparation:
        return True
    if cycle.phase in MARKING:
        await until_done(partial(_mark, services, job, cycle.id))
        on_marked()
    for mapping in job.configuration.objects:
        if mapping.enabled and not await _read_list(services, job, mapping, target, cycle=cycle.id):
            return False
    async with services.pool.connection() as connection:
        await cycles.set_phase(connection, cycle.id, "write")
    return True


async def _mark(services: Services, job: Job, cycle: int) -> None:
    async with transaction(services.pool) as connection:
        await mark_everybody(connection, job, cycle=cycle, reason=FULL_CYCLE_MARK)
        await cycles.set_phase(connection, cycle, "match")


async def _read_list(services: Services, job: Job, mapping: ObjectMapping, target: Target, *, cycle: int) -> bool:
    """Read the accounts of one kind. Returns False if the list must be read again after a pause.

    If the list cannot be used, this is logged and the list is given up for this cycle.
    """
    try:
        requests = await read_index(services, job, mapping, target, cycle=cycle)
    except TargetError as failed:
        answer = failed.answer
    else:
        async with services.pool.connection() as connection:
            await cycles.count(connection, cycle, requests=requests)
        if requests:
            await application_health.answered(services, job, RequestKind.LISTING)
        return True
    async with services.pool.connection() as connection:
        streak = (await target_state.read_state(connection, job.id)).streak(RequestKind.LISTING)
        was_unusable = await target_index.was_unusable(connection, job.id, mapping.source.value)
    log.warning("list_not_read", job=job.id, kind=mapping.source.value, tries=streak.breaks + 1, detail=answer.detail)
    most = MOST_PAUSES if answer.verdict in MAY_PASS else 1 if was_unusable else MOST_LISTING_TRIES
    # A refusal is final: the application does not list its accounts.
    if answer.verdict is not Verdict.REFUSED and streak.breaks + 1 < most:
        await application_health.notice(services, job, answer, RequestKind.LISTING)
        return False
    async with transaction(services.pool) as connection:
        await application_health.log_listing_given_up(connection, job, mapping.source, answer)
        await cycles.note_trouble(connection, cycle, application_health.error_row(answer))
        await target_index.give_up(connection, job.id, mapping.source.value, cycle=cycle, is_unusable=True)
        await target_state.note_answered(connection, job.id, RequestKind.LISTING)
    return True


async def begin_initial(connection: Connection, job_id: str, *, preview: int | None = None) -> cycles.Cycle:
    """Replace the running cycle, if any, by an initial cycle, which applies *preview* if it is given. The job then counts as started: from
    the commit on, changes in the directory mark its objects.
    """
    await lock_directory(connection)
    await cycles.cancel(connection, job_id, state="cancelled")
    await jobs.set_started(connection, job_id)
    cycle, _ = await cycles.open_cycle(connection, job_id, "initial", phase="scope", preview=preview)
    return cycle


async def mark_everybody(connection: Connection, job: Job, *, cycle: int | None, reason: str) -> int:
    """Mark all objects that the job may provision or has linked. Returns how many objects were marked."""
    await lock_directory(connection)
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
    """End the running cycle if no more work belongs to it, and judge the job's health, in one transaction.

    A reader that sees the cycle as ended also sees its result.
    """
    async with transaction(services.pool) as connection:
        running = await cycles.running_cycle(connection, job.id)
        if running is None:
            return
        await jobs.lock_job(
            connection, job.id
        )  # before the cycle, in the order of a restart; otherwise the two deadlock
        ended = await cycles.close_if_done(connection, running.id)
        if ended is None:
            return
        await jobs.set_next_cycle(connection, job.id, interval_of(services, job))
        await target_state.forget_streaks(connection, job.id)  # the pauses have no effect any more: all work is done
        left = await dirty_marks.make_left_due(connection, job.id) if ended.preview is not None else 0
        woken = await judging.judge(connection, services, job, ended) or left > 0
        if (row := await jobs.read_job(connection, job.id)) is not None:
            await notifying.report_after_cycle(connection, row, ended.id)
    log.info("cycle_ended", job=job.id, cycle=ended.id, kind=ended.kind, state=ended.state, counts=dict(ended.counts))
    if woken:
        await services.wake({job.id})


def interval_of(services: Services, job: Job) -> timedelta:
    """Return the time until the next cycle begins. It has a random part, so that not all jobs begin at once."""
    settings = job.configuration.settings
    interval = settings.interval or services.times.cycle_interval
    if not settings.jitter:
        return interval
    draw = int.from_bytes(services.moment().random_bytes("jitter", 4)) / 2**32
    return interval + settings.jitter * draw


async def open_scheduled_cycle(services: Services, job_id: str) -> bool:
    """Open the incremental cycle that is due, with all due objects. Failed objects keep their own retry times. The accounts that were
    disabled most recently are read again: if one of them is active, the application may have been restored from a backup.

    Returns False if a quarantine blocks everything. In a quarantine for failure counts, these accounts are not read; some of the failed
    objects are tried instead.
    """
    async with transaction(services.pool) as connection:
        job = await services.read_job(connection, job_id)
        await jobs.set_next_cycle(connection, job_id, interval_of(services, job))
        if is_held(job.row.quarantine):
            return False
        if job.row.quarantine is not None:
            await dirty_marks.make_some_failed_due(connection, job_id, limit=judging.SAMPLE)
        else:
            await returned_leavers.mark_newest(connection, job_id)
        cycle, _ = await cycles.open_cycle(connection, job.id, "incremental")
        await cycles.count(connection, cycle.id, total=await dirty_marks.adopt_due(connection, job.id, cycle=cycle.id))
    return True


async def open_incremental(connection: Connection, job: Job) -> cycles.Cycle:
    """Return the running cycle, or open an incremental one if none is running. A person requested the cycle, so all failed objects become
    due in this cycle.
    """
    cycle, _ = await cycles.open_cycle(connection, job.id, "incremental")
    added = await dirty_marks.adopt_due_and_failed(connection, job.id, cycle=cycle.id)
    await cycles.count(connection, cycle.id, total=added)
    return cycle
