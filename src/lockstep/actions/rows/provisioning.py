"""Status, cycles, pushes, links, orphans and held writes, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.held import HeldWrite
from lockstep.actions.links import LinkRow, Orphan
from lockstep.actions.provisioning import Cycle, PushResult
from lockstep.actions.rows.times import iso, iso_time
from lockstep.actions.status import JobStatus


class CycleJson(TypedDict):
    id: int
    job: str
    kind: str
    state: str
    phase: str
    startedDateTime: str
    endedDateTime: str | None
    done: int
    total: int
    requests: int
    counts: Mapping[str, int]
    error: Mapping[str, Any] | None
    preview: int | None  # the preview that the cycle applies


class ProgressJson(TypedDict):
    done: int
    total: int
    phase: str


class StatusJson(TypedDict):
    application: str
    displayName: str
    job: str
    code: str
    standing: str
    sentence: str
    nextStep: str
    worker: bool
    progress: ProgressJson | None
    runningCycle: CycleJson | None
    lastCycle: CycleJson | None
    links: Mapping[str, int]
    waiting: int
    failing: int
    failingLeavers: int
    scheduled: int
    slowed: int
    held: int
    rejected: int
    maybeCreated: int
    nextCycleDateTime: str | None
    steadyDateTime: str | None
    pausedDateTime: str | None
    pausedBy: str
    quarantine: Mapping[str, Any] | None
    trouble: Mapping[str, Any] | None
    notKept: list[str]
    unverifiedGroups: int


class PushJson(TypedDict):
    id: str
    name: str
    status: str
    action: str
    reason: str
    changeId: str
    targetId: str
    provisioningSteps: list[dict[str, Any]]
    modifiedProperties: list[dict[str, Any]]
    errorInformation: Mapping[str, Any] | None


class LinkJson(TypedDict):
    id: str
    name: str
    kind: str
    state: str
    account: str
    matchedBy: str
    cause: str
    since: str
    nextSearch: str | None  # when a sought account is looked for again


class OwnerJson(TypedDict):
    name: str
    score: float
    why: str


class OrphanJson(TypedDict):
    kind: str
    account: str
    name: str
    madeFor: str
    owner: str
    why: str
    owners: list[OwnerJson]


class HeldJson(TypedDict):
    id: str
    kind: str
    action: str
    what: str
    name: str
    sourceId: str
    account: str
    reason: str
    why: str
    code: str
    heldBecause: str
    since: str


def cycle_json(cycle: Cycle) -> CycleJson:
    return {
        "id": cycle.id,
        "job": cycle.job,
        "kind": cycle.kind,
        "state": cycle.state,
        "phase": cycle.phase,
        "startedDateTime": iso_time(cycle.started_at),
        "endedDateTime": iso(cycle.ended_at),
        "done": cycle.done,
        "total": cycle.total,
        "requests": cycle.requests,
        "counts": dict(cycle.counts),
        "error": cycle.error,
        "preview": cycle.preview,
    }


def status_json(one: JobStatus) -> StatusJson:
    done, total, phase = one.progress
    return {
        "application": one.app,
        "displayName": one.display_name,
        "job": one.job,
        "code": one.code,
        "standing": one.headline.standing.value,
        "sentence": one.sentence,
        "nextStep": one.headline.next_step,
        "worker": one.has_worker,
        "progress": {"done": done, "total": total, "phase": phase} if one.running else None,
        "runningCycle": cycle_json(one.running) if one.running else None,
        "lastCycle": cycle_json(one.last) if one.last else None,
        "links": dict(one.links),
        "waiting": one.waiting,
        "failing": one.escrowed,
        "failingLeavers": one.backlog.leavers,
        "scheduled": one.backlog.scheduled,
        "slowed": one.backlog.slowed,
        "held": one.held,
        "rejected": one.rejected,
        "maybeCreated": one.maybe_created,
        "nextCycleDateTime": iso(one.next_cycle_at),
        "steadyDateTime": iso(one.steady_at),
        "pausedDateTime": iso(one.paused_at),
        "pausedBy": one.paused_by,
        "quarantine": one.quarantine,
        "trouble": one.trouble,
        "notKept": list(one.not_kept),
        "unverifiedGroups": one.unverified_groups,
    }


def push_json(app: str, name: str, one: PushResult) -> PushJson:
    """Return the result of a push for one object. *name* is the caller's name for the object."""
    record = one.record
    done = record.details() if record is not None else {}
    return {
        "id": one.source_id,
        "name": (record.source_display if record is not None else "") or name,
        "status": record.status if record is not None else "success" if one.counted and not one.problem else "waiting",
        "action": record.action if record is not None else "",
        "reason": (record.reason if record is not None else "") or push_problem(app, one),
        "changeId": record.change_id if record is not None else "",
        "targetId": record.target_id if record is not None else "",
        "provisioningSteps": done.get("steps", []),
        "modifiedProperties": done.get("modifiedProperties", []),
        "errorInformation": done.get("errorInformation"),
    }


def push_problem(app: str, one: PushResult) -> str:
    """Return the reason why a push has not finished the object. Returns "" if the push finished the object, even if there was nothing to
    record.
    """
    return one.problem or ("" if one.counted else f"Not done yet. See why: lockstep status {app}")


def link_json(row: LinkRow) -> LinkJson:
    return {
        "id": row.source_id,
        "name": row.display or row.source_id,
        "kind": row.kind,
        "state": row.state,
        "account": row.target_id,
        "matchedBy": row.matched_by,
        "cause": row.cause,
        "since": iso_time(row.updated_at),
        "nextSearch": iso(row.next_search_at),
    }


def orphans_json(found: Sequence[Orphan]) -> list[OrphanJson]:
    return [
        {
            "kind": one.kind,
            "account": one.target_id,
            "name": one.display,
            "madeFor": one.made.display if one.made is not None else "",
            "owner": one.owners[0].display if one.owners else "",
            "why": one.owners[0].why if one.owners else "",
            "owners": [{"name": owner.display, "score": owner.score, "why": owner.why} for owner in one.owners],
        }
        for one in found
    ]


def held_json(one: HeldWrite) -> HeldJson:
    return {
        "id": one.id,
        "kind": one.kind,
        "action": one.action,
        "what": one.what,
        "name": one.name,
        "sourceId": one.source_id,
        "account": one.account,
        "reason": one.reason,
        "why": one.why,
        "code": one.guard.value,
        "heldBecause": one.held_by,
        "since": iso_time(one.since),
    }
