"""The audit log: who did what. Each entry contains a hash of the entry before it, so that a changed or removed entry is detected.

The hash covers the canonical form of the entry (sorted keys, times in whole microseconds) and the previous hash. Appending waits for the
transaction that appended last, so there is only one chain.
"""

# Statements are built from constants of this module only.
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.locks import lock_audit_log
from lockstep.storage.notices import Topic, notify

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the audit log."""

    seq: int
    at: datetime
    actor: str
    activity: str
    object: str
    before: Any
    after: Any
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first entry at which the chain is broken. *why* says what is wrong with the entry."""

    seq: int
    why: str


async def append(
    connection: Connection,
    *,
    actor: str,
    activity: str,
    target: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry in the transaction of the change that it describes. *before* and *after* must not contain a secret."""
    await lock_audit_log(connection)
    cursor = await connection.execute("select hash, clock_timestamp() from audit_log order by seq desc limit 1")
    row = await cursor.fetchone()
    previous = bytes(row[0]) if row else GENESIS
    at = row[1] if row else datetime.now(UTC)
    digest = _digest(previous, at, actor, activity, target, before, after)
    await connection.execute(
        """insert into audit_log (at, actor, activity, object, before, after, prev_hash, hash)
        values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (at, actor, activity, target, _json(before), _json(after), previous, digest),
    )
    await notify(connection, Topic.CHANGE, name=target)


async def read_entries(connection: Connection, *, after: int = 0, limit: int = 100) -> list[AuditRow]:
    """Return the entries in order, starting after number *after*."""
    async with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        await cursor.execute(
            """select seq, at, actor, activity, object, before, after, prev_hash, hash from audit_log
            where seq > %s order by seq limit %s""",
            (after, limit),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The conditions for the entries to read. A field that is None matches all entries. *actor*, *activity* and *object* match substrings,
    ignoring case.
    """

    actor: str | None = None
    activity: str | None = None
    object: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    below_seq: int | None = None
    seq: int | None = None


_CONDITIONS: Mapping[str, str] = {
    "actor": "strpos(lower(actor), lower(%(actor)s)) > 0",
    "activity": "strpos(lower(activity), lower(%(activity)s)) > 0",
    "object": "strpos(lower(object), lower(%(object)s)) > 0",
    "after": "at >= %(after)s",
    "before": "at < %(before)s",
    "below_seq": "seq < %(below_seq)s",
    "seq": "seq = %(seq)s",
}


async def newest_entries(
    connection: Connection, wanted: AuditFilter | None = None, *, limit: int = 100
) -> list[AuditRow]:
    """Return the newest *limit* entries that match, newest first."""
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted or AuditFilter(), name)) is not None}
    conditions = sql.SQL(" and ").join(sql.SQL(_CONDITIONS[name]) for name in given) if given else sql.SQL("true")
    statement = sql.SQL(
        """select seq, at, actor, activity, object, before, after, prev_hash, hash from audit_log
        where {} order by seq desc limit %(limit)s"""
    ).format(conditions)
    async with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        await cursor.execute(statement, given | {"limit": limit})
        return await cursor.fetchall()


async def verify(connection: Connection) -> ChainBreak | None:
    """Return the first break of the chain, or None if no entry was changed and none was removed from the middle."""
    previous, position = GENESIS, 0
    while entries := await read_entries(connection, after=position, limit=1000):
        for entry in entries:
            if bytes(entry.prev_hash) != previous:
                return ChainBreak(entry.seq, "the entry before it is missing or was replaced")
            previous = _digest(previous, entry.at, entry.actor, entry.activity, entry.object, entry.before, entry.after)
            if bytes(entry.hash) != previous:
                return ChainBreak(entry.seq, "it was changed after it was written")
        position = entries[-1].seq
    return None


def _digest(previous: bytes, at: datetime, actor: str, activity: str, target: str, before: Any, after: Any) -> bytes:
    entry = [
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        actor,
        activity,
        target,
        _plain(before),
        _plain(after),
    ]
    return hashlib.sha256(previous + orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)).digest()


def _plain(value: Any) -> Any:
    # Hash the value as the database returns it, because converting it to JSON again must not change it.
    return None if value is None else orjson.loads(orjson.dumps(value))


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
