"""Switch provisioning on, with a preview first if what would happen has never been tried.

Until the administrator has seen the preview and chosen, provisioning stays off, and nothing is written to the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.actions import provisioning
from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.job_previews import PreviewRow, begin_preview, list_previews, stop_preview
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.actions.restore import require_people_of_today
from lockstep.actions.settings import change_settings, deciding_part
from lockstep.postgres.pool import Connection
from lockstep.storage import config_versions
from lockstep.storage.jobs import JobRow


async def is_untried(connection: Connection, row: JobRow) -> bool:
    """Whether switching on would do something that provisioning has never done: it is off, and it was never switched on, or mappings, scope
    or limits on deletions were changed since it last worked.
    """
    if row.status == "on":
        return False
    if not row.started:
        return True
    known = await config_versions.last_worked_with(connection, row.id)
    return known is None or deciding_part(dict(known)) != deciding_part(dict(row.config))


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def switch_on(context: Context, app: str, changes: Mapping[str, Any] | None = None) -> PreviewRow | None:
    """Save *changes* (arguments of `change_settings`, except the status), and then switch provisioning on. Returns None if it is on.

    If switching on would do something untried, provisioning stays off. The result is then a preview that has begun, or one that was already
    being made. *changes* are saved in both cases. Raises the errors of `change_settings` and `start`, and then saves nothing.
    """
    async with context.together() as inner:
        if changes:
            await change_settings(inner, app, **changes)
        async with inner.reading() as connection:
            row = await job_row(connection, app)
            await require_people_of_today(connection, row.app_name)
            asks_first = await is_untried(connection, row)
        if asks_first:
            return await _preview(inner, app)
        await provisioning.start(inner, app)
    return None


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def stop_own_preview(context: Context, app: str) -> None:
    """Stop the preview that is being made, if the caller began it. Previews that other people began go on."""
    async with context.together() as inner:
        for one in await list_previews(inner, app, limit=1):
            if one.is_under_way and one.started_by == context.actor.name:
                await stop_preview(inner, app, one.id)


async def _preview(context: Context, app: str) -> PreviewRow:
    """Return the preview that is being made, or begin one. A preview of an earlier configuration is stopped."""
    for one in await list_previews(context, app, limit=1):
        if one.is_under_way and not one.is_stale:
            return one
        if one.is_under_way:
            await stop_preview(context, app, one.id)
    return await begin_preview(context, app)
