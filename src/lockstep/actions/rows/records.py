"""Audit entries and sources, as JSON. The provisioning log has Microsoft Graph's form: `actions.logs.as_graph`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.audit import AuditRow
from lockstep.actions.rows.times import iso, iso_time
from lockstep.actions.source_decisions import mark_of
from lockstep.actions.source_keys import KeyChange
from lockstep.actions.source_runs import RunRow, pass_record
from lockstep.actions.sources import PassResult, SourceView
from lockstep.actions.uploads import UploadRow


class AuditJson(TypedDict):
    number: int
    at: str
    actor: str
    activity: str
    object: str
    before: Any
    after: Any
    hash: str


class KeyChangeJson(TypedDict):
    """The result of changing the key column to *key*. *people* counts the people who have a new key. *absent* counts the people of the
    source who are not in the file: they keep the old key, and leave at the next import.
    """

    key: str
    people: int
    absent: int


class SourceJson(TypedDict):
    name: str
    kind: str
    displayName: str
    people: int
    groups: int
    waiting: str
    readAt: str | None
    nextReadAt: str | None
    failure: str


class SourceDetailsJson(SourceJson):
    config: Mapping[str, Any]
    keys: Mapping[str, Any]
    held: Mapping[str, Sequence[str]]
    shown: str  # sent back to confirm the held changes


def audit_json(entry: AuditRow) -> AuditJson:
    return {
        "number": entry.seq,
        "at": iso_time(entry.at),
        "actor": entry.actor,
        "activity": entry.activity,
        "object": entry.object,
        "before": entry.before,
        "after": entry.after,
        "hash": bytes(entry.hash).hex(),
    }


def key_change_json(done: KeyChange) -> KeyChangeJson:
    return {"key": done.key, "people": done.people, "absent": done.absent}


def source_json(view: SourceView) -> SourceJson:
    return {
        "name": view.source.name,
        "kind": view.source.kind,
        "displayName": view.source.display_name,
        "people": view.counts["people"],
        "groups": view.counts["groups"],
        "waiting": "; ".join(hold.reason for hold in view.holds),
        "readAt": iso(view.read_at),
        "nextReadAt": iso(view.next_read_at),
        "failure": view.failure,
    }


def source_details_json(view: SourceView, held: Mapping[str, Sequence[str]]) -> SourceDetailsJson:
    return {
        **source_json(view),
        "config": dict(view.source.config),
        "keys": (view.source.watermark or {}).get("keys", {}),
        "held": held,
        "shown": mark_of(view.holds),
    }


def pass_json(result: PassResult) -> dict[str, Any]:
    """Return the result of one pass over a source as JSON."""
    return pass_record(result)


class RunJson(TypedDict):
    id: int
    source: str
    at: str
    actor: str
    fileName: str
    passes: Sequence[Mapping[str, Any]]
    failure: str


class UploadJson(TypedDict):
    id: str
    source: str
    fileName: str
    size: int
    config: Mapping[str, Any]
    rehearsal: Mapping[str, Any] | None
    imported: Mapping[str, Any] | None


def run_json(run: RunRow) -> RunJson:
    return {
        "id": run.id,
        "source": run.source,
        "at": iso_time(run.at),
        "actor": run.actor,
        "fileName": run.file_name,
        "passes": run.passes,
        "failure": run.failure,
    }


def upload_json(upload: UploadRow) -> UploadJson:
    return {
        "id": upload.id,
        "source": upload.source,
        "fileName": upload.file_name,
        "size": upload.size,
        "config": upload.config,
        "rehearsal": upload.rehearsal,
        "imported": upload.imported,
    }
