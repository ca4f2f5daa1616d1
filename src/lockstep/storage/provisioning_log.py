"""The provisioning log: one record, with its steps, for each action, refusal or skip.

Records are read page by page in the order of `seq`, newest first. To get the next page, pass the last `seq` of the previous page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id, as_rows
from lockstep.storage.log_record import LogRecord, complete_details
from lockstep.storage.patterns import part_of


async def append(connection: Connection, job: str, app: str, records: Sequence[LogRecord]) -> None:
    """Append records to the log of *job*. *app* is the id of the application that the job provisions."""
    await connection.execute(
        """insert into provisioning_log (id, change_id, job, app, cycle, action, status, kind, source_id, source_display,
            target_id, target_display, error_code, reason, duration_ms, initiated_by, record)
        select id, change_id, %(job)s, %(app)s, cycle, action, status, kind, source_id, source_display, target_id,
            target_display, error_code, reason, duration_ms, initiated_by, record
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, change_id uuid, cycle bigint, action text, status text,
            kind text, source_id uuid, source_display text, target_id text, target_display text, error_code text,
            reason text, duration_ms integer, initiated_by text, record jsonb)""",
        {"job": job, "app": app, "rows": as_rows(one.as_row() for one in records)},
    )


@dataclass(frozen=True, slots=True)
class LogRow:
    seq: int
    id: str
    change_id: str
    at: datetime
    job: str
    app: str
    cycle: int | None
    action: str
    status: str
    kind: str
    source_id: str | None
    source_display: str
    target_id: str
    target_display: str
    error_code: str
    reason: str
    duration_ms: int
    initiated_by: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The conditions for the records to read. A field that is None matches all records.

    *person* is a present or former name, or an id; all records of that object match. *text* is part of a name, an account's id, an error
    code or a reason, ignoring case.
    """

    job: str | None = None
    apps: Sequence[str] | None = None  # ids of applications
    person: str | None = None
    source_id: str | None = None
    status: str | None = None
    action: str | None = None
    actions: Sequence[str] | None = None  # any of them
    error_code: str | None = None
    text: str | None = None
    cycle: int | None = None
    change_id: str | None = None  # the whole id or its beginning
    seq: int | None = None
    after: datetime | None = None
    before: datetime | None = None
    below_seq: int | None = None
    above_seq: int | None = None


# The text in which a search looks. The index `provisioning_log_search` has the same expression.
_SEARCHED = "lower({0}source_display || ' ' || {0}target_display || ' ' || {0}target_id || ' ' || {0}error_code || ' ' || {0}reason)"
_TRIGRAM = re.compile(r"[^\W_]{3}")

_CONDITIONS: Mapping[str, str] = {
    "job": "job = %(job)s",
    "apps": "app = any(%(apps)s::uuid[])",
    "source_id": "source_id = %(source_id)s",
    "status": "status = %(status)s",
    "action": "action = %(action)s",
    "actions": "action = any(%(actions)s)",
    "error_code": "error_code = %(error_code)s",
    "cycle": "cycle = %(cycle)s",
    "change_id": "change_id::text like %(change_id)s || '%%'",
    "seq": "seq = %(seq)s",
    "after": "at >= %(after)s",
    "before": "at < %(before)s",
    "below_seq": "seq < %(below_seq)s",
    "above_seq": "seq > %(above_seq)s",
}
# Every record of an object that ever had this name. First collect the ids of these objects, so that an index finds the records.
_PERSON = """((%(contained)s and (lower(source_display) = lower(%%(person)s) or lower(target_display) = lower(%%(person)s)
    or target_id = %%(person)s))
    or source_id = any(array(
        select named.source_id from provisioning_log as named
        where %(named)s and lower(named.source_display) = lower(%%(person)s) and named.source_id is not null
        union select id from person where deleted_at is null and lower(user_principal_name) = lower(%%(person)s)
        union select id from person where deleted_at is not null and lower(user_principal_name) = lower(%%(person)s)
        union select %%(person_id)s::uuid)))"""


def _conditions(wanted: LogFilter) -> tuple[list[str], dict[str, Any]]:
    given = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    conditions = [_CONDITIONS[name] for name in given]
    if wanted.change_id is not None and (whole := as_id(wanted.change_id)) is not None:
        conditions[list(given).index("change_id")] = "change_id = %(change_id)s"
        given["change_id"] = whole
    if wanted.text is not None:
        conditions.append(_contains("text", wanted.text))
        given |= {"text": wanted.text, "text_part": part_of(wanted.text)}
    if wanted.person is not None:
        parts = {"contained": _contains("person", wanted.person), "named": _contains("person", wanted.person, "named.")}
        conditions.append(_PERSON % parts)
        given |= {
            "person": wanted.person,
            "person_part": part_of(wanted.person),
            "person_id": as_id(wanted.person),
        }
    return conditions, given


def _contains(name: str, text: str, table: str = "") -> str:
    """Return the SQL condition that a record contains *text*, which is the value of the parameter *name*.

    The index is used only for texts with three or more letters. For shorter ones, PostgreSQL would read the whole index and all records.
    """
    searched = _SEARCHED.format(table)
    if _TRIGRAM.search(text):
        return f"{searched} like lower(%({name}_part)s)"
    return f"strpos({searched}, lower(%({name})s)) > 0"


async def read_log(
    connection: Connection, wanted: LogFilter, *, limit: int = 100, by_time: bool = False
) -> list[LogRow]:
    """Return at most *limit* matching records. The records that were written last come first or, if *by_time* is true, the records with the
    latest times.

    The two orders differ for concurrent writes. Use *by_time* for pages that end at a given time.
    """
    order = sql.SQL("at desc, seq desc" if by_time else "seq desc")
    found, given = _conditions(wanted)
    conditions = sql.SQL(" and ").join(map(sql.SQL, found or ["true"]))
    statement = sql.SQL(
        """select seq, id::text, change_id::text, at, job, app::text, cycle, action, status, kind, source_id::text,
            source_display, target_id, target_display, error_code, reason, duration_ms, initiated_by, record
        from provisioning_log where {} order by {} limit %(limit)s"""
    ).format(conditions, order)
    async with connection.cursor(row_factory=class_row(LogRow)) as cursor:
        await cursor.execute(statement, given | {"limit": limit})
        return [replace(row, record=complete_details(row.record)) for row in await cursor.fetchall()]


async def attempts_beside(connection: Connection, row: LogRow) -> tuple[str, str]:
    """Return the ids of the previous and the next change of the same object in the same application; each is "" if there is none."""
    found = []
    for condition, order in (("<", "desc"), (">", "asc")):
        cursor = await connection.execute(
            sql.SQL(
                """select change_id::text from (select * from provisioning_log where source_id = %(source_id)s
                        and seq {condition} %(seq)s order by seq {order} offset 0) as of_object
                where job = %(job)s and kind = %(kind)s and change_id <> %(change_id)s order by seq {order} limit 1"""
            ).format(condition=sql.SQL(condition), order=sql.SQL(order)),
            {"source_id": row.source_id, "seq": row.seq, "job": row.job, "kind": row.kind, "change_id": row.change_id},
        )
        other = await cursor.fetchone()
        found.append(str(other[0]) if other is not None else "")
    return found[0], found[1]


async def count_failures(connection: Connection, jobs: Sequence[str], *, since: timedelta) -> dict[str, int]:
    """Count the failed changes of each job in the time span *since*, which ends now. Jobs without failures are absent."""
    cursor = await connection.execute(
        """select job, count(distinct change_id) from provisioning_log
        where job = any(%s) and status = 'failure' and at >= now() - %s group by job""",
        (list(jobs), since),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def last_skip_reasons(connection: Connection, job: str, kind: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the error code and reason, separated by a space, of each object whose newest record is a skip. Callers use this to avoid
    logging the same skip again.

    OFFSET 0 makes PostgreSQL use the index on the object alone. Otherwise it may read the whole log of the job for each object.
    """
    cursor = await connection.execute(
        """select wanted.id::text, newest.error_code || ' ' || newest.reason
        from unnest(%(ids)s::uuid[]) as wanted (id)
        cross join lateral (
            select status, error_code, reason
            from (select * from provisioning_log where source_id = wanted.id order by seq desc offset 0) as of_object
            where job = %(job)s and kind = %(kind)s order by seq desc limit 1
        ) as newest
        where newest.status = 'skipped'""",
        {"job": job, "kind": kind, "ids": list(ids)},
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def source_names(connection: Connection, kind: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the user principal names of people, or the display names of groups, by id. Objects that no longer exist are absent."""
    statement = (
        "select id::text, user_principal_name from person where id = any(%s::uuid[])"
        if kind == "User"
        else "select id::text, display_name from grp where id = any(%s::uuid[])"
    )
    cursor = await connection.execute(statement, (list(ids),))
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def application_names(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return display names of applications. Removed applications are absent."""
    cursor = await connection.execute(
        "select id::text, display_name from application where id = any(%s::uuid[])", (list(ids),)
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}
