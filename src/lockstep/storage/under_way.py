"""Whom an account is being given to at this moment: what is journalled and not on record yet.

A link says who has an account; until it is written only the journal knows. So the journal is read before the links, never after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows

_OPEN = "('planned', 'ambiguous')"


async def wanted_by_others(
    connection: Connection, job: str, kind: str, source_id: str, accounts: Iterable[str], *, attribute: str, value: str
) -> set[str]:
    """Those of *accounts*, all found by *attribute* = *value*, that another object is being given or has perhaps just made.

    Of two objects whose operations both have an unknown end, the one whose operation is older goes first.
    """
    cursor = await connection.execute(
        f"""with mine as (
            select min(planned_at) as since from operation
            where job = %(job)s and kind = %(kind)s and source_id = %(source_id)s and state in {_OPEN}
        )
        select distinct account from operation other
        cross join mine
        cross join unnest(%(accounts)s::text[]) as account
        where other.job = %(job)s and other.kind = %(kind)s and other.source_id <> %(source_id)s
            and other.state in {_OPEN} and other.planned_at <= coalesce(mine.since, 'infinity')
            and (other.target_id = account
                or other.action = 'create' and lower(other.after ->> %(attribute)s) = lower(%(value)s))""",  # noqa: S608
        {
            "job": job,
            "kind": kind,
            "source_id": source_id,
            "accounts": list(accounts),
            "attribute": attribute,
            "value": value,
        },
    )
    return {row[0] for row in await cursor.fetchall()}


async def lock_accounts(connection: Connection, job: str, wanted: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keep other workers off the accounts of *wanted* (id, kind, source_id, target_id) until this transaction ends.

    Returns the ids of those that come too late: another object has the account or is being given it.
    """
    rows = as_rows(wanted)
    # In one order for everybody, so that two workers wait for each other in a row and not in a circle.
    await connection.execute(
        """select pg_advisory_xact_lock(key) from (
            select distinct hashtextextended(concat_ws(' ', %(job)s::text, kind, target_id), 0) as key
            from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, target_id text) order by key
        ) as keys""",
        {"job": job, "rows": rows},
    )
    cursor = await connection.execute(
        f"""select given.id
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id text, kind text, source_id uuid, target_id text)
        where exists (select from operation other
                where other.job = %(job)s and other.kind = given.kind and other.target_id = given.target_id
                    and other.source_id <> given.source_id and other.state in {_OPEN})
            or exists (select from link
                where link.job = %(job)s and link.kind = given.kind and link.target_id = given.target_id
                    and link.source_id <> given.source_id and link.state in ('live', 'lost'))""",  # noqa: S608
        {"job": job, "rows": rows},
    )
    return {row[0] for row in await cursor.fetchall()}
