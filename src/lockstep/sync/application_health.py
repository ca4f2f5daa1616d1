"""React to responses that concern the application as a whole: refused credentials, a request to wait, or no response.

Refused credentials quarantine the job at once, regardless of the failure counts: further requests could only lock an account or fill a log.
If an application does not respond, all workers pause and then try again. The pauses grow with the number of failures, which are counted
separately for each kind of request. The first pause is shown in status, doctor and the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from lockstep.engine.decisions.patience import MOST_PAUSES, RequestKind
from lockstep.engine.decisions.quarantine import QuarantineReason, next_attempt
from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import jobs, provisioning_log, target_state
from lockstep.storage.batches import Row
from lockstep.storage.target_state import TargetState
from lockstep.sync import notifying
from lockstep.sync.outcome.log_records import record_of_application
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

QUARANTINED = "quarantine"  # the reason why claiming stops
NEEDS_SOMEBODY = frozenset({Verdict.UNAUTHORIZED, Verdict.BLOCKED})
NO_ANSWER = frozenset({Verdict.UNREACHABLE, Verdict.AMBIGUOUS, Verdict.THROTTLED})
GENERAL = frozenset({RequestKind.PROBE, RequestKind.LISTING})
TOO_MANY_REQUESTS = 429


def most_telling(answers: Sequence[Answer]) -> Answer:
    """Return the answer that says most about the application as a whole. *answers* belong to writes that shared one request.

    The first choice is an answer that requires a person's action or asks for a pause. The second choice is any usable answer. If there is
    neither, the first answer is returned.
    """
    urgent = (one for one in answers if one.verdict in NEEDS_SOMEBODY or one.verdict is Verdict.THROTTLED)
    usable = (one for one in answers if one.verdict not in NO_ANSWER)
    return next(urgent, None) or next(usable, None) or answers[0]


async def notice(services: Services, job: Job, answer: Answer, asked: RequestKind) -> str:
    """Record for all workers what *answer* means for the job. Returns why nothing more can be sent, or "" if sending may continue.

    *asked* is the kind of request that was answered. A probe and a listing concern the application as a whole, so one failure is enough for
    a pause.
    """
    if answer.verdict in NEEDS_SOMEBODY:
        await quarantine(services, job, QuarantineReason.EXCEPTION, answer, asked)
        return QUARANTINED
    is_general = asked in GENERAL
    if answer.verdict not in NO_ANSWER and not is_general:
        return ""
    if answer.verdict is Verdict.THROTTLED and not answer.exchanges and answer.wait is not None:
        return ""  # our own rate limit or pause stopped the request: nothing was sent
    wanted = None
    if answer.verdict is Verdict.THROTTLED and answer.wait is not None:
        wanted = max(timedelta(0), answer.wait)
    async with transaction(services.pool) as connection:
        await target_state.commit_without_waiting(connection)
        state = await target_state.count_failure(
            connection,
            job.id,
            asked,
            error_row(answer),
            first_pause=services.times.first_pause,
            is_enough=is_general or answer.verdict is Verdict.THROTTLED,
            wanted=wanted,
        )
        streak = state.streak(asked)
        if (
            streak.pauses == 1
            and state.seconds_to_wait
            and answer.verdict is not Verdict.THROTTLED
            and asked is not RequestKind.LISTING
        ):
            await _log(connection, job, answer)
    services.turns(job).be_quiet(state.seconds_to_wait)
    if asked is RequestKind.PROBE and streak.pauses >= MOST_PAUSES and _status(answer) != TOO_MANY_REQUESTS:
        await quarantine(services, job, QuarantineReason.EXCEPTION, answer, asked)
        return QUARANTINED
    return ""


class Reports:
    """Reports to all workers what the answers during one drain show about the application. Resetting the failure count of a kind of request
    costs a transaction, so a count is reset only if it may be above zero.
    """

    def __init__(self, services: Services, job: Job) -> None:
        self._services = services
        self._job = job
        self._counted = set(RequestKind)  # kinds of requests whose failure count may be above zero

    def learn(self, state: TargetState) -> None:
        """Remember which kinds of requests have failure counts in *state*, which all workers share."""
        self._counted |= state.streaks.keys()

    async def notice(self, answer: Answer, asked: RequestKind) -> str:
        """Report *answer*. If it shows that the application works, reset the failure count of *asked* and return "". Otherwise return the
        result of this module's function `notice`.
        """
        if answer.verdict not in NO_ANSWER | NEEDS_SOMEBODY:
            await self.answered(asked)
            return ""
        self._counted.add(asked)
        return await notice(self._services, self._job, answer, asked)

    async def answered(self, asked: RequestKind) -> None:
        """Reset the failure count of requests of the kind *asked*. Does nothing if the count is known to be zero."""
        if asked in self._counted:
            self._counted.discard(asked)
            await answered(self._services, self._job, asked)


async def answered(services: Services, job: Job, asked: RequestKind) -> None:
    """Reset the failure count of requests of kind *asked*, because the application gave a usable response, even if it was a refusal."""
    async with transaction(services.pool) as connection:
        before = await target_state.note_answered(connection, job.id, asked)
    if before.streak(asked).breaks:
        log.info("application_answers", job=job.id, asked=asked.value, pauses=before.streak(asked).pauses)


async def quarantine(
    services: Services, job: Job, reason: QuarantineReason, answer: Answer, asked: RequestKind = RequestKind.PROBE
) -> None:
    """Put the job into quarantine. If it is already in quarantine for the same reason, count one more failed attempt (see
    `enter_quarantine`).
    """
    async with transaction(services.pool) as connection:
        await enter_quarantine(
            connection, services, job, reason, answer, needs_somebody=answer.verdict in NEEDS_SOMEBODY, asked=asked
        )


async def enter_quarantine(
    connection: Connection,
    services: Services,
    job: Job,
    reason: QuarantineReason,
    answer: Answer,
    *,
    needs_somebody: bool = True,
    asked: RequestKind = RequestKind.PROBE,
) -> datetime:
    """Do what `quarantine` does, in the caller's transaction. Returns the time of the next attempt.

    If the job is already in quarantine for the same reason, this changes nothing until the next attempt is due. *asked* is the kind of the
    failed request. The quarantines are counted separately for each kind except probes, until a request of that kind succeeds. The waits
    therefore keep growing even if probes succeed in between.
    """
    moment = services.moment()
    await jobs.lock_job(connection, job.id)
    row = await jobs.read_job(connection, job.id)
    before = (row.quarantine if row is not None else None) or {}
    is_same = before.get("reason") == reason.value
    if is_same and (attempt := datetime.fromisoformat(before["nextAttempt"])) > moment.now:
        return attempt
    count = int(before.get("seriesCount", 0)) + 1 if is_same else 1
    if asked is not RequestKind.PROBE:
        count = max(count, await target_state.note_stop(connection, job.id, asked))
    began = before.get("currentBegan") if is_same else moment.now.isoformat()
    due = next_attempt(
        reason,
        count,
        moment,
        leavers_waiting=await jobs.has_waiting_leavers(connection, job.id),
        needs_somebody=needs_somebody,
    )
    after = {
        "reason": reason.value,
        "currentBegan": began,
        "seriesBegan": before.get("seriesBegan") or began,
        "seriesCount": count,
        "nextAttempt": due.isoformat(),
        "error": error_row(answer),
    }
    await jobs.set_quarantine(connection, job.id, after)
    if not is_same:
        await _log(connection, job, answer, begins="Provisioning is in quarantine: ")
        await notifying.report_quarantine(connection, row or job.row, after)
    log.warning("job_quarantined", job=job.id, reason=reason.value, detail=answer.detail)
    return due


async def lift_quarantine(services: Services, job: Job) -> None:
    """End the quarantine: the application works again."""
    async with transaction(services.pool) as connection:
        await end_quarantine(connection, job)


async def end_quarantine(connection: Connection, job: Job) -> None:
    """Do what `lift_quarantine` does, in the caller's transaction."""
    await jobs.lock_job(connection, job.id)
    row = await jobs.read_job(connection, job.id)
    if row is not None:
        await notifying.report_end_of_quarantine(connection, row)
    await jobs.set_quarantine(connection, job.id, None)
    await target_state.note_answered(connection, job.id, RequestKind.PROBE)
    log.info("quarantine_lifted", job=job.id)


async def log_listing_given_up(connection: Connection, job: Job, kind: ObjectKind, answer: Answer) -> None:
    """Log that the list of accounts could not be used, and why. Lockstep then searches for each account, which costs one request per
    account.
    """
    what = "people" if kind is ObjectKind.USER else "groups"
    await _log(
        connection, job, answer, begins=f"The list of {what} cannot be used, so each object is read individually: "
    )


def error_row(answer: Answer) -> Row:
    """Convert *answer* to the form in which quarantines and pauses store it for display."""
    return {"code": answer.code, "message": answer.detail, "nextStep": answer.next_step}


async def _log(connection: Connection, job: Job, answer: Answer, *, begins: str = "") -> None:
    """Write an event that concerns the whole application to the provisioning log. Callers call this once, when the event begins."""
    record = record_of_application(job.row.app_display_name, answer, begins=begins)
    await provisioning_log.append(connection, job.id, job.row.app, [record])


def _status(answer: Answer) -> Any:
    return answer.exchanges[-1].status if answer.exchanges else None
