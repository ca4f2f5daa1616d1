"""Restore mode: the rules that apply after a backup was restored, until an administrator starts provisioning again.

The applications have changed since the backup. Restore mode therefore switches every job off, and the next start of a job is a full cycle
that lists the application's accounts before anything is planned. Open operations of the journal are settled first, by reading the
application.

The directory in the backup is outdated: people who have left since the backup still count as active. A job can therefore start only after
every source has been read again.
"""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.directory.edit import Edit
from lockstep.errors import conflict
from lockstep.postgres.pool import Connection
from lockstep.storage import jobs, outgoing_mail, source_holds, sources
from lockstep.storage.sources import SourceRecord
from lockstep.sync.cycle import frame as cycle_frame
from lockstep.sync.digests import write_all_digests

_RESTORED, _UNREAD, _READ = "restored", "unread", "read"  # states of a source during a restore


@needs(Permission.ORGANISATION_WRITE)
async def enter_restore_mode(context: Context, source: str) -> list[str]:
    """Switch every job off, let the next start of every started job be a full cycle, and discard all waiting mail. Mark every source as not
    read since the backup, except `lockstep`, which contains what was created by hand. Returns the names of the applications. *source* is
    written to the audit entry.
    """
    async with context.changing() as edit:
        rows = await jobs.read_jobs(edit.connection)
        for row in rows:
            await jobs.set_status(edit.connection, row.id, "off", actor=context.actor.name)
            if row.started:
                await cycle_frame.begin_initial(edit.connection, row.id)
                await jobs.distrust_target_index(edit.connection, row.id)
            await audit(
                edit,
                "Restore a backup",
                row.app_name,
                before={"status": row.status},
                after={"status": "off", "backup": source},
            )
        await write_all_digests(edit.connection, now=context.now())
        await outgoing_mail.give_up_waiting(
            edit.connection, problem="A backup was restored, so this message may already have been sent"
        )
        for one in await sources.list_sources(edit.connection):
            if one.name != LOCAL_SOURCE:
                await sources.note_reading(edit.connection, one.name, {_RESTORED: _UNREAD})
    return [row.app_name for row in rows]


async def note_read_again(edit: Edit, source: SourceRecord) -> None:
    """Record that *source* was read completely after the restore. Its people count as current as soon as no hold of the source waits for a
    decision.
    """
    if (source.watermark or {}).get(_RESTORED):
        await sources.note_reading(edit.connection, source.name, {_RESTORED: _READ})


async def require_people_of_today(connection: Connection, app: str) -> None:
    """Raise LockstepError if a source has not been read since the backup was restored, or if people who are missing from the source wait
    for a decision.
    """
    for one in await sources.list_sources(connection):
        state = (one.watermark or {}).get(_RESTORED)
        if state == _UNREAD:
            raise conflict(
                f"The people of {one.name} come from the backup, so people who have left since would get their accounts back",
                next_step=f"Import them again: lockstep sources import {one.name}. "
                f"If that is impossible and you have checked who left: lockstep start {app} --as-of-backup",
            )
        if state == _READ and await source_holds.open_holds(connection, one.name):
            raise conflict(
                f"A decision is needed on people who have been missing from {one.name} since the backup",
                next_step=f"Decide: lockstep sources confirm {one.name}",
            )


async def believe_backup(edit: Edit) -> None:
    """Accept the people of all sources as current, although the sources have not been read since the backup."""
    for one in await sources.list_sources(edit.connection):
        if (one.watermark or {}).get(_RESTORED):
            await sources.note_reading(edit.connection, one.name, {_RESTORED: None})
