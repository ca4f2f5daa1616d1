"""Restore mode: what holds after an old database was put back, until a person starts provisioning again.

Applications have moved on since the backup. So every job is off, and its next start is a full cycle, in which the accounts of the
application are read before anything is planned; unfinished operations of the journal are settled by looking first (engine: settling).
"""

from __future__ import annotations

from lockstep.actions.context import Context, audit
from lockstep.actions.jobs import PROVISIONING_WRITE
from lockstep.storage import jobs
from lockstep.sync import cycle as cycle_frame


async def enter_restore_mode(context: Context, source: str) -> list[str]:
    """Switch every job off and let it look at everything at its next start; the names of the applications. *source* is for the audit."""
    async with context.changing(PROVISIONING_WRITE) as edit:
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
    return [row.app_name for row in rows]
