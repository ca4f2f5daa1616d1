"""Record outcomes: many at a time in one fenced transaction.

If an outcome's attempt is no longer the newest, another worker has taken over the object and checks the application before it writes. The
outcome is then discarded, including its log record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import psycopg
import structlog

from lockstep.engine.records import Link, ObjectKind
from lockstep.postgres.pool import Connection, Pool
from lockstep.postgres.undone import until_done
from lockstep.storage import (
    activity,
    cycles,
    dirty,
    dirty_marks,
    journal,
    links,
    operations,
    preview_left,
    provisioning_log,
    references,
    rejections,
    taking,
    target_members,
    unkept,
)
from lockstep.storage.locks import lock_references
from lockstep.storage.log_record import LogRecord
from lockstep.storage.notices import Topic, notify
from lockstep.storage.pipelines import pipelined
from lockstep.storage.taking import Taking
from lockstep.storage.target_state import TargetState, read_state
from lockstep.sync.outcome import kept_values
from lockstep.sync.outcome.log_records import record_of_failure
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.outcome.work_done import work_done
from lockstep.sync.services import Job

log = structlog.get_logger()


class TakenMeanwhile(Exception):
    """Raised if other objects have taken accounts that this transaction was to link without a write. Nothing was recorded.

    *attempts* contains the ids of the attempts that would have linked these accounts.
    """

    def __init__(self, attempts: frozenset[int]) -> None:
        super().__init__()
        self.attempts = attempts


async def record(pool: Pool, job: Job, outcomes: Sequence[Outcome]) -> TargetState:
    """Write *outcomes*. Returns the shared state of the application, including what other workers have recorded.

    Raises TakenMeanwhile if an outcome newly links an account without writing to it, and another object has taken the account. Raises
    UniqueViolation if two objects have the same account despite the earlier check.
    """
    return await until_done(lambda: _record(pool, job, outcomes))


async def _record(pool: Pool, job: Job, outcomes: Sequence[Outcome]) -> TargetState:
    # Only the journal must survive a crash: a lost outcome is found again by checking in the application.
    async with pipelined(pool, is_durable=False) as connection:
        valid = await dirty.fence(connection, job.id, [one.claim for one in outcomes])
        ours = [one for one in outcomes if one.claim.attempt in valid]
        if len(ours) < len(outcomes):
            log.warning("late_outcomes_refused", job=job.id, refused=len(outcomes) - len(ours))
            await _reopen(connection, job, [one for one in outcomes if one.claim.attempt not in valid])
        skipped = await _skips_logged_before(connection, job, ours)
        if ours:
            await _take_accounts(connection, job, ours)
            await _write(connection, job, ours, skipped, valid)
            await notify(connection, Topic.PROGRESS, job=job.id)
        return await read_state(connection, job.id)


async def _take_accounts(connection: Connection, job: Job, ours: Sequence[Outcome]) -> None:
    """Take, for their objects, the accounts that are linked without a write. The accounts of writes were already taken when the writes were
    journalled. Raises TakenMeanwhile if another object took an account first.
    """
    takings = [
        Taking(
            str(one.claim.attempt),
            one.link.kind.value,
            one.link.source_id,
            one.link.target_id,
            (),
            one.claim.claimed_at,
        )
        for one in ours
        if one.link is not None and one.is_newly_linked and not one.settled
    ]
    if takings and (late := await taking.lock(connection, job.id, takings)):
        raise TakenMeanwhile(frozenset(map(int, late)))


async def _reopen(connection: Connection, job: Job, late: Sequence[Outcome]) -> None:
    """Handle late responses that report success. Such a response is not recorded as a success; only its operation is opened again. The
    object now belongs to a newer attempt, which checks whether the operation took effect.
    """
    happened = [settled for one in late for settled in one.settled if settled.state == "confirmed"]
    if happened:
        await journal.reopen(connection, job.id, happened)


async def _write(
    connection: Connection, job: Job, ours: Sequence[Outcome], skipped: Mapping[str, str], ages: Mapping[int, float]
) -> None:
    new_links = [one.link for one in ours if one.link is not None]
    for one in ours:
        if one.takes_over and one.link is not None:
            await _take_over(connection, job, one.link)
    freed: list[str] = []
    if new_links:
        freed = await links.save_links(connection, job.id, new_links, matching=_matching(job))
    settled = [operation for one in ours for operation in one.settled]
    if settled:
        await journal.settle(connection, job.id, settled)
    held = [one.held for one in ours if one.held is not None]
    if held:
        await journal.hold(connection, job.id, held)
    decided = [one.claim for one in ours if one.ends_decisions]
    if decided:
        await operations.withdraw_held(connection, job.id, decided)
        await rejections.end_rejections(connection, job.id, decided)
    done = [one.claim for one in ours if one.is_done]
    if done:
        await dirty.finish(connection, job.id, done)
    postponed = [one.postponed for one in ours if one.postponed is not None]
    if postponed:
        await dirty.postpone(connection, job.id, postponed)
    if freed:
        await dirty_marks.wake_for_accounts(connection, job.id, freed)
    await _note_left(connection, ours)
    await _write_references(connection, job, ours)
    unsure = [member for one in ours for member in one.unsure_members]
    if unsure:
        await target_members.mark_unsure(connection, job.id, unsure)
    records = [record for one in ours for record in one.more_logs]
    records += [one.log for one in ours if one.log is not None and not _is_repeated_skip(one.log, skipped)]
    records += await _unlogged_failures(connection, ours)
    if records:
        await provisioning_log.append(connection, job.id, job.row.app, records)
    await _note_evidence(connection, job, ours)
    if not (work := work_done(ours, records, ages)).is_empty:
        await activity.note_work(connection, job.id, work)
    await _count(connection, ours)


async def _note_left(connection: Connection, ours: Sequence[Outcome]) -> None:
    """Record the objects that a cycle leaves as they are because it applies a preview. Remove such a record once the object's processing is
    complete.
    """
    pinned = [(one.claim.pin.preview, one) for one in ours if one.claim.pin is not None]
    if left := [(preview, one.left) for preview, one in pinned if one.left is not None]:
        await preview_left.add(connection, left)
    for preview in {preview for preview, one in pinned if one.is_done}:
        done = [one.claim for of, one in pinned if of == preview and one.is_done]
        await preview_left.forget(connection, preview, done)


def _matching(job: Job) -> list[str]:
    """Return the attributes whose values must be unique among accounts."""
    return sorted({one.target for mapping in job.configuration.objects for one in mapping.matching})


async def _note_evidence(connection: Connection, job: Job, ours: Sequence[Outcome]) -> None:
    kept, missing = kept_values.in_order([evidence for one in ours for evidence in one.evidence])
    if kept and await unkept.has_any(connection, job.id):
        await unkept.note_kept(connection, job.id, kept)
    if missing:
        await unkept.note_missing(connection, job.id, missing)


async def _unlogged_failures(connection: Connection, ours: Sequence[Outcome]) -> list[LogRecord]:
    """Build the missing log records of the failed objects, so that every failure is logged. Objects that failed before they had a plan have
    no record.
    """
    failed = [one for one in ours if one.log is None and one.failed_now and not one.is_logged]
    records: list[LogRecord] = []
    for kind in {one.claim.kind for one in failed}:
        of_kind = [one for one in failed if one.claim.kind == kind]
        names = await provisioning_log.source_names(connection, kind, [one.claim.source_id for one in of_kind])
        records += [
            record_of_failure(one.claim, one.failed_now, display=names.get(one.claim.source_id, ""))
            for one in of_kind
            if one.failed_now is not None
        ]
    return records


async def _take_over(connection: Connection, job: Job, link: Link) -> None:
    """Take the account of *link* from its former owner. An owner who has returned since keeps the account, and the new link is refused."""
    freed = await links.bury_links(connection, job.id, link.kind.value, [link.target_id])
    for former in freed.values():
        await target_members.hand_over(connection, job.id, former, link.source_id)


async def _write_references(connection: Connection, job: Job, ours: Sequence[Outcome]) -> None:
    with_references = [one for one in ours if one.waiting is not None]
    waiting = [reference for one in with_references for reference in one.waiting or ()]
    linked = [one.claim.source_id for one in ours if one.is_newly_linked]
    groups = job.configuration.mapping_for(ObjectKind.GROUP)
    has_groups = groups is not None and groups.enabled
    if with_references or (linked and has_groups):
        await lock_references(connection, job.id)
    if with_references:
        holders = [one.claim.source_id for one in with_references]
        await references.replace_waiting(connection, job.id, holders, waiting)
        if waiting:
            await references.wake_ready(connection, job.id, holders)
    new_groups = [one.claim.source_id for one in ours if one.is_newly_linked and one.claim.kind == ObjectKind.GROUP]
    if new_groups:
        await target_members.forget_members(connection, job.id, new_groups)
    if linked:
        await references.wake_holders(connection, job.id, linked)
        if groups is not None and has_groups and groups.has_members:
            await target_members.note_groups_of(connection, job.id, linked)


async def _count(connection: Connection, ours: Sequence[Outcome]) -> None:
    by_cycle: dict[int, list[Outcome]] = {}
    for one in ours:
        if one.claim.cycle is not None:
            by_cycle.setdefault(one.claim.cycle, []).append(one)
    for cycle, its in by_cycle.items():
        await cycles.count(
            connection,
            cycle,
            done=sum(bool(one.counted) for one in its),
            requests=sum(one.requests for one in its),
            counts=_counts(its),
        )


def _counts(its: Sequence[Outcome]) -> Counter[str]:
    counts = Counter(one.counted for one in its if one.counted and not _is_held_again(one))
    for one in its:
        counts.update(one.more_counts)
    return counts


def _is_held_again(one: Outcome) -> bool:
    """Whether the object changed while it was held, and is held again in the same cycle."""
    return one.held is not None and one.claim.cycle is not None and one.claim.resume.held_in == one.claim.cycle


async def _skips_logged_before(connection: Connection, job: Job, ours: Sequence[Outcome]) -> dict[str, str]:
    found: dict[str, str] = {}
    skips = [one for one in ours if one.log is not None and one.log.status == "skipped"]
    for kind in {one.claim.kind for one in skips}:
        ids = [one.claim.source_id for one in skips if one.claim.kind == kind]
        found |= await provisioning_log.last_skip_reasons(connection, job.id, kind, ids)
    return found


def _is_repeated_skip(record: LogRecord, skipped: Mapping[str, str]) -> bool:
    """Whether *record* is a skip that the newest record of the object already reports. Such a skip is not logged again."""
    is_known = skipped.get(record.source_id or "") == f"{record.error_code} {record.reason}"
    return record.status == "skipped" and is_known


def unrecordable(error: psycopg.Error) -> Failure:
    """Build the failure of an object whose outcome cannot be stored."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Failure(
            "DuplicateSourceEntries",
            "The account already belongs to another object in the directory.",
            "Change the matching value of one of the two, or unlink the account from the other.",
        )
    return Failure("UnprocessableEntity", "The application's response contains characters that cannot be stored.")
