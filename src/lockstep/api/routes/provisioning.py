"""Status, cycles, start and pause, provisioning on demand, held writes, explanations and previews."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import explaining, held, previews, provisioning, status
from lockstep.actions.held import REASONS
from lockstep.actions.provisioning import USUAL_RESTART, JobRow, ResetScope
from lockstep.actions.rows.plans import ExplanationJson, PlanJson, explanation_json, plan_json
from lockstep.actions.rows.provisioning import (
    CycleJson,
    HeldJson,
    PushJson,
    StatusJson,
    cycle_json,
    held_json,
    push_json,
    status_json,
)
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, words
from lockstep.api.paging import Asking, Page, page, page_of_rows
from lockstep.api.shapes import NEXT_LOOK, AppName, Body, Name, Names, Text, rooted
from lockstep.errors import invalid, not_found

router = router_of("Provisioning")
_HELD = (Selects("name", "co", "search"), Selects("reason", "eq", "reasons", lambda value: [words(*REASONS)(value)]))


_REMOVES_LINKS = "removes all links to accounts of {app}, and everyone is matched again"
_CONSENT = {
    ResetScope.FULL: _REMOVES_LINKS,
    ResetScope.CONNECTOR_DATA_STORE: _REMOVES_LINKS,
    ResetScope.FORCE_DELETES: "approves all held writes of {app}",
}


class SwitchedJson(TypedDict):
    application: str
    job: str
    status: str


class CountedJson(TypedDict):
    application: str
    count: int


class DecidedJson(TypedDict):
    application: str
    decision: str
    count: int


class QuarantineJson(TypedDict):
    application: str
    triesAgain: bool


class Start(Body):
    """Options for switching provisioning on. After a restore, *asOfBackup* accepts the people in the backup as current."""

    as_of_backup: bool = False


class Restart(Body):
    """*reset* names the state to clear: by default quarantine, watermark and retry list. Removing links (Full, ConnectorDataStore) and
    approving held writes (ForceDeletes) require *confirm*.
    """

    reset: list[ResetScope] | None = Field(None, examples=[["QuarantineState", "Watermark", "Escrows"]])
    confirm: bool = False


class RunCycle(Body):
    """Options for the cycle. With *full*, everybody is evaluated again and the application's accounts are listed."""

    full: bool = False


class Push(Body):
    """The people and groups to provision. With *again*, also send values that were sent before but that the application did not keep."""

    users: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list, examples=[["kim.berg@contoso.test"]]
    )
    groups: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    again: bool = False


class Preview(Body):
    users: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list, examples=[["kim.berg@contoso.test"]]
    )
    groups: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)


class Retry(Body):
    """The failed objects to retry: all, only these people, or only the objects that failed with *code*."""

    users: Names = Field(default_factory=list)
    code: Text = ""


class Decision(Body):
    """The held writes to decide about, by id. If *rejected* is true, an approval is for writes that were rejected earlier, not for held
    ones.
    """

    ids: Names = Field(min_length=1)
    rejected: bool = False


@router.get("/status")
async def list_status(context: Asked, query: Asking) -> Page[StatusJson]:
    """List the status of all applications."""
    return page_of_rows(query, [status_json(one) for one in await status.list_status(context)], key="application")


@router.get("/applications/{app}/status")
async def show_status(context: Asked, app: AppName) -> StatusJson:
    """Show the status of one application: what provisioning is doing now, what is waiting and why, and what to do."""
    return status_json(await status.show_status(context, app))


@router.get("/applications/{app}/cycles")
async def list_cycles(context: Asked, query: Asking, app: AppName) -> Page[CycleJson]:
    """List the cycles, newest first."""
    query.refuse_sort("-id")
    selected(query.filter, ())
    found = await status.list_cycles(context, app, limit=query.limit + 1, below=query.after(int) or 0)
    return page(query, [cycle_json(one) for one in found], lambda last: last["id"])


@router.get("/applications/{app}/cycles/{cycle}")
async def show_cycle(context: Asked, app: AppName, cycle: int) -> CycleJson:
    if not 0 < cycle < 2**62:
        raise not_found(f"There is no cycle {cycle}")
    return cycle_json(await status.show_cycle(context, app, cycle))


@router.post("/applications/{app}/start")
async def start(context: Asked, app: AppName, body: Start) -> SwitchedJson:
    """Switch provisioning on. The first start runs an initial cycle; later ones continue where provisioning stopped. A quarantine ends."""
    return _switched(await provisioning.start(context, app, as_of_backup=body.as_of_backup), "on")


@router.post("/applications/{app}/pause")
async def pause(context: Asked, app: AppName) -> SwitchedJson:
    """Switch provisioning off. Requests in progress are finished; the state is kept."""
    return _switched(await provisioning.pause(context, app), "off")


@router.post("/applications/{app}/restart")
async def restart(context: Asked, app: AppName, body: Restart) -> SwitchedJson:
    """Clear the state that *reset* names, and start again."""
    scopes = USUAL_RESTART if body.reset is None else frozenset(body.reset)
    for scope, happens in _CONSENT.items():
        if scope in scopes and not body.confirm:
            raise invalid(
                f"This {happens.format(app=app)}", next_step="To proceed, repeat the request with confirm: true"
            )
    return _switched(await provisioning.restart(context, app, scopes), "on")


@router.post("/applications/{app}/cycles", status_code=202)
async def run(context: Asked, request: Request, response: Response, app: AppName, body: RunCycle) -> CycleJson:
    """Start a cycle now, and retry everything that failed before. The header Location has the address of the operation; read that address
    until the operation has ended.
    """
    cycle = await provisioning.run(context, app, full=body.full)
    response.headers.update({"Location": rooted(request, f"/operations/cycle-{cycle.id}"), **NEXT_LOOK})
    return cycle_json(cycle)


@router.post("/applications/{app}/push")
async def push(context: Asked, app: AppName, body: Push) -> list[PushJson]:
    """Provision these people and groups now, ahead of all others. The result says for each of them what was done, and why."""
    _require_names(body.users, body.groups)
    done = await provisioning.push(context, app, users=body.users, groups=body.groups, again=body.again)
    return [push_json(app, name, one) for name, one in zip((*body.users, *body.groups), done, strict=True)]


@router.post("/applications/{app}/preview")
async def preview(context: Asked, app: AppName, body: Preview) -> list[PlanJson]:
    """Show the changes that a push of these people and groups would make. The application is only read; nothing is written."""
    _require_names(body.users, body.groups)
    return [plan_json(plan) for plan in await previews.preview(context, app, users=body.users, groups=body.groups)]


@router.get("/applications/{app}/explanations/{user}")
async def explain(context: Asked, app: AppName, user: str) -> ExplanationJson:
    """Explain, check by check, why a person has an account or has none, and what would change that."""
    found = await explaining.explain_person(context, user, app)
    return explanation_json(app, found.plan, found.why)


@router.post("/applications/{app}/retry")
async def retry(context: Asked, app: AppName, body: Retry) -> CountedJson:
    """Retry failed objects now, before their scheduled time."""
    return {"application": app, "count": await provisioning.retry(context, app, users=body.users, code=body.code)}


@router.delete("/applications/{app}/quarantine")
async def clear_quarantine(context: Asked, app: AppName) -> QuarantineJson:
    """Retry an application in quarantine now, before the scheduled time. The quarantine ends when the application responds successfully."""
    return {"application": app, "triesAgain": await provisioning.clear_quarantine(context, app)}


@router.get("/applications/{app}/held")
async def list_held(
    context: Asked,
    query: Asking,
    app: AppName,
    rejected: Annotated[bool, Query(description="List rejected writes instead")] = False,
) -> Page[HeldJson]:
    """List writes that wait for a decision, oldest first, with the reasons. The filter supports `name co` and `reason eq`."""
    query.refuse_sort("since")
    chosen = selected(query.filter, _HELD)
    found = await held.list_held(
        context, app, rejected=rejected, after=query.after(str) or "", limit=query.limit + 1, **chosen
    )
    groups = await held.count_held(context, app, rejected=rejected, **chosen) if query.count else []
    count = sum(one.count for one in groups) if query.count else None
    return page(query, [held_json(one) for one in found], lambda last: last["id"], count=count)


@router.post("/applications/{app}/held/approve")
async def approve(context: Asked, app: AppName, body: Decision) -> DecidedJson:
    """Approve these held writes. Each is evaluated again against the present state."""
    _require_listed(await held.held_ids(context, app, ids=body.ids, rejected=body.rejected), body.ids)
    decide = provisioning.approve_rejected if body.rejected else provisioning.approve_deletes
    done = await decide(context, app, body.ids)
    return {"application": app, "decision": done.decision, "count": done.count}


@router.post("/applications/{app}/held/reject")
async def reject(context: Asked, app: AppName, body: Decision) -> DecidedJson:
    """Reject these held writes. They are not sent until something different is planned or somebody approves them."""
    _require_listed(await held.held_ids(context, app, ids=body.ids), body.ids)
    done = await provisioning.reject_deletes(context, app, body.ids)
    return {"application": app, "decision": done.decision, "count": done.count}


def _switched(row: JobRow, state: str) -> SwitchedJson:
    return {"application": row.app_name, "job": row.id, "status": state}


def _require_names(users: list[str], groups: list[str]) -> None:
    if not users and not groups:
        raise invalid("No person or group was given", next_step='List them in "users" or "groups"')


def _require_listed(found: list[str], ids: list[str]) -> None:
    missing = {one.lower() for one in ids} - set(found)
    if missing:
        raise not_found(f"No held write has the id {min(missing)}", next_step="List them again")
