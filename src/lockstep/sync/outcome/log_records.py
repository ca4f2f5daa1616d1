"""Build records of the provisioning log. A record does not repeat data that another table has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockstep.engine.decisions.steps import export_step
from lockstep.engine.decisions.value_fates import JudgedValue, steps_of
from lockstep.engine.plans import GuardCode, Plan, Step
from lockstep.engine.records import Action, Change
from lockstep.ports import Answer, Exchange
from lockstep.postgres.ids import new_id
from lockstep.storage.dirty import Claim
from lockstep.storage.log_record import LoggedContent, LoggedError, LoggedExchange, LogRecord
from lockstep.sync.outcome import causes
from lockstep.sync.outcome.causes import cause_of
from lockstep.sync.outcome.outcomes import Failure

SYSTEM = causes.SYSTEM
APPLICATION = "Application"  # the kind of records that concern no single object
_ACTIONS: Mapping[Action, str] = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.ENABLE: "update",
    Action.DISABLE: "disable",
    Action.DELETE: "delete",
}


def record_of(
    plan: Plan,
    *,
    change_id: str,
    cycle: int | None,
    initiated_by: str,
    answer: Answer | None = None,
    failure: Failure | None = None,
    seconds: float = 0.0,
    judged: Iterable[JudgedValue] = (),
    marks: Sequence[str] = (),
) -> LogRecord:
    """Build the record of a plan that was carried out, refused or skipped.

    *judged* is what a read showed about earlier writes; *marks* say why the object was evaluated.
    """
    status = _status(plan, answer, failure)
    steps = [*plan.steps, *steps_of(judged)]
    if answer is not None:
        steps += [_export(plan, answer), *steps_of(answer.judged)]
    account = answer.account if answer is not None else None
    error = _error(plan, failure, status)
    return LogRecord(
        id=new_id(),
        change_id=change_id,
        cycle=cycle,
        action=_action(plan),
        status=status,
        kind=plan.kind.value,
        source_id=plan.source_id,
        source_display=plan.display,
        reason=error.reason if error is not None else plan.reason.text,
        initiated_by=initiated_by,
        target_id=account.id if account is not None else plan.target_id,
        target_display=(account.display if account is not None else "")
        or (plan.link_to.display if plan.link_to else ""),
        duration_ms=round(seconds * 1000),
        cause=cause_of(plan, marks, initiated_by=initiated_by),
        steps=tuple(steps),
        changes=plan.changes,
        error=error,
        exchanges=logged_exchanges(answer, whole=status == "failure" or initiated_by != SYSTEM),
    )


def record_of_members(
    claim: Claim,
    plan: Plan,
    step: Step,
    *,
    change_id: str,
    initiated_by: str,
    changes: Sequence[Change] = (),
    answer: Answer | None = None,
    failure: Failure | None = None,
) -> LogRecord:
    """Build the record of a membership change in the group of *plan*. *step* describes the result."""
    return LogRecord(
        id=new_id(),
        change_id=change_id,
        cycle=claim.cycle,
        action=_ACTIONS[Action.UPDATE],
        status="success" if failure is None else "failure",
        kind=plan.kind.value,
        source_id=claim.source_id,
        source_display=plan.display,
        reason=step.description,
        initiated_by=initiated_by,
        target_id=plan.target_id,
        steps=(step,),
        changes=tuple(changes),
        error=_logged_error(failure) if failure is not None else None,
        exchanges=logged_exchanges(answer, whole=failure is not None),
    )


def _action(plan: Plan) -> str:
    """Return Entra's word for the action. If a write that ends access is held, the word is `stagedDelete`."""
    if plan.action is Action.HELD and (plan.held_action is None or plan.held_by is GuardCode.LOSSES):
        return "stagedDelete"
    return _ACTIONS.get(plan.held_action or plan.action, "other")


def _status(plan: Plan, answer: Answer | None, failure: Failure | None) -> str:
    if failure is not None or plan.action is Action.REFUSE:
        return "failure"
    if plan.action is Action.HELD:
        return "warning"
    if answer is not None or plan.action in (Action.LINK, Action.RELEASE):
        return "success"
    return "skipped"


def _export(plan: Plan, answer: Answer) -> Step:
    last = answer.exchanges[-1] if answer.exchanges else None
    status = f" (HTTP {last.status})" if last is not None and last.status is not None else ""
    text = answer.detail or f"The application accepted the change{status}."
    return export_step(
        plan, succeeded=answer.is_done, description=text, details={"requestId": last.request_id} if last else {}
    )


def _error(plan: Plan, failure: Failure | None, status: str) -> LoggedError | None:
    if status == "success":
        return None
    category = "failure" if status == "failure" else "nonServiceFailure"
    if failure is not None:
        return replace(_logged_error(failure), category=category)
    reason = plan.reason
    return LoggedError(reason.code, reason.text, reason.next_step, reason.details, category)


def record_of_application(display: str, answer: Answer, *, begins: str = "") -> LogRecord:
    """Build the record of an event that concerns the whole application, such as that it does not respond or is paused."""
    failure = Failure(answer.code, f"{begins}{answer.detail}", answer.next_step)
    return _failed(failure, answer, kind=APPLICATION, source_id=None, display=display)


def record_of_failure(
    claim: Claim, failure: Failure, answer: Answer | None = None, *, display: str = "", initiated_by: str = SYSTEM
) -> LogRecord:
    """Build the record of an object that failed before it had a plan. Either the object could not be read, or its outcome could not be
    stored.
    """
    record = _failed(failure, answer, kind=claim.kind, source_id=claim.source_id, display=display)
    return replace(record, cycle=claim.cycle, initiated_by=initiated_by)


def _failed(failure: Failure, answer: Answer | None, *, kind: str, source_id: str | None, display: str) -> LogRecord:
    seconds = sum(one.seconds for one in answer.exchanges) if answer is not None else 0.0
    return LogRecord(
        id=new_id(),
        change_id=new_id(),
        cycle=None,
        action="other",
        status="failure",
        kind=kind,
        source_id=source_id,
        source_display=display,
        reason=failure.reason,
        initiated_by=SYSTEM,
        duration_ms=int(seconds * 1000),
        error=_logged_error(failure),
        exchanges=logged_exchanges(answer, whole=True),
    )


def _logged_error(failure: Failure) -> LoggedError:
    return LoggedError(failure.code, failure.reason, failure.next_step)


def as_failure(record: LogRecord, failure: Failure) -> LogRecord:
    """Return a copy of *record* that reports a failure, for the case that the application made the change but the outcome could not be
    stored.
    """
    return replace(record, status="failure", reason=failure.reason, error=_logged_error(failure))


def as_success(record: LogRecord) -> LogRecord:
    """Return *record* changed to a success, because it turned out that the application made the change."""
    return replace(record, status="success", error=None)


def logged_exchanges(answer: Answer | None, *, whole: bool) -> tuple[LoggedExchange, ...]:
    """Return the HTTP exchanges that *answer* contains. The URL and the bodies are included only if *whole* is true. It is true for records
    that a person will read.
    """
    return tuple(_logged_exchange(one, whole=whole) for one in answer.exchanges) if answer is not None else ()


def _logged_exchange(exchange: Exchange, *, whole: bool) -> LoggedExchange:
    content = LoggedContent(exchange.url, exchange.request_body, exchange.response_body) if whole else None
    return LoggedExchange(
        exchange.method,
        exchange.status,
        round(exchange.seconds, 4),
        exchange.request_id,
        content,
        exchange.shares_request,
    )


def changes_document(changes: Sequence[Change]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changed values before and after a write, by path, as the journal stores them. Redacted values are left out."""
    shown = [change for change in changes if not change.redacted]
    return {one.path: one.old for one in shown}, {one.path: one.new for one in shown}
