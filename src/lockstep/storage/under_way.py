"""Whom an account is being given to at this moment: what is journalled and not on record yet.

A link says who has an account; until it is written only the journal knows. So the journal is read before the links, never after.
Of two objects whose creates both have an unknown end, the one whose operation is older goes first: neither waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows

IS_OPEN = "state in ('planned', 'ambiguous')"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that the object *source_id* was found to match by what *keys* stand for."""

    source_id: str
    account: str
    keys: tuple[str, ...]

    def as_row(self, kind: str) -> Mapping[str, Any]:
        first, *others = self.keys
        row = {"kind": kind, "source_id": self.source_id, "account": self.account}
        return {**row, "match_key": first, "other_keys": others}


def older_rival(given: str) -> str:
    """SQL: whether somebody else creates what the row *given* (kind, source_id, match_key, other_keys) would create.

    With a limit it stays a question for each row, answered by the index; as a join it would read the whole journal.
    """
    older = f"""other.source_id <> {given}.source_id and other.{IS_OPEN}
            and other.planned_at <= coalesce((
                select min(mine.planned_at) from operation mine
                where mine.job = %(job)s and mine.kind = {given}.kind and mine.source_id = {given}.source_id
                    and mine.{IS_OPEN}), 'infinity') limit 1"""  # noqa: S608  # no text of anybody's in it
    keys = f"({given}.match_key || coalesce({given}.other_keys, '{{}}'))"
    return f"""coalesce(
        (select true from operation other where other.match_key = any({keys}) and {older}),
        (select true from operation other where other.other_keys && {keys} and {older}), false)"""  # noqa: S608


async def wanted_by_others(
    connection: Connection, job: str, kind: str, found: Sequence[Candidate]
) -> set[tuple[str, str]]:
    """Of *found*, those (source_id, account) whose account another object is being given, or has perhaps just made."""
    cursor = await connection.execute(
        f"""select given.source_id::text, given.account
        from jsonb_to_recordset(%(rows)s::jsonb)
            as given (kind text, source_id uuid, account text, match_key text, other_keys text[])
        where {older_rival("given")}
            or exists (select from operation other
                where other.job = %(job)s and other.kind = given.kind and other.target_id = given.account
                    and other.source_id <> given.source_id and other.{IS_OPEN})""",  # noqa: S608
        {"job": job, "rows": as_rows(one.as_row(kind) for one in found)},
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def made_for_others(
    connection: Connection, job: str, kind: str, source_id: str, accounts: Iterable[str]
) -> set[str]:
    """Those of *accounts* that a create for somebody else is known to have made."""
    cursor = await connection.execute(
        """select distinct target_id from operation
        where job = %s and kind = %s and target_id = any(%s) and action = 'create' and target_id <> ''
            and source_id <> %s::uuid and state in ('planned', 'ambiguous', 'confirmed')""",
        (job, kind, list(accounts), source_id),
    )
    return {row[0] for row in await cursor.fetchall()}


async def made_in_cycle(connection: Connection, cycle: int, keys: Iterable[str]) -> set[str]:
    """Those of *keys* that somebody got an account by in this cycle, or is getting one."""
    cursor = await connection.execute(
        """select distinct match_key from operation
        where match_key = any(%s) and cycle = %s and state in ('planned', 'ambiguous', 'confirmed')""",
        (list(keys), cycle),
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
                    and other.source_id <> given.source_id and other.{IS_OPEN})
            or exists (select from link
                where link.job = %(job)s and link.kind = given.kind and link.target_id = given.target_id
                    and link.source_id <> given.source_id and link.state in ('live', 'lost')
                    and not link.is_forgotten)""",  # noqa: S608
        {"job": job, "rows": rows},
    )
    return {row[0] for row in await cursor.fetchall()}
