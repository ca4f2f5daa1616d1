"""Links: which account belongs to which object, and the values that both sides last agreed on (the base).

A database constraint prevents two links from having the same account. Tombstones and forgotten links are exempt. Callers must handle a
violation of the constraint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.engine.records import Link, LinkState, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows


@dataclass(frozen=True, slots=True)
class Holder:
    """The object to which an account belongs at present."""

    source_id: str
    target_id: str
    display: str
    state: LinkState
    is_deleted: bool = False  # deleted in the directory
    has_left: bool = False  # the object has left, and nothing remains to be done to the account
    employee_id: str = ""  # the employee id if the object is a person who is not purged


MOST_WITNESSES = 3  # how many other accounts are read before an account is believed to be gone

_IS_DELETED = """(link.kind = 'User'
    and not exists (select from person where person.id = link.source_id and person.deleted_at is null))"""
_HAS_LEFT = f"""({_IS_DELETED} and link.state in ('disabled', 'released')
    and not exists (select from dirty
        where dirty.job = link.job and dirty.kind = link.kind and dirty.source_id = link.source_id))"""


# All links, except forgotten or ended ones whose account now belongs to another object.
_COUNTED = """select kind, source_id::text, target_id, state, base, desired_hash, config_version, etag, generated,
    review_at, cause, display, is_forgotten, answers, matched_by, gone_at, job
from link where {} and not ((is_forgotten or gone_at is not null) and exists (select from link other
    where other.job = link.job and other.kind = link.kind and other.target_id = link.target_id
        and other.state <> 'tombstone' and not other.is_forgotten))"""


async def read_links(connection: Connection, job: str, kind: str, ids: Iterable[str]) -> dict[str, Link]:
    """Return the links of *ids* by directory id. Objects without a link are absent, as are forgotten or ended links whose account now
    belongs to another object.
    """
    cursor = await connection.execute(
        _COUNTED.format("job = %s and kind = %s and source_id = any(%s::uuid[])"), (job, kind, list(ids))
    )
    return {row[1]: link_from(row) for row in await cursor.fetchall()}


async def links_in_jobs(
    connection: Connection, jobs: Sequence[str], kind: ObjectKind, source_id: str
) -> dict[str, Link]:
    """Return the links of one object in *jobs*, by job. Links that `read_links` leaves out are left out here too."""
    cursor = await connection.execute(
        _COUNTED.format("job = any(%s) and kind = %s and source_id = %s"), (list(jobs), kind, source_id)
    )
    return {row[-1]: link_from(row) for row in await cursor.fetchall()}


def link_from(row: Sequence[Any]) -> Link:
    return Link(
        kind=ObjectKind(row[0]), source_id=row[1], target_id=row[2], state=LinkState(row[3]), base=row[4],
        desired_hash=row[5], config_version=row[6], etag=row[7], generated=row[8], review_at=row[9],
        cause=row[10], display=row[11], is_forgotten=row[12], answers=row[13], matched_by=row[14],
        gone_at=row[15],
    )  # fmt: skip


async def target_ids(connection: Connection, job: str, ids: Iterable[str]) -> dict[str, str]:
    """Return the account id of each of *ids*, by directory id, for use in references. Includes live and disabled accounts, of people and of
    groups.
    """
    cursor = await connection.execute(
        "select source_id::text, target_id from link "
        "where job = %s and source_id = any(%s::uuid[]) and state in ('live', 'disabled')",
        (job, list(ids)),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def holders(connection: Connection, job: str, kind: str, accounts: Iterable[str]) -> dict[str, Holder]:
    """Return the owners of these accounts, by account id. Forgotten links do not count."""
    cursor = await connection.execute(
        f"""select link.source_id::text, link.target_id, coalesce(owner.user_principal_name, link.display), link.state,
            {_IS_DELETED}, {_HAS_LEFT}, coalesce(owner.attributes ->> 'employeeId', '')
        from link left join person as owner on owner.id = link.source_id
        where link.job = %s and link.kind = %s and link.target_id = any(%s) and link.state <> 'tombstone'
            and not link.is_forgotten""",  # noqa: S608
        (job, kind, list(accounts)),
    )
    return {row[1]: Holder(row[0], row[1], row[2], LinkState(row[3]), *row[4:]) for row in await cursor.fetchall()}


async def bury_links(connection: Connection, job: str, kind: str, accounts: Iterable[str]) -> dict[str, str]:
    """Release the accounts in *accounts* that are disabled or no longer managed, and whose owner is deleted and not in the dirty set.
    Returns the former owner of each released account.
    """
    cursor = await connection.execute(
        f"""update link set state = 'tombstone', review_at = null, cause = 'takenOver', updated_at = now()
        where job = %s and kind = %s and target_id = any(%s) and not is_forgotten and {_HAS_LEFT}
        returning target_id, source_id::text""",  # noqa: S608
        (job, kind, list(accounts)),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def former_owner(connection: Connection, job: str, kind: str, source_id: str) -> tuple[str, datetime] | None:
    """Return the name of the deleted object whose account *source_id* took over, and the time of the takeover. Returns None if there was no
    takeover.
    """
    cursor = await connection.execute(
        """select coalesce(owner.user_principal_name, former.display), former.updated_at
        from link join link as former on former.job = link.job and former.kind = link.kind
            and former.target_id = link.target_id and former.state = 'tombstone' and former.cause = 'takenOver'
        left join person as owner on owner.id = former.source_id
        where link.job = %s and link.kind = %s and link.source_id = %s and link.state <> 'tombstone'
        order by former.updated_at desc limit 1""",
        (job, kind, source_id),
    )
    row = await cursor.fetchone()
    return (str(row[0]), row[1]) if row else None


async def save_links(
    connection: Connection, job: str, new: Sequence[Link], *, matching: Sequence[str] = ()
) -> list[str]:
    """Insert or replace links. Raises UniqueViolation if another object already has one of the accounts.

    Returns the accounts that other objects may now take. These are accounts whose object is now linked to a different account, accounts
    whose link is now disabled, released or ended, and accounts whose value of an attribute in *matching* has changed.
    """
    cursor = await connection.execute(
        """with given as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, source_id uuid, target_id text, state text,
                display text, base jsonb, desired_hash text, config_version integer, etag text, generated jsonb, cause text,
                review_at timestamptz, is_forgotten boolean, answers jsonb, matched_by text, gone_at timestamptz)
        ), freed as (
            select link.target_id from given join link on link.job = %(job)s and link.kind = given.kind
                and link.source_id = given.source_id and link.state <> 'tombstone'
            where link.target_id <> given.target_id or given.state in ('disabled', 'released', 'tombstone')
                or exists (select from unnest(%(matching)s::text[]) as path
                    where link.base -> path is not null and link.base -> path is distinct from given.base -> path)
        ), saved as (
            insert into link (job, kind, source_id, target_id, state, display, base, desired_hash, config_version, etag,
            observed_at, generated, cause, review_at, is_forgotten, answers, matched_by, gone_at)
        select %(job)s, kind, source_id, target_id, state, display, base, desired_hash, config_version, etag,
            now(), generated, cause, review_at, is_forgotten, answers, matched_by, gone_at
        from given
        on conflict (job, kind, source_id) do update set
            target_id = excluded.target_id, state = excluded.state, display = excluded.display, base = excluded.base,
            desired_hash = excluded.desired_hash, config_version = excluded.config_version, etag = excluded.etag,
            observed_at = excluded.observed_at, generated = excluded.generated, cause = excluded.cause,
            review_at = excluded.review_at, is_forgotten = excluded.is_forgotten, answers = excluded.answers,
            matched_by = excluded.matched_by, gone_at = excluded.gone_at, updated_at = now()
        )
        select target_id from freed""",
        {"job": job, "rows": as_rows(new), "matching": list(matching)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def some_accounts(connection: Connection, job: str, kind: ObjectKind, *, besides: str) -> list[str]:
    """Return a few live accounts of *kind*, chosen at random, that do not belong to the object *besides*."""
    cursor = await connection.execute(
        """with pivot as materialized (select gen_random_uuid() as id),
        live as (select source_id, target_id from link
            where job = %(job)s and kind = %(kind)s and state = 'live' and not is_forgotten and source_id <> %(besides)s)
        select target_id from (
            (select 1 as part, live.* from live, pivot where source_id >= pivot.id order by source_id limit %(most)s)
            union all
            (select 2, live.* from live, pivot where source_id < pivot.id order by source_id limit %(most)s)
        ) as found order by part, source_id limit %(most)s""",
        {"job": job, "kind": kind, "besides": besides, "most": MOST_WITNESSES},
    )
    return [row[0] for row in await cursor.fetchall()]


async def save_etag(connection: Connection, job: str, kind: ObjectKind, source_id: str, etag: str) -> None:
    """Store the account's version ("" if unknown) after a write that changed nothing else in the link."""
    await connection.execute(
        "update link set etag = %s where job = %s and kind = %s and source_id = %s", (etag, job, kind.value, source_id)
    )


async def remove_links(connection: Connection, job: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Delete the links in *pairs*. Each pair is the kind and the directory id of a linked object."""
    rows = as_rows({"kind": kind, "source_id": source_id} for kind, source_id in pairs)
    await connection.execute(
        """delete from link using jsonb_to_recordset(%(rows)s::jsonb) as given (kind text, source_id uuid)
        where link.job = %(job)s and link.kind = given.kind and link.source_id = given.source_id""",
        {"job": job, "rows": rows},
    )


async def forget_links(connection: Connection, job: str) -> int:
    """Mark every link of *job* as forgotten, so that the linked objects are matched again (restart with ConnectorDataStore). Returns the
    number of these links.

    A forgotten link still identifies the account of a leaver until the leaver is matched again. Meanwhile, however, the account may be
    linked to another object. The function also deletes ended links for whose account Lockstep no longer searches, all recorded members of
    groups, and all waiting references.
    """
    await connection.execute("delete from link where job = %s and state = 'tombstone' and gone_at is null", (job,))
    cursor = await connection.execute("update link set is_forgotten = true where job = %s", (job,))
    await connection.execute("delete from target_member where job = %s", (job,))
    await connection.execute("delete from waiting_reference where job = %s", (job,))
    return cursor.rowcount


async def not_seen_in_full_cycle(connection: Connection, job: str, kind: str, ids: Iterable[str]) -> frozenset[str]:
    """Return those of *ids* whose link was not written since the last full cycle began. Their accounts must still be compared."""
    cursor = await connection.execute(
        """select source_id::text from link
        where job = %(job)s and kind = %(kind)s and source_id = any(%(ids)s::uuid[]) and state in ('live', 'disabled')
            and coalesce(observed_at, '-infinity') < (select max(started_at) from cycle where job = %(job)s and kind = 'initial')""",
        {"job": job, "kind": kind, "ids": list(ids)},
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def count_links(connection: Connection, jobs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the linked live or disabled accounts of each kind, for each of *jobs*."""
    cursor = await connection.execute(
        "select job, kind, count(*) from link where job = any(%s) and state in ('live', 'disabled') group by job, kind",
        (list(jobs),),
    )
    counts: dict[str, dict[str, int]] = {job: {} for job in jobs}
    for job, kind, count in await cursor.fetchall():
        counts[job][kind] = count
    return counts


async def mark_reviews_due(connection: Connection) -> list[str]:
    """Mark dirty the objects whose review is due, for example because the day of a delayed deletion or a start date has come. Returns the
    affected jobs.
    """
    cursor = await connection.execute(
        """with due as (
            update link set review_at = null where review_at <= now() returning job, kind, source_id
        ), marked as (
            select job, mark_dirty(job, kind, array_agg(source_id), 1::smallint, 'reviewDue') from due group by job, kind
        )
        select distinct job from marked"""
    )
    return [row[0] for row in await cursor.fetchall()]
