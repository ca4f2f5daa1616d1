"""Records of the provisioning log, in the shape that Graph gives them; what can be read from elsewhere is not repeated in each.

Redacted values never enter a record.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lockstep.engine.decisions.kept import Judged, steps_of
from lockstep.engine.decisions.safeguards import GuardCode
from lockstep.engine.decisions.steps import REDACTED, export_step
from lockstep.engine.records import Action, Change, Plan, Step
from lockstep.ports import Answer, Exchange
from lockstep.storage.dirty import Claim
from lockstep.sync.outcome import causes
from lockstep.sync.outcome.causes import cause_of
from lockstep.sync.outcome.outcomes import Failure

SYSTEM = causes.SYSTEM
APPLICATION = "Application"  # the kind of records that are about no object
_ACTIONS: Mapping[Action, str] = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.ENABLE: "update",
    Action.DISABLE: "disable",
    Action.DELETE: "delete",
}


def new_id() -> str:
    """A GUID that begins with the time (RFC 9562, version 7), so that rows written together lie together."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    number = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=number))


def record_of(
    plan: Plan,
    *,
    change_id: str,
    cycle: int | None,
    initiated_by: str,
    answer: Answer | None = None,
    failure: Failure | None = None,
    seconds: float = 0.0,
    judged: Iterable[Judged] = (),
    marks: Sequence[str] = (),
) -> dict[str, Any]:
    """The row of one plan that was carried out, refused or skipped.

    *judged*: what a reading showed of earlier writes; *marks*: why the object was looked at.
    """
    status = _status(plan, answer, failure)
    steps = [*plan.steps, *steps_of(judged)]
    if answer is not None:
        steps += [_export(plan, answer), *steps_of(answer.judged)]
    target_id = answer.account.id if answer is not None and answer.account is not None else plan.target_id
    error = _error(plan, failure, status)
    target = answer.account.display if answer is not None and answer.account is not None else ""
    return {
        "id": new_id(),
        "change_id": change_id,
        "cycle": cycle,
        "action": _action(plan),
        "status": status,
        "kind": plan.kind.value,
        "source_id": plan.source_id,
        "source_display": plan.display,
        "target_id": target_id,
        "target_display": target or (plan.link_to.display if plan.link_to else ""),
        "error_code": error["errorCode"] if error else "",
        "reason": error["reason"] if error else plan.reason.text,
        "duration_ms": round(seconds * 1000),
        "initiated_by": initiated_by,
        "record": {
            "cause": cause_of(plan, marks, initiated_by=initiated_by),
            "steps": [step_row(step) for step in steps],
            "modifiedProperties": [change_row(change) for change in plan.changes],
            "errorInformation": error,
            "exchanges": exchange_rows(answer, whole=status == "failure" or initiated_by != SYSTEM),
        },
    }


def _action(plan: Plan) -> str:
    """Entra's word; a held loss of access is a staged delete."""
    if plan.action is Action.HELD and (plan.held_action is None or plan.reason.code == GuardCode.LOSSES):
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


def _error(plan: Plan, failure: Failure | None, status: str) -> dict[str, Any] | None:
    if status == "success":
        return None
    reason = plan.reason
    return {
        "errorCode": failure.code if failure else reason.code,
        "reason": failure.reason if failure else reason.text,
        "additionalDetails": {} if failure else dict(reason.details),
        "errorCategory": "failure" if status == "failure" else "nonServiceFailure",
        "recommendedAction": failure.next_step if failure else reason.next_step,
    }


def record_of_application(display: str, answer: Answer, *, begins: str = "") -> dict[str, Any]:
    """The row of what concerns an application as a whole: it does not answer, or it is left alone."""
    failure = Failure(answer.code, f"{begins}{answer.detail}", answer.next_step)
    return _failed_row(failure, answer, kind=APPLICATION, source_id=None, display=display)


def record_of_failure(
    claim: Claim, failure: Failure, answer: Answer | None = None, *, display: str = "", initiated_by: str = SYSTEM
) -> dict[str, Any]:
    """The row of an object that failed before it had a plan: it could not be looked at, or its outcome not be kept."""
    row = _failed_row(failure, answer, kind=claim.kind, source_id=claim.source_id, display=display)
    return {**row, "cycle": claim.cycle, "initiated_by": initiated_by}


def _failed_row(
    failure: Failure, answer: Answer | None, *, kind: str, source_id: str | None, display: str
) -> dict[str, Any]:
    seconds = sum(one.seconds for one in answer.exchanges) if answer is not None else 0.0
    return {
        "id": new_id(),
        "change_id": new_id(),
        "cycle": None,
        "action": "other",
        "status": "failure",
        "kind": kind,
        "source_id": source_id,
        "source_display": display,
        "target_id": "",
        "target_display": "",
        "error_code": failure.code,
        "reason": failure.reason,
        "duration_ms": int(seconds * 1000),
        "initiated_by": SYSTEM,
        "record": {
            "steps": [],
            "modifiedProperties": [],
            "errorInformation": _error_information(failure),
            "exchanges": exchange_rows(answer, whole=True),
        },
    }


def _error_information(failure: Failure) -> dict[str, Any]:
    return {
        "errorCode": failure.code,
        "reason": failure.reason,
        "additionalDetails": {},
        "errorCategory": "failure",
        "recommendedAction": failure.next_step,
    }


def as_failure(row: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """The same event where it turned out that it cannot be kept, although the application did its part."""
    record = {**row["record"], "errorInformation": _error_information(failure)}
    return {**row, "status": "failure", "error_code": failure.code, "reason": failure.reason, "record": record}


def step_row(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "provisioningStepType": step.type.value,
        "status": step.status.value,
        "description": step.description,
        "details": dict(step.details),
    }


def change_row(change: Change) -> dict[str, Any]:
    if change.redacted:
        return {
            "displayName": change.path,
            "oldValue": REDACTED if change.old is not None else None,
            "newValue": REDACTED,
        }
    return {"displayName": change.path, "oldValue": _text(change.old), "newValue": _text(change.new)}


def exchange_rows(answer: Answer | None, *, whole: bool) -> list[dict[str, Any]]:
    """The exchanges of *answer*. Only those that somebody will look at are rendered *whole*, with URL and bodies.

    What an accepted write sent stands in the modified properties already.
    """
    if answer is None:
        return []
    if whole:
        return [exchange_row(one) for one in answer.exchanges]
    return [
        {"method": one.method, "status": one.status, "seconds": round(one.seconds, 4), "requestId": one.request_id}
        for one in answer.exchanges
    ]


def exchange_row(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": exchange.method,
        "url": exchange.url,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
        "requestBody": exchange.request_body,
        "responseBody": exchange.response_body,
        "requestId": exchange.request_id,
    }


def changes_document(changes: Sequence[Change]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the journal keeps of a write: before and after, by path. Redacted values are left out of both."""
    shown = [change for change in changes if not change.redacted]
    return {one.path: one.old for one in shown}, {one.path: one.new for one in shown}


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, Mapping):
        return str(value.get("value", dict(value)))
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) or "" for item in value)
    return str(value)
