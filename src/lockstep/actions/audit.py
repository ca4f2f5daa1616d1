"""Read the audit log (who changed what and when, with the values before and after), and verify that nobody altered it."""

from __future__ import annotations

from dataclasses import replace

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import not_found
from lockstep.storage import audit_log
from lockstep.storage.audit_log import AuditFilter as AuditFilter
from lockstep.storage.audit_log import AuditRow as AuditRow
from lockstep.storage.audit_log import ChainBreak as ChainBreak

_PAGE = 1_000


@needs(Permission.AUDIT_READ)
async def list_entries(context: Context, wanted: AuditFilter, *, limit: int | None = None) -> list[AuditRow]:
    """Return the newest *limit* matching entries (None: all), newest first."""
    found: list[AuditRow] = []
    query = wanted
    async with context.reading() as connection:
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = await audit_log.newest_entries(connection, query, limit=size)
            found += page
            if len(page) < size:
                break
            query = replace(query, below_seq=page[-1].seq)
    return found


@needs(Permission.AUDIT_READ)
async def show_entry(context: Context, number: int) -> AuditRow:
    """One entry. Raises LockstepError if it does not exist."""
    async with context.reading() as connection:
        found = await audit_log.newest_entries(connection, AuditFilter(seq=number), limit=1)
    if not found:
        raise not_found(f"The audit log has no entry {number}", next_step="See: lockstep audit")
    return found[0]


@needs(Permission.AUDIT_READ)
async def verify(context: Context) -> ChainBreak | None:
    """Return the first break of the chain; None if no entry was changed or removed from the middle."""
    async with context.reading() as connection:
        return await audit_log.verify(connection)
