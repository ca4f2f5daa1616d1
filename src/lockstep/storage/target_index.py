"""The accounts of the application, listed page by page at the start of an initial cycle. With this index, Lockstep need not search for each
object.

The index is used only during the cycle that read it, and only if the listing was proved complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lockstep.engine.records import Account, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows


async def begin(connection: Connection, job: str, kind: str, *, cycle: int) -> None:
    """Clear the index and begin a listing for *cycle* at the first page, even if an earlier listing was interrupted."""
    await connection.execute("delete from target_index where job = %s and kind = %s", (job, kind))
    await connection.execute(
        """insert into target_index_state (job, kind, cycle) values (%s, %s, %s)
        on conflict (job, kind) do update set complete = false, given_up = false, pages = 0, cycle = excluded.cycle,
            read_at = now()""",
        (job, kind, cycle),
    )


async def add_page(connection: Connection, job: str, kind: str, rows: Sequence[dict[str, Any]]) -> None:
    """Store one page of accounts. *rows* have target_id, attribute, value, account. If an account is listed twice, the last one counts."""
    await connection.execute(
        """insert into target_index (job, kind, target_id, attribute, value, account)
        select %(job)s, %(kind)s, target_id, attribute, value, account
        from jsonb_to_recordset(%(rows)s::jsonb) as given (target_id text, attribute text, value text, account jsonb)
        on conflict (job, kind, attribute, target_id) do update set value = excluded.value, account = excluded.account""",
        {"job": job, "kind": kind, "rows": as_rows(rows)},
    )
    await connection.execute(
        "update target_index_state set pages = pages + 1 where job = %s and kind = %s", (job, kind)
    )


async def finish(connection: Connection, job: str, kind: str) -> None:
    """Record that the listing was proved complete."""
    await connection.execute(
        "update target_index_state set complete = true, is_unusable = false, read_at = now() where job = %s and kind = %s",
        (job, kind),
    )
    await connection.execute("analyze target_index")


async def give_up(connection: Connection, job: str, kind: str, *, cycle: int, is_unusable: bool) -> None:
    """Give up the index for *cycle*: the accounts are not listed again in this cycle, and the index is not used. *is_unusable* is true
    if the application did not list its accounts.
    """
    await connection.execute(
        """insert into target_index_state (job, kind, cycle, given_up, is_unusable) values (%s, %s, %s, true, %s)
        on conflict (job, kind) do update set complete = false, given_up = true, cycle = excluded.cycle,
            is_unusable = excluded.is_unusable""",
        (job, kind, cycle, is_unusable),
    )


async def was_unusable(connection: Connection, job: str, kind: str) -> bool:
    """Whether the most recent listing that ended was unusable: it was given up, because the application did not list its accounts."""
    cursor = await connection.execute(
        "select true from target_index_state where job = %s and kind = %s and is_unusable", (job, kind)
    )
    return await cursor.fetchone() is not None


async def is_read(connection: Connection, job: str, kind: str, *, cycle: int) -> bool:
    """Whether the listing was finished or given up for *cycle*."""
    cursor = await connection.execute(
        "select true from target_index_state where job = %s and kind = %s and cycle = %s and (complete or given_up)",
        (job, kind, cycle),
    )
    return await cursor.fetchone() is not None


async def complete_kinds(connection: Connection, job: str, *, cycle: int | None) -> frozenset[str]:
    """Return the kinds whose listing is complete for *cycle*."""
    cursor = await connection.execute(
        "select kind from target_index_state where job = %s and complete and cycle = %s", (job, cycle)
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def find(
    connection: Connection, job: str, kind: ObjectKind, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Account]]:
    """Return the accounts that have one of the values in *wanted*, which lists pairs of attribute and case-folded value."""
    rows = as_rows({"attribute": attribute, "value": value} for attribute, value in wanted)
    cursor = await connection.execute(
        """select target_index.attribute, target_index.value, target_index.target_id, target_index.account
        from jsonb_to_recordset(%(rows)s::jsonb) as given (attribute text, value text)
        join target_index on target_index.job = %(job)s and target_index.kind = %(kind)s
            and target_index.attribute = given.attribute and target_index.value = given.value""",
        {"job": job, "kind": kind.value, "rows": rows},
    )
    found: dict[tuple[str, str], list[Account]] = {}
    for attribute, value, target_id, account in await cursor.fetchall():
        found.setdefault((attribute, value), []).append(account_from(kind, target_id, account))
    return found


async def written_since(
    connection: Connection, job: str, kind: ObjectKind, wanted: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return the pairs (attribute, case-folded value) whose accounts were written or deleted after they were listed. For these pairs, the
    list is no longer reliable.
    """
    rows = as_rows({"attribute": attribute, "value": value} for attribute, value in wanted)
    cursor = await connection.execute(
        """select given.attribute, given.value
        from jsonb_to_recordset(%(rows)s::jsonb) as given (attribute text, value text)
        join target_index on target_index.job = %(job)s and target_index.kind = %(kind)s
            and target_index.attribute = given.attribute and target_index.value = given.value
        join link on link.job = target_index.job and link.kind = target_index.kind
            and link.target_id = target_index.target_id and link.observed_at >= target_index.read_at""",
        {"job": job, "kind": kind.value, "rows": rows},
    )
    return {(attribute, value) for attribute, value in await cursor.fetchall()}


async def newer_than_links(
    connection: Connection, job: str, kind: ObjectKind, ids: Iterable[str]
) -> dict[str, Account]:
    """Return the linked accounts of *ids* as the listing showed them, keyed by directory id. Only accounts that were listed after their
    link was last observed are returned.
    """
    cursor = await connection.execute(
        """select distinct on (link.source_id) link.source_id::text, target_index.target_id, target_index.account
        from link join target_index on target_index.job = link.job and target_index.kind = link.kind
            and target_index.target_id = link.target_id and target_index.read_at > coalesce(link.observed_at, '-infinity')
        where link.job = %s and link.kind = %s and link.source_id = any(%s::uuid[])""",
        (job, kind.value, list(ids)),
    )
    return {row[0]: account_from(kind, row[1], row[2]) for row in await cursor.fetchall()}


def account_from(kind: ObjectKind, target_id: str, account: dict[str, Any]) -> Account:
    return Account(kind, target_id, account["resource"], account.get("etag") or "")
