"""SQL of the request log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from psycopg.rows import class_row, dict_row

from documo.readable_paths import written_forms
from lockstep.postgres.pool import Connection

CHANNEL = "documo_requests"  # the payload is the account whose log has new entries
COLUMNS = (
    "tenant_id, id, at, method, path, status, milliseconds, key_id, client, tolerances, address, user_agent, request_type,"
    " request_body, response_headers, response_body"
)


_INSERT = f"""
with added as (insert into request_log ({COLUMNS})
select e.tenant_id, e.id, e.at, e.method, e.path, e.status, e.milliseconds, e.key_id, e.client,
    array(select json_array_elements_text(e.tolerances)), e.address, e.user_agent, e.request_type, e.request_body, e.response_headers,
    e.response_body
from json_to_recordset(%s::json) as e(tenant_id int, id text, at timestamptz, method text, path text, status int,
    milliseconds real, key_id uuid, client text, tolerances json, address text, user_agent text, request_type text,
    request_body text, response_headers json, response_body text))
select pg_notify('{CHANNEL}', %s)
"""  # noqa: S608 -- constants


async def insert(connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
    """Write many entries of one tenant without waiting for the disk, and notify open pages.

    Uses INSERT, because COPY does not work with row-level security.
    """
    await connection.execute("set local synchronous_commit = off")
    await connection.execute(_INSERT, (orjson.dumps(entries).decode(), str(entries[0]["tenant_id"])))


async def newest(connection: Connection, tenant_id: int) -> str:
    """Return the id of the newest entry, or "" if there is none."""
    cursor = await connection.execute(
        "select id from request_log where tenant_id = %s order by id desc limit 1", (tenant_id,)
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


async def rows(
    connection: Connection,
    tenant_id: int,
    *,
    after: str = "",
    limit: int = 50,
    statuses: tuple[int, int] = (0, 999),
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """Return the entries that come after the entry *after*, have a status in the range *statuses* and are not older than *since*. If there
    are more than *limit*, return only the newest ones. The order is oldest first.
    """
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select newest.*, k.name as key_name, least(k.revoked_at, k.expires_at) as key_ends_at from (select id, at, method,"
        " path, status, milliseconds, key_id::text, client, tolerances, address, user_agent, request_type, request_body,"
        " response_body from request_log where tenant_id = %s and id > %s and status between %s and %s"
        " and at >= coalesce(%s, '-infinity'::timestamptz) order by id desc limit %s) newest"
        " left join api_keys k on k.id = newest.key_id::uuid order by newest.id",
        (tenant_id, after, *statuses, since, limit),
    )
    return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class RequestLogFilter:
    """A selection of entries; "" selects all. *key* is the id of an API key, *text* a part of the path,
    escaped or not.
    """

    statuses: tuple[int, int] = (0, 999)
    method: str = ""
    client: str = ""
    key: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive similar requests, shown as one row. Reads or refusals are similar if they have the same method, path, status, key and
    client. For refusals with status 429, the same key and client are enough. Each successful change is a run of its own.

    *id* and *at* belong to the newest request, *first_id* and *first_at* to the oldest. *milliseconds* is the average duration.
    """

    id: str
    at: datetime
    first_id: str
    first_at: datetime
    count: int
    method: str
    path: str
    status: int
    milliseconds: float
    client: str
    key_name: str | None


_FILTERED = """
select l.id, l.at, l.method, l.path, l.status, l.milliseconds, l.client, l.key_id, k.name as key_name
from request_log l left join api_keys k on k.id = l.key_id where l.tenant_id = %(tenant)s
    and (%(below)s = '' or l.id < %(below)s) and l.status between %(low)s and %(high)s
    and (%(method)s = '' or l.method = %(method)s) and (%(client)s = '' or l.client = %(client)s)
    and (%(key)s = '' or l.key_id::text = %(key)s)
    and exists (select from unnest(%(forms)s::text[]) as form where strpos(lower(l.path), form) > 0)
"""
# Every successful change has its own row, because each concerns a different resource.
_ALIKE = (
    "row(status, client, key_id, case when status <> 429 then method end, case when status <> 429 then path end,"
    " case when method <> 'GET' and status < 400 then id end)"
)
_RUNS = f"""
with newest as ({_FILTERED} order by l.id desc limit %(looked_at)s),
marked as (select *, ({_ALIKE} is distinct from lag({_ALIKE}) over (order by id desc))::int as begins from newest),
numbered as (select *, sum(begins) over (order by id desc) as run from marked)
select max(id) as id, max(at) as at, min(id) as first_id, min(at) as first_at, count(*) as count,
    (array_agg(method order by id desc))[1] as method, (array_agg(path order by id desc))[1] as path, min(status) as status,
    avg(milliseconds) as milliseconds, min(client) as client, min(key_name) as key_name
from numbered group by run order by run limit %(most)s
"""  # noqa: S608 -- constants


async def runs(
    connection: Connection, tenant_id: int, wanted: RequestLogFilter, *, below: str, most: int, looked_at: int
) -> list[Run]:
    """Return the newest runs. Only the newest *looked_at* entries older than *below* are considered."""
    cursor = connection.cursor(row_factory=class_row(Run))
    await cursor.execute(
        _RUNS, {**_parameters(tenant_id, wanted), "below": below, "most": most, "looked_at": looked_at}
    )
    return await cursor.fetchall()


async def entries_of_run(
    connection: Connection, tenant_id: int, wanted: RequestLogFilter, run: Run, *, most: int
) -> list[dict[str, Any]]:
    """Return the newest entries of *run*."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        f"{_FILTERED} and l.id between %(first)s and %(last)s order by l.id desc limit %(most)s",
        {**_parameters(tenant_id, wanted), "below": "", "first": run.first_id, "last": run.id, "most": most},
    )
    return await cursor.fetchall()


def _parameters(tenant_id: int, wanted: RequestLogFilter) -> dict[str, Any]:
    low, high = wanted.statuses
    return {
        "tenant": tenant_id, "low": low, "high": high, "method": wanted.method, "client": wanted.client, "key": wanted.key,
        "forms": written_forms(wanted.text),
    }  # fmt: skip


async def hours(connection: Connection, tenant_id: int) -> list[tuple[int, int, int]]:
    """Return three numbers for each hour of the last day in which there were requests: how many hours ago it was, the number of requests
    that succeeded, and the number of requests that were refused or failed.
    """
    cursor = await connection.execute(
        "select floor(extract(epoch from now() - at) / 3600)::int as ago, count(*) filter (where status < 400),"
        " count(*) filter (where status >= 400) from request_log where tenant_id = %s and at > now() - interval '24 hours'"
        " group by ago",
        (tenant_id,),
    )
    return [(int(ago), int(fine), int(refused)) for ago, fine, refused in await cursor.fetchall()]


_BY_HAND = ["curl", "test suite"]


async def last_request(connection: Connection, tenant_id: int) -> datetime | None:
    """Return the time of the last request of a directory. Requests that people send by hand do not count."""
    cursor = await connection.execute(
        "select at from request_log where tenant_id = %s and client <> all(%s) order by id desc limit 1",
        (tenant_id, _BY_HAND),
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def moments(connection: Connection, tenant_id: int, *, bucket: timedelta, looked_at: int) -> list[datetime]:
    """Return the start times, oldest first, of the time buckets that contain requests of a directory. Only the newest *looked_at* requests
    are considered.
    """
    cursor = await connection.execute(
        "select distinct date_bin(%s, newest.at, 'epoch') as moment from (select at from request_log where tenant_id = %s"
        " and client <> all(%s) order by id desc limit %s) newest order by moment",
        (bucket, tenant_id, _BY_HAND, looked_at),
    )
    return [row[0] for row in await cursor.fetchall()]


async def entry(connection: Connection, tenant_id: int, entry_id: str) -> dict[str, Any] | None:
    """Return the entry whose id is *entry_id* or begins with it. If several match, return the one with the lowest id."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select * from request_log where tenant_id = %s and starts_with(id, %s) order by id limit 1",
        (tenant_id, entry_id),
    )
    return await cursor.fetchone()


async def tenants(connection: Connection) -> list[int]:
    cursor = await connection.execute("select id from accounts")
    return [int(row[0]) for row in await cursor.fetchall()]


async def remove_before(connection: Connection, tenant_id: int, before: datetime) -> None:
    await connection.execute("delete from request_log where tenant_id = %s and at < %s", (tenant_id, before))


async def purge_deleted(connection: Connection, tenant_id: int) -> None:
    """Purge resources that were deleted before the account's undelete window began. Users who are kept as deactivated stay."""
    await connection.execute(
        "with gone as (delete from resources r using accounts a where a.id = r.tenant_id and r.tenant_id = %s"
        " and not r.is_kept and r.deleted_at < clock_timestamp() - make_interval(days => a.undelete_days) returning r.id)"
        " delete from resource_search s using gone where s.tenant_id = %s and s.id = gone.id",
        (tenant_id, tenant_id),
    )
