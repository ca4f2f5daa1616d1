"""List the application's accounts for a preview. The list is used only if it is proved complete; otherwise each object is searched for."""

from __future__ import annotations

from lockstep.configuration.rules import ObjectMapping
from lockstep.ports import TargetError, Verdict
from lockstep.postgres.pool import Connection, Pool, transaction
from lockstep.storage import preview_accounts, previews
from lockstep.storage.previews import ClaimedPreview
from lockstep.sync.cycle.indexing import costs_more, rows_of_page
from lockstep.sync.previewing.reading import PacedReader


class PreviewEnded(Exception):
    """Raised if the preview was stopped, or taken over by another process."""


async def list_accounts(
    pool: Pool, claimed: ClaimedPreview, mapping: ObjectMapping, reader: PacedReader, *, asked_for: int
) -> bool:
    """List and store the accounts of one kind. Returns True if the list is complete.

    Returns False, and stores nothing, in three cases: the application does not list accounts, the list is incomplete, or the listing would
    need more requests than *asked_for* searches, one for each object. Raises TargetError if the application cannot be read, and
    PreviewEnded if this process no longer owns the preview.
    """
    time = 0
    while True:
        try:
            is_complete = await _read(pool, claimed, mapping, reader, asked_for=asked_for)
        except TargetError as failed:
            if failed.answer.verdict is Verdict.REFUSED:
                is_complete = False
            else:
                await reader.rest(failed, time=time)
                time += 1
                continue
        async with transaction(pool) as connection:
            await _require_owner(connection, claimed, reader)
            if is_complete:
                await preview_accounts.finish(connection)
            else:
                await preview_accounts.forget(connection, claimed.id, mapping.source)
        return is_complete


async def _read(
    pool: Pool, claimed: ClaimedPreview, mapping: ObjectMapping, reader: PacedReader, *, asked_for: int
) -> bool:
    announced, was_last, is_first = None, False, True
    async for page in reader.pages(mapping.source):
        announced, was_last = page.total, page.is_last
        if is_first and costs_more(page, asked_for):
            return False
        is_first = False
        async with transaction(pool) as connection:
            await _require_owner(connection, claimed, reader)
            await preview_accounts.add_page(connection, claimed.id, mapping.source, rows_of_page(page, mapping))
    async with pool.connection() as connection:
        listed = await preview_accounts.count(connection, claimed.id, mapping.source)
    return was_last and (announced is None or listed >= announced)


async def _require_owner(connection: Connection, claimed: ClaimedPreview, reader: PacedReader) -> None:
    """Report progress. Raises PreviewEnded if the preview was stopped or another process has taken it over. From this call until the end of
    the transaction, the preview can be neither stopped nor taken over.
    """
    if not await previews.save_progress(connection, claimed, requests=reader.requests):
        raise PreviewEnded
