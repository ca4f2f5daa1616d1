"""Apply a preview: a cycle plans everyone again, and writes only the objects whose plan is still exactly as previewed.

All other objects are left out. They stay due, so the next ordinary cycle writes them; while provisioning is off, nothing writes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.job_previews import PAGE, find_preview
from lockstep.actions.jobs import job_row, require_credentials
from lockstep.actions.permissions import Permission
from lockstep.actions.restore import require_people_of_today
from lockstep.errors import LockstepError, conflict
from lockstep.storage import preview_left
from lockstep.storage.cycles import Cycle as Cycle
from lockstep.storage.preview_left import LeftObject as LeftObject
from lockstep.storage.previews import PreviewRow, PreviewState
from lockstep.sync.cycle.frame import begin_initial

OLDEST = timedelta(hours=24)  # a preview that ended earlier is not applied


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def apply_preview(context: Context, app: str, number: int) -> Cycle:
    """Begin the cycle that applies the preview, and return this cycle without waiting for its end. Works whether provisioning is on or off,
    and does not switch it on. A cycle that is already running is ended; the objects that it has not processed stay due.

    Raises LockstepError if the preview cannot be applied (`why_not_applied`), if the application is in quarantine, or if it has no
    credentials. After a restore, also raises LockstepError until all sources have been read again.
    """
    context.refuse_rehearsal()
    async with context.changing() as edit:
        job = await job_row(edit.connection, app)
        preview = await find_preview(edit.connection, app, number)
        if (refused := why_not_applied(preview, job.app_name, context.now())) is not None:
            raise refused
        await require_credentials(edit.connection, job)
        await require_people_of_today(edit.connection, job.app_name)
        if job.quarantine is not None:
            raise conflict(
                f"Provisioning of {job.app_display_name} is in quarantine",
                next_step=f"See why: lockstep status {job.app_name}",
            )
        await preview_left.begin(edit.connection, number)
        cycle = await begin_initial(edit.connection, job.id, preview=number)
        after = {"preview": number, "cycle": cycle.id, "writes": preview.writes}
        await audit(edit, "Apply provisioning preview", job.app_name, after=after)
    await context.after_commit(frozenset({job.id}))
    return cycle


def why_not_applied(preview: PreviewRow, app: str, now: datetime) -> LockstepError | None:
    """Return the error that `apply_preview` raises now because of the preview itself, or None if the preview can be applied."""
    again = f"Make a new preview: lockstep preview {app}"
    if preview.is_under_way or preview.state != PreviewState.DONE:
        state = "still being made" if preview.is_under_way else "incomplete"
        return conflict(
            f"Preview {preview.id} is {state}, and only complete previews are applied",
            next_step="Wait until it is complete" if preview.is_under_way else again,
            code="PreviewIncomplete",
        )
    if preview.is_stale:
        text = f"The configuration of {app} was changed since preview {preview.id} was made"
        return conflict(text, next_step=again, code="PreviewStale")
    if not preview.has_fingerprints:
        text = f"Preview {preview.id} was made by an older version of Lockstep and cannot be applied"
        return conflict(text, next_step=again, code="PreviewTooOld")
    if preview.ended_at is None or now - preview.ended_at > OLDEST:
        text = f"Preview {preview.id} is older than 24 hours"
        return conflict(text, next_step=again, code="PreviewTooOld")
    if preview.is_being_applied:
        return conflict(
            f"Preview {preview.id} is already being applied",
            next_step=f"Watch it: lockstep status {app} --watch. To stop it: lockstep pause {app}",
            code="PreviewBeingApplied",
        )
    return None


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_left(context: Context, app: str, number: int, *, after: str = "", limit: int = 100) -> list[LeftObject]:
    """Return one page of the objects that were left out when the preview was last applied, each with the previewed and the new plan.
    *after* is the `key` of the last object on the previous page. Raises LockstepError if the application has no preview with this number.
    """
    async with context.reading() as connection:
        await find_preview(connection, app, number)
        return await preview_left.read_page(connection, number, after=after, limit=limit)


@needs(Permission.APPLICATIONS_READ, app="app")
async def pages_of_left(context: Context, app: str, number: int) -> AsyncIterator[list[LeftObject]]:
    """Yield all objects that were left out when the preview was last applied, page by page. Raises the errors of `list_left`."""
    after = ""
    while True:
        page = await list_left(context, app, number, after=after, limit=PAGE)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].key
