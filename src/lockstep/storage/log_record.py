"""One record of the provisioning log and its JSON, which has the form of Microsoft Graph.

Redacted values are replaced here, when a record becomes JSON, so no other code can store them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.engine.decisions.steps import REDACTED
from lockstep.engine.plans import Step
from lockstep.engine.records import Change
from lockstep.storage.batches import Row


@dataclass(frozen=True, slots=True)
class LoggedError:
    """The error of a record that is not a success. *category* is `failure`, or `nonServiceFailure` for a record for which nothing went
    wrong, such as a skip.
    """

    code: str
    reason: str
    next_step: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    category: str = "failure"

    def as_json(self) -> dict[str, Any]:
        return {
            "errorCode": self.code,
            "reason": self.reason,
            "additionalDetails": self.details,
            "errorCategory": self.category,
            "recommendedAction": self.next_step,
        }


@dataclass(frozen=True, slots=True)
class LoggedExchange:
    """One HTTP exchange as a record stores it, without secrets."""

    method: str
    status: int | None
    seconds: float
    request_id: str
    content: LoggedContent | None = None  # None for an accepted write: its record shows the changes instead
    shares_request: bool = False  # part of a bulk request that another record has; not stored

    def as_json(self) -> dict[str, Any]:
        short = {"method": self.method, "status": self.status, "seconds": self.seconds, "requestId": self.request_id}
        return {**short, **self.content.as_json()} if self.content is not None else short


@dataclass(frozen=True, slots=True)
class LoggedContent:
    """The URL and both bodies of an exchange, cut to the size limit of the log."""

    url: str
    request_body: str
    response_body: str

    def as_json(self) -> dict[str, Any]:
        return {"url": self.url, "requestBody": self.request_body, "responseBody": self.response_body}


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One entry of the provisioning log: the action, its object, its outcome and the reasons.

    *change_id* is the id of the operation, if one was sent. *reason* is the reason of the error, if there is one. *source_id* is None for
    an event that concerns the whole application.
    """

    id: str
    change_id: str
    cycle: int | None
    action: str
    status: str
    kind: str
    source_id: str | None
    source_display: str
    reason: str
    initiated_by: str
    target_id: str = ""
    target_display: str = ""
    duration_ms: int = 0
    cause: str = ""
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    error: LoggedError | None = None
    exchanges: tuple[LoggedExchange, ...] = ()

    @property
    def error_code(self) -> str:
        return self.error.code if self.error is not None else ""

    def details(self) -> dict[str, Any]:
        """The part of the record that is stored as one JSON document."""
        return {
            "cause": self.cause,
            "steps": [step_json(step) for step in self.steps],
            "modifiedProperties": [change_json(change) for change in self.changes],
            "errorInformation": self.error.as_json() if self.error is not None else None,
            "exchanges": [exchange.as_json() for exchange in self.exchanges],
        }

    def as_row(self) -> Row:
        return {
            "id": self.id,
            "change_id": self.change_id,
            "cycle": self.cycle,
            "action": self.action,
            "status": self.status,
            "kind": self.kind,
            "source_id": self.source_id,
            "source_display": self.source_display,
            "target_id": self.target_id,
            "target_display": self.target_display,
            "error_code": self.error_code,
            "reason": self.reason,
            "duration_ms": self.duration_ms,
            "initiated_by": self.initiated_by,
            "record": self.details(),
        }


_STEP = {"name": "", "provisioningStepType": "", "status": "", "description": "", "details": {}}
_CHANGE = {"displayName": "", "oldValue": None, "newValue": None}
_ERROR = LoggedError("", "").as_json()
_EXCHANGE = LoggedExchange("", None, 0.0, "", LoggedContent("", "", "")).as_json()


def complete_details(stored: object) -> dict[str, Any]:
    """Return the details of a stored record, and add the members of `LogRecord.details` that are missing. An older version or another
    program may have omitted some.
    """
    given = stored if isinstance(stored, Mapping) else {}
    return {
        "cause": given.get("cause") or "",
        "steps": _complete_all(_STEP, given.get("steps")),
        "modifiedProperties": _complete_all(_CHANGE, given.get("modifiedProperties")),
        "errorInformation": _complete(_ERROR, given["errorInformation"]) if given.get("errorInformation") else None,
        "exchanges": _complete_all(_EXCHANGE, given.get("exchanges")),
    }


def _complete_all(form: Mapping[str, Any], stored: object) -> list[dict[str, Any]]:
    return [_complete(form, one) for one in stored] if isinstance(stored, list) else []


def _complete(form: Mapping[str, Any], stored: object) -> dict[str, Any]:
    given = stored if isinstance(stored, Mapping) else {}
    return {**form, **{key: value for key, value in given.items() if value is not None}}


def step_json(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "provisioningStepType": step.type,
        "status": step.status,
        "description": step.description,
        "details": step.details if step.details.__class__ is dict else dict(step.details),
    }


def change_json(change: Change) -> dict[str, Any]:
    if change.redacted:
        return {
            "displayName": change.path,
            "oldValue": REDACTED if change.old is not None else None,
            "newValue": REDACTED,
        }
    return {"displayName": change.path, "oldValue": _text(change.old), "newValue": _text(change.new)}


def _text(value: object) -> str | None:
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, Mapping):
        return str(value.get("value", dict(value)))
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) or "" for item in value)
    return str(value)
