"""Values chosen for one object, claimed before its account is created, so that no two objects get the same value.

A claim is in force while its holder has an account or still waits to be processed; any other claim can be taken over. The statement that
claims a value checks this, so no cleanup is needed, and a process that dies leaves no value blocked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows

_IS_VALID = """(
    exists (select from dirty where dirty.job = held.job and dirty.kind = held.kind and dirty.source_id = held.source_id)
    or exists (select from link where link.job = held.job and link.kind = held.kind and link.source_id = held.source_id
        and link.state <> 'tombstone')
)"""


@dataclass(frozen=True, slots=True, order=True)
class ValueClaim:
    """A claim: the object *source_id* reserves *value* for *attribute*. *value* is folded for comparison."""

    attribute: str
    value: str
    source_id: str


async def claim_values(connection: Connection, job: str, kind: str, claims: Iterable[ValueClaim]) -> set[ValueClaim]:
    """Claim values, at most one per attribute and object. Returns the claims that succeeded. A new claim replaces the object's previous
    one.
    """
    # Claim in one order, so that two workers cannot deadlock.
    cursor = await connection.execute(
        f"""with gained as (
            insert into value_claim as held (job, kind, attribute, value, source_id)
            select %(job)s, %(kind)s, attribute, value, source_id
            from jsonb_to_recordset(%(rows)s::jsonb) as given (attribute text, value text, source_id uuid)
            order by attribute, value
            on conflict (job, kind, attribute, value) do update set source_id = excluded.source_id, claimed_at = now()
                where held.source_id = excluded.source_id or not {_IS_VALID}
            returning attribute, value, source_id
        ), given_up as (
            delete from value_claim using gained
            where value_claim.job = %(job)s and value_claim.kind = %(kind)s and value_claim.source_id = gained.source_id
                and value_claim.attribute = gained.attribute and value_claim.value <> gained.value
        )
        select attribute, value, source_id::text from gained""",  # noqa: S608  # contains no user text
        {"job": job, "kind": kind, "rows": _rows(sorted(claims))},
    )
    return {ValueClaim(*row) for row in await cursor.fetchall()}


async def claimed_by_others(
    connection: Connection, job: str, kind: str, claims: Iterable[ValueClaim]
) -> set[ValueClaim]:
    """Return the *claims* that would fail now. Claims nothing."""
    cursor = await connection.execute(
        f"""select given.attribute, given.value, given.source_id::text
        from jsonb_to_recordset(%(rows)s::jsonb) as given (attribute text, value text, source_id uuid)
        join value_claim held on held.job = %(job)s and held.kind = %(kind)s and held.attribute = given.attribute
            and held.value = given.value and held.source_id <> given.source_id
        where {_IS_VALID}""",  # noqa: S608
        {"job": job, "kind": kind, "rows": _rows(claims)},
    )
    return {ValueClaim(*row) for row in await cursor.fetchall()}


async def refused_lately(
    connection: Connection, job: str, kind: str, ids: Sequence[str]
) -> dict[str, list[dict[str, object]]]:
    """Return the values of refused creates, by the id of their object. These are the creates that were planned during the last day and that
    the application refused because another account already had one of the values. The list of an object contains the values of each of its
    refused creates.
    """
    cursor = await connection.execute(
        """select source_id::text, after from operation
        where job = %s and kind = %s and source_id = any(%s::uuid[]) and action = 'create' and state = 'refused'
            and error -> 'is_conflict' = 'true' and planned_at > now() - interval '1 day' and after is not null""",
        (job, kind, list(ids)),
    )
    found: dict[str, list[dict[str, object]]] = {}
    for source_id, after in await cursor.fetchall():
        found.setdefault(source_id, []).append(after)
    return found


def _rows(claims: Iterable[ValueClaim]) -> str:
    return as_rows({"attribute": one.attribute, "value": one.value, "source_id": one.source_id} for one in claims)
