"""Read the audit log, which records who changed what and when, with the values before and after. Verify that nobody has altered the log."""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import not_found
from lockstep.storage import audit_log
from lockstep.storage.audit_log import AuditFilter as AuditFilter
from lockstep.storage.audit_log import AuditRow as AuditRow
from lockstep.storage.audit_log import ChainBreak as ChainBreak

MOST_ENTRIES = 1_001  # entries in one response; one more than a page of the command line


@needs(Permission.AUDIT_READ)
async def list_entries(context: Context, wanted: AuditFilter, *, limit: int = 100) -> list[AuditRow]:
    """Return the newest matching entries, newest first: at most *limit* of them, and never more than MOST_ENTRIES. To read older entries,
    call this again with `below_seq` in *wanted* set to the number of the last returned entry.
    """
    async with context.reading() as connection:
        return await audit_log.newest_entries(connection, wanted, limit=min(limit, MOST_ENTRIES))


@needs(Permission.AUDIT_READ)
async def show_entry(context: Context, number: int) -> AuditRow:
    """Return one audit entry. Raises LockstepError if it does not exist."""
    async with context.reading() as connection:
        found = await audit_log.newest_entries(connection, AuditFilter(seq=number), limit=1)
    if not found:
        raise not_found(f"The audit log has no entry {number}", next_step="See: lockstep audit")
    return found[0]


@needs(Permission.AUDIT_READ)
async def verify(context: Context) -> ChainBreak | None:
    """Return the first entry at which the hash chain of the log is broken. Returns None if no entry was changed and none was removed from
    the middle.
    """
    async with context.reading() as connection:
        return await audit_log.verify(connection)
