"""Preview a whole application: what provisioning would do to everyone, before anything is written.

A worker makes the preview. If no worker runs, a process that waits for the preview with `follow_preview` makes it. The application is only
read. The newest previews of each application are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row, new_services, require_credentials
from lockstep.actions.permissions import Permission
from lockstep.actions.status import WORKER_SILENT_SECONDS
from lockstep.errors import conflict, not_found
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import jobs, preview_objects, previews
from lockstep.storage.preview_objects import PreviewedObject as PreviewedObject
from lockstep.storage.preview_objects import PreviewFilter as PreviewFilter
from lockstep.storage.previews import PreviewRow as PreviewRow
from lockstep.storage.previews import PreviewState as PreviewState
from lockstep.sync.previewing.making import KEPT as KEPT
from lockstep.sync.previewing.making import LOST_AFTER, make_preview

EVERYTHING = PreviewFilter()
PAGE = 1_000  # objects read at a time for a file
_POLL_SECONDS = 0.1
_LARGEST = 2**62


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def begin_preview(context: Context, app: str) -> PreviewRow:
    """Request a preview of the application, and return before it is made; `follow_preview` waits for its end. Works whether provisioning is
    on or off.

    Raises LockstepError if no credentials are stored or another preview of the application is under way.
    """
    context.refuse_rehearsal()
    async with context.recording() as connection:
        row = await job_row(connection, app)
        await require_credentials(connection, row)
        number = await previews.insert(connection, row.id, started_by=context.actor.name)
        if number is None:
            raise conflict(
                f"A preview of {row.app_display_name} is already being made",
                next_step=f"Wait for it, or stop it: lockstep preview {row.app_name} --stop",
            )
        return await find_preview(connection, app, number)


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_previews(context: Context, app: str, *, limit: int = KEPT + 1, below: int = 0) -> list[PreviewRow]:
    """Return the previews of the application, newest first. With *below*, return only those with smaller numbers."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        return await previews.list_previews(connection, row.id, limit=limit, below=below)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_preview(context: Context, app: str, number: int) -> PreviewRow:
    """Return one preview. Raises LockstepError if the application has no preview with this number."""
    async with context.reading() as connection:
        return await find_preview(connection, app, number)


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_objects(
    context: Context,
    app: str,
    number: int,
    wanted: PreviewFilter = EVERYTHING,
    *,
    after: str = "",
    limit: int = 100,
) -> list[PreviewedObject]:
    """Return one page of the objects of a preview: what would be done to each, and why. *after* is the `key` of the last object on the
    previous page.

    Raises LockstepError if the application does not have this preview. Also raises it if *wanted* asks for a comparison with an earlier
    preview that the application does not have.
    """
    async with context.reading() as connection:
        row = await _find_to_filter(connection, app, number, wanted)
        return await preview_objects.read_page(connection, row.id, wanted, after=after, limit=limit)


@needs(Permission.APPLICATIONS_READ, app="app")
async def count_objects(context: Context, app: str, number: int, wanted: PreviewFilter = EVERYTHING) -> int:
    """Return how many objects of a preview match the filter. Raises the errors of `list_objects`."""
    async with context.reading() as connection:
        row = await _find_to_filter(connection, app, number, wanted)
        return await preview_objects.count(connection, row.id, wanted)


@needs(Permission.APPLICATIONS_READ, app="app")
async def pages_of_objects(
    context: Context, app: str, number: int, wanted: PreviewFilter = EVERYTHING
) -> AsyncIterator[list[PreviewedObject]]:
    """Yield all objects of a preview that match the filter, page by page. Raises the errors of `list_objects`, even after the first page:
    for example, if the preview is discarded in the meantime.
    """
    after = ""
    while True:
        page = await list_objects(context, app, number, wanted, after=after, limit=PAGE)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].key


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def stop_preview(context: Context, app: str, number: int) -> PreviewRow:
    """Stop a preview that is being made. The objects that were already planned are kept until the preview is discarded. Raises
    LockstepError if the preview has already ended.
    """
    async with context.recording() as connection:
        row = await find_preview(connection, app, number)
        if not await previews.stop(connection, row):
            raise conflict(f"Preview {number} has already ended", next_step=f"See: lockstep preview {app} --last")
        return await find_preview(connection, app, number)


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def discard_preview(context: Context, app: str, number: int) -> PreviewRow:
    """Remove a preview. If the preview is still being made, it is stopped. Raises LockstepError if the preview is being applied."""
    async with context.recording() as connection:
        row = await find_preview(connection, app, number)
        if row.is_being_applied:
            raise conflict(
                f"Preview {number} is being applied",
                next_step=f"Wait for the end of cycle {row.applied_by}, or stop it: lockstep pause {app}",
            )
        await previews.remove(connection, row)
    return row


@needs(Permission.APPLICATIONS_READ, app="app")
async def follow_preview(context: Context, app: str, number: int, *, helps: bool = True) -> AsyncIterator[PreviewRow]:
    """Yield a preview whenever it has changed, until it has ended.

    If no worker runs and *helps* is true, this process makes the preview, and stops the preview if the caller stops iterating. If no worker
    runs and *helps* is false, reports that the preview waits for a worker, and stops iterating.
    """
    helper: asyncio.Task[bool] | None = None
    last: PreviewRow | None = None
    try:
        while True:
            async with context.reading() as connection:
                now = await find_preview(connection, app, number)
                is_alone = not await jobs.has_live_worker(connection, silent_seconds=WORKER_SILENT_SECONDS)
            if last is None or _shown(now) != _shown(last):
                last = now
                yield now
            if not now.is_under_way:
                return
            if is_alone and not helps:
                context.say(
                    "No worker is running, so the preview waits. Start one on the server's machine: lockstep worker"
                )
                return
            if is_alone and helper is None:
                helper = asyncio.create_task(_make_due(context, number))
            elif helper is not None and helper.done():
                helper.result()
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        if helper is not None and not helper.done():
            helper.cancel()
            await asyncio.gather(helper, return_exceptions=True)
            async with transaction(context.pool) as connection:
                await previews.stop(connection, await find_preview(connection, app, number))


@needs(Permission.APPLICATIONS_READ, app="app")
async def is_without_worker(context: Context, app: str, number: int) -> bool:
    """Whether the preview is waiting only because no worker runs."""
    async with context.reading() as connection:
        row = await find_preview(connection, app, number)
        if not row.is_under_way:
            return False
        return not await jobs.has_live_worker(connection, silent_seconds=WORKER_SILENT_SECONDS)


@needs(Permission.PROVISIONING_CONTROL)
async def make_due_preview(context: Context) -> bool:
    """Make one of the previews that wait for a worker. Returns False if none is waiting."""
    return await _make_due(context, None)


async def _make_due(context: Context, number: int | None) -> bool:
    services = new_services(context)
    async with transaction(context.pool) as connection:
        claimed = await previews.claim_due(connection, owner=services.owner, lost_after=LOST_AFTER, preview=number)
    if claimed is None:
        return False
    await make_preview(services, claimed)
    return True


async def find_preview(connection: Connection, app: str, number: int) -> PreviewRow:
    """Return the preview. Raises LockstepError if the application has no preview with this number."""
    job = await job_row(connection, app)
    found = await previews.read(connection, job.id, number) if 0 < number < _LARGEST else None
    if found is None:
        raise not_found(
            f"{job.app_display_name} has no preview {number}",
            next_step=f"The newest {KEPT} and the newest complete one are kept. List them: lockstep preview {job.app_name} --list",
        )
    return found


async def _find_to_filter(connection: Connection, app: str, number: int, wanted: PreviewFilter) -> PreviewRow:
    """Return the preview. Raises LockstepError if the application does not have this preview. Also raises it if *wanted* asks for a
    comparison with an earlier preview that the application does not have.
    """
    row = await find_preview(connection, app, number)
    if wanted.differs_from is not None:
        await find_preview(connection, app, wanted.differs_from)
    return row


def _shown(row: PreviewRow) -> tuple[object, ...]:
    return row.state, row.phase, row.done, row.total
