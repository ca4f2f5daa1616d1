"""Accounts that our create requests made, or may have made, and that have no link.

Either the create is still open, or its link was lost. Older versions also ended creates as `dropped` without searching for the account;
such rows have no *queries*. Newer versions drop a create only after proving that it made nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows, only_row

_DISPLAY = """coalesce(person.user_principal_name, grp.display_name, made.after ->> 'userName', made.after ->> 'displayName',
    made.source_id::text)"""
_PEOPLE = "left join person on person.id = made.source_id left join grp on grp.id = made.source_id"
# A create whose account is unused: no link has it, and no later create was sent for the same match key.
_UNCLAIMED = """(
    made.action = 'create' and made.job = any(%(jobs)s) and (
        made.state in ('planned', 'ambiguous') and made.planned_at < now() - interval '1 minute'
        or made.state = 'confirmed' and made.target_id <> '' and not exists (select from link
            where link.job = made.job and link.kind = made.kind and link.target_id = made.target_id)
        or made.state = 'dropped' and made.queries is null and made.attempt > 0 and made.match_key is not null
            and not exists (select from operation later
                where later.match_key = made.match_key and later.action = 'create' and later.state = 'confirmed')
    ))"""


@dataclass(frozen=True, slots=True)
class MadeAccount:
    """A create whose account has no link. *target_id* is "" if it is unknown whether the account exists."""

    job: str
    id: str
    kind: str
    source_id: str
    display: str  # the name of the object that the account was made for
    target_id: str


async def unclaimed(connection: Connection, jobs: Sequence[str], *, limit: int = 1_000) -> list[MadeAccount]:
    """Return creates whose account has no link, newest first; at most *limit* of each job."""
    async with connection.cursor(row_factory=class_row(MadeAccount)) as cursor:
        await cursor.execute(
            f"""select job, id, kind, source_id, display, target_id from (
                select made.job, made.id::text, made.kind, made.source_id::text, {_DISPLAY} as display, made.target_id,
                    made.planned_at, row_number() over (partition by made.job order by made.planned_at desc) as place
                from operation made {_PEOPLE} where {_UNCLAIMED}
            ) as found where place <= %(limit)s order by planned_at desc""",  # noqa: S608
            {"jobs": list(jobs), "limit": limit},
        )
        return await cursor.fetchall()


async def made_for(
    connection: Connection, job: str, kind: str, accounts: Mapping[str, Sequence[str]]
) -> dict[str, MadeAccount]:
    """Return the creates that made one of *accounts*, by account id. *accounts* maps each id to the match keys of the account.

    A create whose response named the account takes precedence over a create that only has one of the match keys.
    """
    rows = as_rows({"account": account, "keys": list(keys)} for account, keys in accounts.items())
    async with connection.cursor(row_factory=class_row(MadeAccount)) as cursor:
        await cursor.execute(
            f"""select distinct on (given.account) made.job, made.id::text, made.kind, made.source_id::text, {_DISPLAY} as display,
                given.account as target_id
            from jsonb_to_recordset(%(rows)s::jsonb) as given (account text, keys text[])
            cross join lateral (
                select * from operation where job = %(job)s and action = 'create' and target_id <> ''
                    and target_id = given.account
                union all
                select * from operation where match_key = any(given.keys) and action = 'create'
                    and state in ('planned', 'ambiguous', 'dropped')
            ) as made {_PEOPLE}
            where made.kind = %(kind)s
            order by given.account, made.target_id = given.account desc, made.planned_at desc""",  # noqa: S608
            {"job": job, "kind": kind, "rows": rows},
        )
        return {one.target_id: one for one in await cursor.fetchall()}


async def look_for(connection: Connection, job: str, made: Sequence[MadeAccount]) -> int:
    """Reopen the creates in *made*, so that Lockstep searches for the accounts that they made and links each account to the object for
    which it was made. Returns the number of creates that were reopened.
    """
    cursor = await connection.execute(
        """with opened as (
            update operation set state = 'ambiguous', settled_at = null, queries = coalesce(operation.queries, '[]'),
                target_id = case when given.target_id <> '' then given.target_id else operation.target_id end
            from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, target_id text)
            where operation.id = given.id and operation.job = %(job)s
            returning operation.kind, operation.source_id
        ), marked as (
            select mark_dirty(%(job)s, kind, array_agg(source_id), 1::smallint, 'openOperation') from opened group by kind
        )
        select (select count(*) from opened), (select count(*) from marked)""",
        {"job": job, "rows": as_rows({"id": one.id, "target_id": one.target_id} for one in made)},
    )
    return int((await only_row(cursor))[0])
