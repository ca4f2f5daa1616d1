"""Reserve an account for an object: a new account that the object will create, or an existing account that was found for it. If several
objects want the same account, the first object gets it.

A plan is made from data that was read earlier, and another sender, push or worker may have taken the account since. The account is
therefore taken in a transaction that locks it. The attempt fails if another object has taken the account since the plan began to read; the
plan itself has considered everything that was taken earlier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.postgres.pool import Connection
from lockstep.storage import locks
from lockstep.storage.batches import Row, as_rows
from lockstep.storage.under_way import IS_OPEN, rival


@dataclass(frozen=True, slots=True)
class Taking:
    """A request to take an account for an object: the account *target_id*, or a new account, identified by its match keys *keys*.

    *id* identifies the request in results. *since* is a time of the database, taken before the first read for the plan.
    """

    id: str
    kind: str
    source_id: str
    target_id: str
    keys: tuple[str, ...]
    since: datetime


async def lock(connection: Connection, job: str, takings: Sequence[Taking], *, lag_seconds: float = 0.0) -> set[str]:
    """Lock the accounts of *takings* until this transaction ends. Returns the ids of the takings that come too late.

    A taking comes too late if another object has the account or is about to get it. It also comes too late if another object has taken or
    deleted the account since the plan was made. *lag_seconds* is the time for which a search in the application may miss an account after
    its creation.
    """
    things = {thing for one in takings for thing in _things(job, one)}
    # The lock is a separate statement, so that the next one sees everything that was committed while this one waited.
    await locks.lock_accounts(connection, things)
    cursor = await connection.execute(
        f"""select given.id
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id text, kind text, source_id uuid, target_id text,
            match_key text, other_keys text[], since timestamptz)
        where given.match_key is not null and {rival("given", made_since="given.since - make_interval(secs => %(lag)s)")}
            or given.target_id <> '' and (
                exists (select from operation other
                    where other.job = %(job)s and other.kind = given.kind and other.target_id = given.target_id
                        and other.source_id <> given.source_id and other.{IS_OPEN})
                or exists (select from link
                    where link.job = %(job)s and link.kind = given.kind and link.target_id = given.target_id
                        and link.source_id <> given.source_id
                        and (link.state in ('live', 'lost') and not link.is_forgotten or link.updated_at >= given.since)))""",  # noqa: S608
        {"job": job, "rows": as_rows(map(_row, takings)), "lag": lag_seconds},
    )
    return {row[0] for row in await cursor.fetchall()} | _later_of_batch(job, takings)


def _later_of_batch(job: str, takings: Sequence[Taking]) -> set[str]:
    """Return the ids of the requests that want the same account as an earlier request in *takings*."""
    taken: dict[str, str] = {}
    late: set[str] = set()
    for one in takings:
        things = tuple(_things(job, one))
        if any(taken.get(thing, one.source_id) != one.source_id for thing in things):
            late.add(one.id)
        else:
            taken |= dict.fromkeys(things, one.source_id)
    return late


def _things(job: str, one: Taking) -> Iterator[str]:
    """Yield the strings to lock for the request *one*: one string for an existing account, or the match keys of a new account."""
    if one.target_id:
        yield f"{job} {one.kind} {one.target_id}"
    yield from one.keys


def _row(one: Taking) -> Row:
    return {
        "id": one.id,
        "kind": one.kind,
        "source_id": one.source_id,
        "target_id": one.target_id,
        "match_key": one.keys[0] if one.keys else None,
        "other_keys": one.keys[1:],
        "since": one.since,
    }
