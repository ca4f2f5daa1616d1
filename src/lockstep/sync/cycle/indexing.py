"""Read an application's accounts page by page, so that the first cycle needs no search for each person.

The list is used only if it is proved complete: the last page was read, and the list has as many accounts as the application announced. An
incomplete list never proves that an account does not exist, so Lockstep then searches for each object. A list that cannot be read after a
few tries is given up, so that nothing waits for it forever; the next full cycle tries once more.
"""

from __future__ import annotations

from typing import Any

from lockstep.configuration.rules import ObjectMapping
from lockstep.engine.decisions.matching import matching_value
from lockstep.engine.decisions.unique_values import unique_mappings
from lockstep.ports import Answer, TargetError, TargetPage, TargetReader, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import dirty_marks, target_index
from lockstep.sync.services import Job, Services

INCOMPATIBLE = "SystemForCrossDomainIdentityManagementServiceIncompatible"


async def read_index(services: Services, job: Job, mapping: ObjectMapping, reader: TargetReader, *, cycle: int) -> int:
    """Read the accounts of one kind. Returns the number of requests sent.

    If listing would cost more requests than one search per object, it is given up after the first page. Raises TargetError if a page
    cannot be read or the list cannot be proved complete.
    """
    kind, pool, turns = mapping.source, services.pool, services.turns(job)
    async with pool.connection() as connection:
        if await target_index.is_read(connection, job.id, kind.value, cycle=cycle):
            return 0
        asked_for = await dirty_marks.count_of_cycle(connection, kind.value, cycle=cycle)
    async with transaction(pool) as connection:
        await target_index.begin(connection, job.id, kind.value, cycle=cycle)
    seen: set[str] = set()
    pages, announced, was_last = 0, None, False
    await turns.wait()
    async for page in reader.pages(kind):
        pages += 1
        seen.update(account.id for account in page.accounts)
        announced, was_last = page.total, page.is_last
        if pages == 1 and costs_more(page, asked_for):
            async with pool.connection() as connection:
                await target_index.give_up(connection, job.id, kind.value, cycle=cycle, is_unusable=False)
            return pages
        async with transaction(pool) as connection:
            await target_index.add_page(connection, job.id, kind.value, rows_of_page(page, mapping))
        if not page.is_last:
            await turns.wait()
    if not was_last or (announced is not None and len(seen) < announced):
        raise TargetError(_incomplete(job, len(seen), announced))
    async with pool.connection() as connection:
        await target_index.finish(connection, job.id, kind.value)
    return pages


def _incomplete(job: Job, seen: int, announced: int | None) -> Answer:
    detail = f"{job.row.app_display_name} lists {seen} different accounts, but reported a total of {announced}"
    return Answer(Verdict.AMBIGUOUS, code=INCOMPATIBLE, detail=detail, is_not_scim=True)


def costs_more(page: TargetPage, asked_for: int) -> bool:
    """Whether listing all accounts needs more requests than one search per object. *asked_for* is the number of objects."""
    if page.is_last or page.total is None or not page.accounts:
        return False
    return page.total / len(page.accounts) > asked_for


def rows_of_page(page: TargetPage, mapping: ObjectMapping) -> list[dict[str, Any]]:
    """Return the rows to store for a page. An account gets one row for each searched attribute that has a value. An account without any
    such value gets a single row.
    """
    rows: list[dict[str, Any]] = []
    asked = [one.target for one in (*mapping.matching, *unique_mappings(mapping))]
    for account in page.accounts:
        document = {"resource": account.resource, "etag": account.etag}
        values = {target: matching_value(account.resource, target) for target in asked}
        # An account without any matching value is stored under its id alone, because it may be linked.
        found = {attribute: value for attribute, value in values.items() if value is not None} or {"": account.id}
        rows += [
            {"target_id": account.id, "attribute": attribute, "value": value, "account": document}
            for attribute, value in found.items()
        ]
    return rows
