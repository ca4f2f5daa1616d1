"""Accounts that are being created or linked at this moment: they are in the journal, but not recorded as links yet.

Until a link is written, only the journal shows which object gets the account. Therefore, always read the journal before the links. If the
creates of two objects both have an unknown outcome, the object with the older operation goes first, so that the two do not wait for each
other. Module `taking` decides which object gets an account next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows

IS_OPEN = "state in ('planned', 'ambiguous')"
TAKES = "state in ('planned', 'ambiguous', 'confirmed')"  # it may have made an account


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that matches the object *source_id*, found under the match keys *keys*."""

    source_id: str
    account: str
    keys: tuple[str, ...]

    def as_row(self, kind: str) -> Mapping[str, Any]:
        first, *others = self.keys
        row = {"kind": kind, "source_id": self.source_id, "account": self.account}
        return {**row, "match_key": first, "other_keys": others}


def rival(given: str, *, made_since: str = "") -> str:
    """Return an SQL condition on one row, whose SQL name is *given* (columns kind, source_id, match_key, other_keys). The condition is true
    if another object is creating the account that this row describes. If the row's object has an open operation too, the other operation
    counts only if it is at least as old.

    If *made_since*, an SQL time, is given, the condition is also true if another object has created the account since then. LIMIT makes
    this one index lookup per row; a join would read the whole journal. OFFSET 0 makes PostgreSQL choose the index by the match key alone;
    otherwise it may also read all open operations for each row.
    """
    is_open = f"""other.{IS_OPEN} and other.planned_at <= coalesce((
            select min(mine.planned_at) from operation mine
            where mine.job = %(job)s and mine.kind = {given}.kind and mine.source_id = {given}.source_id
                and mine.{IS_OPEN}), 'infinity')"""  # noqa: S608  # contains no user text
    is_rival = f"""other.{TAKES} and other.source_id <> {given}.source_id and ({is_open}
            {f"or other.state = 'confirmed' and other.settled_at >= {made_since}" if made_since else ""}) limit 1"""
    keys = f"({given}.match_key || coalesce({given}.other_keys, '{{}}'))"
    return f"""coalesce(
        (select true from (select * from operation where match_key = any({keys}) offset 0) as other where {is_rival}),
        (select true from operation other where other.other_keys && {keys} and {is_rival}), false)"""  # noqa: S608


async def wanted_by_others(
    connection: Connection, job: str, kind: str, found: Sequence[Candidate]
) -> set[tuple[str, str]]:
    """Return those candidates in *found* whose account another object is about to link, or whose account may just have been created for
    another object. Each candidate is returned as a pair of source id and account.
    """
    cursor = await connection.execute(
        f"""select given.source_id::text, given.account
        from jsonb_to_recordset(%(rows)s::jsonb)
            as given (kind text, source_id uuid, account text, match_key text, other_keys text[])
        where {rival("given")}
            or exists (select from operation other
                where other.job = %(job)s and other.kind = given.kind and other.target_id = given.account
                    and other.source_id <> given.source_id and other.{IS_OPEN})""",  # noqa: S608
        {"job": job, "rows": as_rows(one.as_row(kind) for one in found)},
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def made_for_others(
    connection: Connection, job: str, kind: str, source_id: str, accounts: Iterable[str]
) -> set[str]:
    """Return the accounts in *accounts* that were created for an object other than *source_id*, as far as the operations show."""
    cursor = await connection.execute(
        """select distinct target_id from operation
        where job = %s and kind = %s and target_id = any(%s) and action = 'create' and target_id <> ''
            and source_id <> %s::uuid and state in ('planned', 'ambiguous', 'confirmed')""",
        (job, kind, list(accounts), source_id),
    )
    return {row[0] for row in await cursor.fetchall()}


async def made_since_cycle(connection: Connection, cycle: int, keys: Iterable[str]) -> set[str]:
    """Return those of *keys* under which an account is being created, or was created since *cycle* began. It does not matter whether the
    cycle or a push created it.
    """
    since = f"""other.{TAKES} and (other.{IS_OPEN}
        or other.settled_at >= (select started_at from cycle where id = %(cycle)s))"""  # noqa: S608
    cursor = await connection.execute(
        f"""select key from unnest(%(keys)s::text[]) as key
        where coalesce(
            (select true from (select * from operation where match_key = key offset 0) as other where {since} limit 1),
            (select true from operation other where other.other_keys && array[key] and {since} limit 1), false)""",  # noqa: S608
        {"keys": list(keys), "cycle": cycle},
    )
    return {row[0] for row in await cursor.fetchall()}
