"""Daily digests of notifications: write those that are due to the outbox, which sends them."""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import digest_notices
from lockstep.storage.mail_server import has_server
from lockstep.sync.digests import write_digest


@needs(Permission.MAIL_WRITE)
async def write_due_digests(context: Context) -> int:
    """Write the digests that are due, each in its own transaction. Returns how many were written. Without a mail server, notices keep
    waiting.
    """
    async with context.reading() as connection:
        jobs = await digest_notices.jobs_with_waiting(connection) if await has_server(connection) else []
    written = 0
    for job in jobs:
        async with context.recording() as connection:
            written += await write_digest(connection, job, now=context.now())
    return written
