"""Previews of a whole application, and their objects: as JSON, as lines of a CSV file and of a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.applied_previews import LeftObject
from lockstep.actions.job_previews import PreviewedObject, PreviewRow
from lockstep.actions.rows.times import iso, iso_time
from lockstep.wording import counted, in_markdown

# By action: its sign, its name, and the words for a count ("12 to create").
ACTIONS: Mapping[str, tuple[str, str, str]] = {
    "delete": ("-", "Delete", "to delete"),
    "disable": ("o", "Disable", "to disable"),
    "release": ("o", "Stop managing", "no longer managed"),
    "refuse": ("!", "Cannot", "cannot"),
    "create": ("+", "Create", "to create"),
    "enable": ("~", "Enable", "to enable"),
    "update": ("~", "Update", "to update"),
    "link": ("=", "Link", "to link"),
    "skip": (".", "Skip", "skipped"),
    "none": (".", "No change", "unchanged"),
}
CSV_HEADER = (
    "action", "held", "nextCycle", "kind", "name", "displayName", "attribute", "oldValue", "newValue", "reason", "nextStep",
    "accountId", "id",
)  # fmt: skip
MARKDOWN_HEADER = ("|   | Name | Action | Changes | Why |", "|---|---|---|---|---|")


class PreviewJson(TypedDict):
    """A preview of a whole application. *state* is `waiting`, `running`, `done`, `failed` or `stopped`. *isStale* is true if the
    configuration has changed since the preview was made.

    *counts* has the number of objects for each action. `held` counts the writes that are kept back. `due` counts the writes that the next
    incremental cycle makes; a full cycle makes all writes.

    *difference* compares a complete preview with the previous complete one, whose number is `earlier`. `changed` counts objects that are
    new or are planned differently. `gone` counts objects that are only in the previous preview. *difference* is null if there is no
    previous preview, or if it is no longer kept.

    *appliedBy* is the number of the newest cycle that applied the preview. *left* is the number of objects that this cycle left out because
    their plan had changed.
    """

    id: int
    application: str
    state: str
    startedBy: str
    createdDateTime: str
    endedDateTime: str | None
    configurationVersion: int
    isStale: bool
    phase: str
    done: int
    total: int
    requests: int
    counts: dict[str, int]
    risks: list[dict[str, Any]]
    error: dict[str, Any] | None
    difference: dict[str, int] | None
    appliedBy: int | None
    left: int


class PreviewedObjectJson(TypedDict):
    """One object of a preview. *held* is true if a guard or a decision keeps the write back. *nextCycle* is true if the next incremental
    cycle looks at the object.
    """

    action: str
    held: bool
    nextCycle: bool
    kind: str
    id: str
    name: str
    displayName: str
    accountId: str
    effects: list[str]
    reason: str
    reasonCode: str
    nextStep: str
    modifiedProperties: list[dict[str, Any]]


class LeftObjectJson(TypedDict):
    """An object that was left out when a preview was applied. *planned* is the new plan. *previewed* is the plan in the preview, or null if
    the preview does not contain the object.
    """

    planned: PreviewedObjectJson
    previewed: PreviewedObjectJson | None


def left_json(one: LeftObject) -> LeftObjectJson:
    previewed = object_json(one.previewed) if one.previewed is not None else None
    return {"planned": object_json(one.planned), "previewed": previewed}


def preview_json(app: str, row: PreviewRow) -> PreviewJson:
    return {
        "id": row.id,
        "application": app,
        "state": row.state,
        "startedBy": row.started_by,
        "createdDateTime": iso_time(row.created_at),
        "endedDateTime": iso(row.ended_at),
        "configurationVersion": row.config_version,
        "isStale": row.is_stale,
        "phase": row.phase,
        "done": row.done,
        "total": row.total,
        "requests": row.requests,
        "counts": dict(row.counts),
        "risks": [dict(one) for one in row.risks],
        "error": dict(row.error) if row.error is not None else None,
        "difference": dict(row.difference) if row.difference is not None else None,
        "appliedBy": row.applied_by,
        "left": row.left,
    }


def object_json(one: PreviewedObject) -> PreviewedObjectJson:
    return {
        "action": one.action,
        "held": one.is_held,
        "nextCycle": one.is_due,
        "kind": one.kind,
        "id": one.id,
        "name": one.name,
        "displayName": one.display_name,
        "accountId": one.target_id,
        "effects": list(one.effects),
        "reason": one.reason,
        "reasonCode": one.code,
        "nextStep": one.next_step,
        "modifiedProperties": [dict(change) for change in one.changes],
    }


def csv_lines(one: PreviewedObject) -> list[list[Any]]:
    """Return one line for each changed attribute of the object. If no attribute changes, return one line whose attribute and values are
    empty.
    """
    lead = [one.action, one.is_held, one.is_due, one.kind, one.name, one.display_name]
    tail = [one.reason, one.next_step, one.target_id, one.id]
    changes: Sequence[Mapping[str, Any]] = one.changes or [{}]
    return [
        [*lead, change.get("displayName", ""), change.get("oldValue"), change.get("newValue"), *tail]
        for change in changes
    ]


def markdown_line(one: PreviewedObject) -> str:
    sign, word, _ = ACTIONS[one.action]
    changes = "<br>".join(_change_text(change) for change in one.changes)
    held = ", held for approval" if one.is_held else ""
    cells = (f"`{sign}`", in_markdown(one.title), f"{word}{held}", changes, in_markdown(one.reason))
    return f"| {' | '.join(cells)} |"


def summary_of(row: PreviewRow) -> str:
    """Return the counts as text: "12 to create, 31 to update, 152 unchanged"."""
    parts = [f"{row.counts[action]:,} {words}" for action, (_, _, words) in ACTIONS.items() if row.counts.get(action)]
    return ", ".join(parts) or "nothing to do: no person or group is in scope"


def markdown_head(app: str, row: PreviewRow) -> Iterator[str]:
    """Yield the lines above the table of objects."""
    yield f"### Preview {row.id} of {in_markdown(app)}: {summary_of(row)}"
    yield ""
    yield f"{counted(row.done, 'object')} planned. Nothing was written."
    yield ""
    for risk in row.risks:
        yield f"- {in_markdown(str(risk['text']))}"
    if row.risks:
        yield ""
    yield from MARKDOWN_HEADER


def _change_text(change: Mapping[str, Any]) -> str:
    old, new = change.get("oldValue"), change.get("newValue")
    was = f"~~{in_markdown(str(old))}~~ " if old not in (None, "") else ""
    return f"{in_markdown(str(change.get('displayName', '')))}: {was}{in_markdown(str(new)) if new not in (None, '') else '(empty)'}"
