"""The sign-in log: one record for each attempt of a person to sign in to Lockstep, or through Lockstep to an application.

Records are read page by page in the order of `seq`, newest first. To get the next page, pass the last `seq` of the previous page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.locks import lock_refusals
from lockstep.storage.patterns import part_of

SUCCESS, FAILURE, INTERRUPTED = "success", "failure", "interrupted"


@dataclass(frozen=True, slots=True)
class SignInRecord:
    """The record of one attempt. *person* and *app* are ids. *person* is None for an unknown name, *app* is None for My Apps.

    *more* is the number of further attempts that are counted here instead of in records of their own. The database generates *id* unless it
    is given.
    """

    at: datetime
    result: str
    code: str = ""
    detail: str = ""
    person: str | None = None
    person_display: str = ""
    app: str | None = None
    app_display: str = ""
    address: str = ""
    device: str = ""
    methods: Sequence[str] = ()
    protocol: str = ""
    more: int = 0
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SignInRow:
    """One record of the sign-in log, as it is read."""

    seq: int
    id: str
    at: datetime
    person: str | None
    person_display: str
    app: str | None
    app_display: str
    address: str
    device: str
    methods: Sequence[str]
    protocol: str
    result: str
    code: str
    detail: str
    more: int


@dataclass(frozen=True, slots=True)
class SignInFilter:
    """The conditions for the records to read. A field that is None matches all records. *user* is part of a name, or a person's id; *apps*
    are ids.
    """

    user: str | None = None
    person: str | None = None
    app: str | None = None
    apps: Sequence[str] | None = None
    result: str | None = None
    code: str | None = None
    address: str | None = None
    id: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    below_seq: int | None = None


_CONDITIONS: Mapping[str, str] = {
    "user": "(lower(person_display) like lower(%(user_part)s) or person::text = lower(%(user)s))",
    "person": "person = %(person)s",
    "app": "app = %(app)s",
    "apps": "app = any(%(apps)s::uuid[])",
    "result": "result = %(result)s",
    "code": "code = %(code)s",
    "address": "starts_with(address, %(address)s)",
    "id": "id::text = lower(%(id)s)",
    "after": "at >= %(after)s",
    "before": "at < %(before)s",
    "below_seq": "seq < %(below_seq)s",
}


async def append(connection: Connection, record: SignInRecord, *, refused_to: bytes | None = None) -> None:
    """Write a record. *refused_to* is the key under which `count_refusal` finds the record."""
    await connection.execute(
        """insert into sign_in_log
            (at, person, person_display, app, app_display, address, device, methods, protocol, result, code, detail, more, refused_to,
                id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s::uuid, gen_random_uuid()))""",
        (
            record.at,
            record.person,
            record.person_display,
            record.app,
            record.app_display,
            record.address,
            record.device,
            list(record.methods),
            record.protocol,
            record.result,
            record.code,
            record.detail,
            record.more,
            refused_to,
            record.id,
        ),
    )


async def records_of_refusals(connection: Connection, refused_to: bytes, *, since: datetime) -> int:
    """Count the records of refusals with the key *refused_to* whose time is *since* or later. Other transactions that count the same key
    wait until this transaction ends.
    """
    await lock_refusals(connection, refused_to)
    cursor = await connection.execute(
        "select count(*) from sign_in_log where refused_to = %s and at >= %s", (refused_to, since)
    )
    return int((await only_row(cursor))[0])


async def count_refusal(connection: Connection, refused_to: bytes) -> None:
    """Add one attempt to the count in the newest record with the key *refused_to*."""
    await connection.execute(
        """update sign_in_log set more = more + 1
        where seq = (select seq from sign_in_log where refused_to = %s order by at desc, seq desc limit 1)""",
        (refused_to,),
    )


async def people_signed_in(connection: Connection, app: str, *, protocol: str, since: datetime) -> int:
    """Count the people who signed in to the application by this protocol since the given time."""
    cursor = await connection.execute(
        """select count(distinct person) from sign_in_log
        where app = %s and protocol = %s and result = 'success' and at >= %s""",
        (app, protocol, since),
    )
    return int((await only_row(cursor))[0])


async def read_log(
    connection: Connection, wanted: SignInFilter, *, limit: int = 100, by_time: bool = False
) -> list[SignInRow]:
    """Return the newest *limit* matching records, newest first. "Newest" refers to the order in which the records were written or, if
    *by_time* is true, to the time of the records.

    The orders differ for concurrent writes. Use *by_time* for pages that end at a given time.
    """
    order = sql.SQL("at desc, seq desc" if by_time else "seq desc")
    given: dict[str, Any] = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    conditions = sql.SQL(" and ").join([sql.SQL(_CONDITIONS[name]) for name in given] or [sql.SQL("true")])
    if wanted.user is not None:
        given["user_part"] = part_of(wanted.user)
    statement = sql.SQL(
        """select seq, id::text, at, person::text, person_display, app::text, app_display, address, device, methods, protocol, result,
            code, detail, more
        from sign_in_log where {} order by {} limit %(limit)s"""
    ).format(conditions, order)
    async with connection.cursor(row_factory=class_row(SignInRow)) as cursor:
        await cursor.execute(statement, given | {"limit": limit})
        return await cursor.fetchall()
