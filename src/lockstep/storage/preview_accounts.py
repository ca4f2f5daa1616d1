"""The accounts of an application, listed for one preview, so that the preview need not search for each object.

They are separate from the list of the running cycle (`target_index`), which a preview must not disturb.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lockstep.engine.records import Account, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows, only_row
from lockstep.storage.target_index import account_from


async def add_page(connection: Connection, preview: int, kind: ObjectKind, rows: Sequence[dict[str, Any]]) -> None:
    """Store one page of accounts. *rows* have target_id, attribute, value, account. If an account is listed twice, the last one counts."""
    await connection.execute(
        """insert into preview_account (preview, kind, target_id, attribute, value, account)
        select %(preview)s, %(kind)s, target_id, attribute, value, account
        from jsonb_to_recordset(%(rows)s::jsonb) as given (target_id text, attribute text, value text, account jsonb)
        on conflict (preview, kind, attribute, target_id) do update set value = excluded.value, account = excluded.account""",
        {"preview": preview, "kind": kind.value, "rows": as_rows(rows)},
    )


async def count(connection: Connection, preview: int, kind: ObjectKind) -> int:
    cursor = await connection.execute(
        "select count(distinct target_id) from preview_account where preview = %s and kind = %s", (preview, kind.value)
    )
    return int((await only_row(cursor))[0])


async def finish(connection: Connection) -> None:
    """Refresh the planner's statistics of the listed accounts, so that queries on the list are fast. Call this after the last page."""
    await connection.execute("analyze preview_account")


async def forget(connection: Connection, preview: int, kind: ObjectKind) -> None:
    """Remove the accounts of *kind* from the preview. Called if their list cannot be used, for example because it is incomplete."""
    await connection.execute("delete from preview_account where preview = %s and kind = %s", (preview, kind.value))


async def find(
    connection: Connection, preview: int, kind: ObjectKind, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Account]]:
    """Return the accounts that have one of the values in *wanted*, which lists pairs of attribute and case-folded value."""
    rows = as_rows({"attribute": attribute, "value": value} for attribute, value in wanted)
    cursor = await connection.execute(
        """select listed.attribute, listed.value, listed.target_id, listed.account
        from jsonb_to_recordset(%(rows)s::jsonb) as given (attribute text, value text)
        join preview_account as listed on listed.preview = %(preview)s and listed.kind = %(kind)s
            and listed.attribute = given.attribute and listed.value = given.value""",
        {"preview": preview, "kind": kind.value, "rows": rows},
    )
    found: dict[tuple[str, str], list[Account]] = {}
    for attribute, value, target_id, account in await cursor.fetchall():
        found.setdefault((attribute, value), []).append(account_from(kind, target_id, account))
    return found


async def linked(
    connection: Connection, preview: int, job: str, kind: ObjectKind, ids: Iterable[str]
) -> dict[str, Account]:
    """Return the linked accounts of *ids* in the state in which the preview listed them, keyed by account id. Accounts whose link was
    written after the listing are left out.
    """
    cursor = await connection.execute(
        """select distinct on (listed.target_id) listed.target_id, listed.account
        from link join preview_account as listed on listed.preview = %s and listed.kind = link.kind
            and listed.target_id = link.target_id and listed.read_at > coalesce(link.observed_at, '-infinity')
        where link.job = %s and link.kind = %s and link.source_id = any(%s::uuid[])""",
        (preview, job, kind.value, list(ids)),
    )
    return {row[0]: account_from(kind, row[0], row[1]) for row in await cursor.fetchall()}
