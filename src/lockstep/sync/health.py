"""What an answer says about the application as a whole: refused credentials, a request to wait, or nobody there.

Refused credentials stop the whole job at once, whatever the counts: every further request would only lock an account or fill a log.
An application that does not answer is asked again after growing pauses, which all workers keep; a person reads of the first one in
status, doctor and the log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog

from lockstep.engine.patience import MOST_PAUSES
from lockstep.engine.quarantine import QuarantineReason, next_attempt
from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import jobs, provisioning_log, target_state
from lockstep.storage.batches import Row
from lockstep.storage.target_state import TargetState
from lockstep.sync.log_records import record_of_application
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

QUARANTINED = "quarantine"  # why claiming stops
NEEDS_SOMEBODY = frozenset({Verdict.UNAUTHORIZED, Verdict.BLOCKED})
NO_ANSWER = frozenset({Verdict.UNREACHABLE, Verdict.AMBIGUOUS})
TOO_MANY_REQUESTS = 429


async def notice(services: Services, job: Job, answer: Answer, *, is_general: bool = False) -> str:
    """Tell all workers what *answer* means for everybody; returns why nothing more can be sent, "" where it can.

    *is_general*: it was asked about the application as a whole (a probe, a listing), not about one object.
    """
    if answer.verdict in NEEDS_SOMEBODY:
        await quarantine(services, job, QuarantineReason.EXCEPTION, answer)
        return QUARANTINED
    if answer.verdict is Verdict.THROTTLED:
        if not answer.exchanges and answer.retry_at is not None:
            return ""  # our own turns said so: nothing was sent
        state = await _throttled(services, job, answer)
    elif answer.verdict in NO_ANSWER:
        async with transaction(services.pool) as connection:
            state = await target_state.note_unanswered(
                connection, job.id, error_row(answer), first_pause=services.times.first_pause, is_general=is_general
            )
            if state.seconds_to_wait and state.pauses == 1:
                await _log(connection, job, answer)
    else:
        return ""
    services.turns(job).be_quiet(state.seconds_to_wait)
    if state.pauses >= MOST_PAUSES and _status(answer) != TOO_MANY_REQUESTS:
        await quarantine(services, job, QuarantineReason.EXCEPTION, answer)
        return QUARANTINED
    return ""


async def _throttled(services: Services, job: Job, answer: Answer) -> TargetState:
    seconds = None
    if answer.retry_at is not None:
        seconds = max(0.0, (answer.retry_at - datetime.now(UTC)).total_seconds())
    async with transaction(services.pool) as connection:
        await connection.execute("set local synchronous_commit = off")  # others must hear of it at once
        return await target_state.note_throttled(
            connection, job.id, error_row(answer), seconds=seconds, first_pause=services.times.first_pause
        )


async def answered(services: Services, job: Job) -> None:
    """The application gave a usable answer, if only a refusal: what was counted against it begins anew."""
    async with transaction(services.pool) as connection:
        before = await target_state.note_answered(connection, job.id)
    if before.pauses:
        log.info("application_answers", job=job.id, pauses=before.pauses)


async def quarantine(services: Services, job: Job, reason: QuarantineReason, answer: Answer) -> None:
    """Put the job into quarantine, or count one more failed attempt there."""
    async with transaction(services.pool) as connection:
        await enter_quarantine(
            connection, services, job, reason, answer, needs_somebody=answer.verdict in NEEDS_SOMEBODY
        )


async def enter_quarantine(
    connection: Connection,
    services: Services,
    job: Job,
    reason: QuarantineReason,
    answer: Answer,
    *,
    needs_somebody: bool = True,
) -> datetime:
    """As `quarantine`, in the caller's transaction; returns when it is tried next.

    Answers that come in while the next attempt is ahead are not counted again.
    """
    moment = services.moment()
    await jobs.lock_job(connection, job.id)
    row = await jobs.read_job(connection, job.id)
    before = (row.quarantine if row is not None else None) or {}
    is_same = before.get("reason") == reason.value
    if is_same and (attempt := datetime.fromisoformat(before["nextAttempt"])) > moment.now:
        return attempt
    count = int(before.get("seriesCount", 0)) + 1 if is_same else 1
    began = before.get("currentBegan") if is_same else moment.now.isoformat()
    due = next_attempt(
        reason,
        count,
        moment,
        leavers_waiting=await jobs.has_waiting_leavers(connection, job.id),
        needs_somebody=needs_somebody,
    )
    await jobs.set_quarantine(
        connection,
        job.id,
        {
            "reason": reason.value,
            "currentBegan": began,
            "seriesBegan": before.get("seriesBegan") or began,
            "seriesCount": count,
            "nextAttempt": due.isoformat(),
            "error": error_row(answer),
        },
    )
    if not is_same:
        await _log(connection, job, answer, begins="Provisioning is in quarantine: ")
    log.warning("job_quarantined", job=job.id, reason=reason.value, detail=answer.detail)
    return due


async def lift_quarantine(services: Services, job: Job) -> None:
    """The application works again."""
    async with transaction(services.pool) as connection:
        await end_quarantine(connection, job)


async def end_quarantine(connection: Connection, job: Job) -> None:
    """As `lift_quarantine`, in the caller's transaction."""
    await jobs.set_quarantine(connection, job.id, None)
    await target_state.forget(connection, job.id)
    log.info("quarantine_lifted", job=job.id)


async def log_listing_given_up(connection: Connection, job: Job, kind: ObjectKind, answer: Answer) -> None:
    """The accounts are asked for one by one: that costs a request for each, and a person may want to know why."""
    what = "people" if kind is ObjectKind.USER else "groups"
    await _log(connection, job, answer, begins=f"The list of {what} cannot be used, so each is asked for: ")


def error_row(answer: Answer) -> Row:
    """An answer as quarantine and pauses show it."""
    return {"code": answer.code, "message": answer.detail, "nextStep": answer.next_step}


async def _log(connection: Connection, job: Job, answer: Answer, *, begins: str = "") -> None:
    """What concerns the application as a whole stands in the provisioning log, too: once, when it begins."""
    record = record_of_application(job.row.app_display_name, answer, begins=begins)
    await provisioning_log.append(connection, job.id, job.row.app, [record])


def _status(answer: Answer) -> Any:
    return answer.exchanges[-1].status if answer.exchanges else None
