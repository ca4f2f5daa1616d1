"""Events of a timeline as JSON, with the sentences that the pages and the command line show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from lockstep.actions.person_sign_in.outcomes import meaning_of
from lockstep.actions.record_sentence import sentence_of
from lockstep.actions.rows.times import iso_time
from lockstep.actions.timeline import MOST_NAMED, Event
from lockstep.storage.changes import ChangeRow
from lockstep.storage.provisioning_log import LogRow
from lockstep.storage.sign_in_log import SignInRow

_CHANGED: Mapping[str, str] = {"memberAdded": "Members added", "memberRemoved": "Members removed"}
_ASSIGNMENTS: Mapping[str, str] = {"assigned": "Assigned to", "unassigned": "No longer assigned to"}


class ValueChangeJson(TypedDict):
    """The old and the new value of one attribute. Managers and members are given by name. If there are many members, only the first ones
    are named and the number of the others is given.
    """

    attribute: str
    before: Any
    after: Any


class TimelineEventJson(TypedDict):
    """One event of a timeline. *kind* is `directory`, `provisioning` or `signIn`. *id* is the number of the directory's change, the id of
    the change in the provisioning log, or the id of the sign-in.

    *application* is the display name, and "" for the directory. *result* is the status of the record or the result of the sign-in; "" for
    the directory. *by* is who did it, and "" for Lockstep itself and for sign-ins.
    """

    time: str
    kind: Literal["directory", "provisioning", "signIn"]
    id: str
    application: str
    event: str
    result: str
    by: str
    detail: str
    changes: list[ValueChangeJson]


def event_json(event: Event, names: Mapping[str, str], apps: Mapping[str, str]) -> TimelineEventJson:
    """Return *event* as JSON. *names* maps the ids of managers and members to their names. *apps* maps the short names of applications to
    their display names.
    """
    if event.sign_in is not None:
        return _of_sign_in(event, event.sign_in)
    if event.change is not None:
        return _of_change(event.change, names, apps)
    assert event.record is not None  # noqa: S101  # an event is a sign-in, a change or a record
    return _of_record(event, event.record)


def _of_sign_in(event: Event, row: SignInRow) -> TimelineEventJson:
    said = f"Signed in to {event.app}" if row.result == "success" else f"Could not sign in to {event.app}"
    detail = ", ".join(part for part in (meaning_of(row.code), f"from {row.address}" if row.address else "") if part)
    return {
        "time": iso_time(row.at),
        "kind": "signIn",
        "id": row.id,
        "application": event.app,
        "event": said,
        "result": row.result,
        "by": "",
        "detail": detail,
        "changes": [],
    }


def _of_change(change: ChangeRow, names: Mapping[str, str], apps: Mapping[str, str]) -> TimelineEventJson:
    before, after = change.before or {}, change.after or {}
    app = apps.get(str({**before, **after}.get("application")))
    is_assignment = app is not None and change.what in _ASSIGNMENTS
    said = _CHANGED.get(change.what, f"{change.what.capitalize()} in the directory")
    changes: list[ValueChangeJson] = [
        {"attribute": name, "before": _shown(before.get(name), names), "after": _shown(after.get(name), names)}
        for name in change.changed
    ]
    return {
        "time": iso_time(change.at),
        "kind": "directory",
        "id": str(change.seq),
        "application": "",
        "event": f"{_ASSIGNMENTS[change.what]} {app}" if is_assignment else said,
        "result": "",
        "by": change.actor,
        "detail": "",
        "changes": [] if is_assignment else changes,
    }


def _of_record(event: Event, row: LogRow) -> TimelineEventJson:
    said = sentence_of(row, event.app)
    changed: Sequence[Mapping[str, Any]] = row.record.get("modifiedProperties") or []
    return {
        "time": iso_time(row.at),
        "kind": "provisioning",
        "id": row.change_id,
        "application": event.app,
        "event": said[0].upper() + said[1:],
        "result": row.status,
        "by": "" if row.initiated_by == "system" else row.initiated_by,
        "detail": row.reason,
        "changes": [
            {"attribute": one["displayName"], "before": one.get("oldValue"), "after": one.get("newValue")}
            for one in changed
        ],
    }


def _shown(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        some = ", ".join(names.get(str(one), str(one)) for one in value[:MOST_NAMED])
        return some + (f" and {len(value) - MOST_NAMED:,} more" if len(value) > MOST_NAMED else "")
    return names.get(value, value) if isinstance(value, str) else value
