"""What an answer says about the application as a whole: refused credentials, a request to wait, or nobody there.

Refused credentials stop the whole job at once, whatever the counts: every further request would only lock an account or fill a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from lockstep.engine.quarantine import QuarantineReason, next_attempt
from lockstep.ports import Answer, Verdict
from lockstep.storage import jobs, target_state
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

DEFAULT_WAIT_SECONDS = 5.0  # after a 429 or 503 that does not say how long


@dataclass(frozen=True, slots=True)
class Finding:
    """*stop*: why nothing more can be sent. *seconds_to_wait*: how long the application wants to be left alone."""

    seconds_to_wait: float = 0.0
    stop: str = ""


async def notice(services: Services, job: Job, answer: Answer) -> Finding:
    """Tell all workers what *answer* means for everybody."""
    match answer.verdict:
        case Verdict.UNAUTHORIZED | Verdict.BLOCKED:
            await quarantine(services, job, QuarantineReason.EXCEPTION, answer)
            return Finding(stop="quarantine")
        case Verdict.THROTTLED:
            until = answer.retry_at or datetime.now(UTC) + timedelta(seconds=DEFAULT_WAIT_SECONDS)
            async with services.pool.connection() as connection:
                await target_state.wait_until(connection, job.id, until)
            return Finding(seconds_to_wait=max(0.0, (until - datetime.now(UTC)).total_seconds()))
        case Verdict.UNREACHABLE | Verdict.AMBIGUOUS:
            async with services.pool.connection() as connection:
                await target_state.note_transport(connection, job.id, failures=1)
                state = await target_state.read_state(connection, job.id)
            return Finding(seconds_to_wait=state.seconds_to_wait)
        case _:
            return Finding()


async def quarantine(services: Services, job: Job, reason: QuarantineReason, answer: Answer) -> None:
    """Put the job into quarantine, or count one more failed attempt there."""
    moment = services.moment()
    async with services.pool.connection() as connection:
        row = await jobs.read_job(connection, job.id)
        before = (row.quarantine if row is not None else None) or {}
        is_same = before.get("reason") == reason.value
        count = int(before.get("seriesCount", 0)) + 1 if is_same else 1
        began = before.get("currentBegan") if is_same else moment.now.isoformat()
        due = next_attempt(reason, count, moment, leavers_waiting=await jobs.has_waiting_leavers(connection, job.id))
        await jobs.set_quarantine(
            connection,
            job.id,
            {
                "reason": reason.value,
                "currentBegan": began,
                "seriesBegan": before.get("seriesBegan") or began,
                "seriesCount": count,
                "nextAttempt": due.isoformat(),
                "error": {"code": answer.code, "message": answer.detail, "nextStep": answer.next_step},
            },
        )
    log.warning("job_quarantined", job=job.id, reason=reason.value, detail=answer.detail)


async def lift_quarantine(services: Services, job: Job) -> None:
    """The application works again."""
    async with services.pool.connection() as connection:
        await jobs.set_quarantine(connection, job.id, None)
        await target_state.forget(connection, job.id)
    log.info("quarantine_lifted", job=job.id)
