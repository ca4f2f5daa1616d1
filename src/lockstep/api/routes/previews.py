"""Previews of a whole application: begin, list, read, apply, stop and remove them."""

from __future__ import annotations

from fastapi import Request, Response

from lockstep.actions import applied_previews, job_previews
from lockstep.actions.job_previews import PreviewFilter
from lockstep.actions.rows.previews import (
    ACTIONS,
    LeftObjectJson,
    PreviewedObjectJson,
    PreviewJson,
    left_json,
    object_json,
    preview_json,
)
from lockstep.actions.rows.provisioning import CycleJson, cycle_json
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, number, selected, words
from lockstep.api.paging import Asking, Page, page
from lockstep.api.shapes import NEXT_LOOK, AppName, rooted

router = router_of("Provisioning")
_OBJECTS = (
    Selects("action", "eq", "action", words(*ACTIONS, "held", "writes")),
    Selects("effect", "eq", "effect"),
    Selects("kind", "eq", "kind", words("User", "Group")),
    Selects("name", "co", "search"),
    Selects("differsFrom", "eq", "differs_from", number),
)


@router.post("/applications/{app}/previews", status_code=202)
async def begin_preview(context: Asked, request: Request, response: Response, app: AppName) -> PreviewJson:
    """Ask for a preview of the whole application: what a full cycle would do to everyone. A worker makes the preview. The application is
    only read, and nothing is written. The header Location has the address of the preview; read it until its state is neither `waiting` nor
    `running`.
    """
    row = await job_previews.begin_preview(context, app)
    response.headers.update({"Location": rooted(request, f"/applications/{app}/previews/{row.id}"), **NEXT_LOOK})
    return preview_json(app, row)


@router.get("/applications/{app}/previews")
async def list_previews(context: Asked, query: Asking, app: AppName) -> Page[PreviewJson]:
    """List the kept previews, newest first."""
    query.refuse_sort("-id")
    selected(query.filter, ())
    found = await job_previews.list_previews(context, app, limit=query.limit + 1, below=query.after(int) or 0)
    return page(query, [preview_json(app, one) for one in found], lambda last: last["id"])


@router.get("/applications/{app}/previews/{preview}")
async def show_preview(context: Asked, app: AppName, preview: int) -> PreviewJson:
    """Show a preview: its progress, its counts, and the risks that a person should look at."""
    return preview_json(app, await job_previews.show_preview(context, app, preview))


@router.get("/applications/{app}/previews/{preview}/objects")
async def list_preview_objects(context: Asked, query: Asking, app: AppName, preview: int) -> Page[PreviewedObjectJson]:
    """List what would be done to each person and group, and why: losses of access first. The filter supports `action eq`, `effect eq`,
    `kind eq`, `name co` and `differsFrom eq`.

    `differsFrom eq` compares with the earlier preview of that number. It selects new objects, and objects with another action, reason code,
    account, change or decision to hold.
    """
    query.refuse_sort("action")
    wanted = PreviewFilter(**selected(query.filter, _OBJECTS))
    found = await job_previews.list_objects(
        context, app, preview, wanted, after=query.after(str) or "", limit=query.limit + 1
    )
    count = await job_previews.count_objects(context, app, preview, wanted) if query.count else None
    keys = {(one.kind, one.id): one.key for one in found}
    rows = [object_json(one) for one in found]
    return page(query, rows, lambda last: keys[last["kind"], last["id"]], count=count)


@router.post("/applications/{app}/previews/{preview}/apply", status_code=202)
async def apply_preview(context: Asked, request: Request, response: Response, app: AppName, preview: int) -> CycleJson:
    """Begin a cycle that plans everyone again, and writes only the objects whose plan is still exactly as in this preview. All other
    objects are left for the next ordinary cycle; `GET .../left` lists them. Works whether provisioning is on or off.

    Refused with 409 if the preview is incomplete or older than 24 hours, or if the configuration has changed since. The header Location has
    the address of the operation.
    """
    cycle = await applied_previews.apply_preview(context, app, preview)
    response.headers.update({"Location": rooted(request, f"/operations/cycle-{cycle.id}"), **NEXT_LOOK})
    return cycle_json(cycle)


@router.get("/applications/{app}/previews/{preview}/left")
async def list_left_objects(context: Asked, query: Asking, app: AppName, preview: int) -> Page[LeftObjectJson]:
    """List the objects that were left out when this preview was last applied, each with its old and its new plan."""
    query.refuse_sort("kind")
    selected(query.filter, ())
    found = await applied_previews.list_left(context, app, preview, after=query.after(str) or "", limit=query.limit + 1)
    rows = [left_json(one) for one in found]
    return page(query, rows, lambda last: f"{last['planned']['kind']}:{last['planned']['id']}")


@router.post("/applications/{app}/previews/{preview}/stop")
async def stop_preview(context: Asked, app: AppName, preview: int) -> PreviewJson:
    """Stop a preview that is being made. The plans that were already made stay until the preview is removed."""
    return preview_json(app, await job_previews.stop_preview(context, app, preview))


@router.delete("/applications/{app}/previews/{preview}")
async def discard_preview(context: Asked, app: AppName, preview: int) -> PreviewJson:
    """Remove a preview. If it is still being made, it is stopped first."""
    return preview_json(app, await job_previews.discard_preview(context, app, preview))
