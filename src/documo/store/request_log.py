"""SQL of the request log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from psycopg.rows import dict_row

from lockstep.postgres.pool import Connection

COLUMNS = (
    "tenant_id, id, at, method, path, status, milliseconds, key_id, client, tolerances, address, user_agent, request_type,"
    " request_body, response_body"
)


_INSERT = f"""
insert into request_log ({COLUMNS})
select e.tenant_id, e.id, e.at, e.method, e.path, e.status, e.milliseconds, e.key_id, e.client,
    array(select json_array_elements_text(e.tolerances)), e.address, e.user_agent, e.request_type, e.request_body, e.response_body
from json_to_recordset(%s::json) as e(tenant_id int, id text, at timestamptz, method text, path text, status int,
    milliseconds real, key_id uuid, client text, tolerances json, address text, user_agent text, request_type text,
    request_body text, response_body text)
"""  # noqa: S608 -- constants


async def insert(connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
    """Write many entries of one tenant without waiting for the disk. (COPY does not work with row-level security.)"""
    await connection.execute("set local synchronous_commit = off")
    await connection.execute(_INSERT, (orjson.dumps(entries).decode(),))


async def rows(
    connection: Connection,
    tenant_id: int,
    *,
    after: str = "",
    limit: int = 50,
    statuses: tuple[int, int] = (0, 999),
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """The newest entries, oldest first: those after the entry *after*, with a status in the range, not before *since*."""
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


async def page_rows(
    connection: Connection, tenant_id: int, *, below: str, most: int, statuses: tuple[int, int], method: str, client: str,
    key: str, text: str,
) -> list[dict[str, Any]]:  # fmt: skip
    """The newest entries older than *below*. *key*: the id of an API key; *text*: a part of the path."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select l.id, l.at, l.method, l.path, l.status, l.milliseconds, l.client, l.tolerances, k.name as key_name"
        " from request_log l left join api_keys k on k.id = l.key_id where l.tenant_id = %(tenant)s"
        " and (%(below)s = '' or l.id < %(below)s) and l.status between %(low)s and %(high)s"
        " and (%(method)s = '' or l.method = %(method)s) and (%(client)s = '' or l.client = %(client)s)"
        " and (%(key)s = '' or l.key_id::text = %(key)s) and (%(text)s = '' or strpos(lower(l.path), lower(%(text)s)) > 0)"
        " order by l.id desc limit %(most)s",
        {
            "tenant": tenant_id, "below": below, "most": most, "low": statuses[0], "high": statuses[1],
            "method": method, "client": client, "key": key, "text": text,
        },
    )  # fmt: skip
    return await cursor.fetchall()


async def hours(connection: Connection, tenant_id: int) -> list[tuple[int, int, int]]:
    """For the hours of the last day that have requests: how many hours ago, requests answered, requests refused."""
    cursor = await connection.execute(
        "select floor(extract(epoch from now() - at) / 3600)::int as ago, count(*) filter (where status < 400),"
        " count(*) filter (where status >= 400) from request_log where tenant_id = %s and at > now() - interval '24 hours'"
        " group by ago",
        (tenant_id,),
    )
    return [(int(ago), int(fine), int(refused)) for ago, fine, refused in await cursor.fetchall()]


async def entry(connection: Connection, tenant_id: int, entry_id: str) -> dict[str, Any] | None:
    """One entry by its id or the beginning of it."""
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
    """Purge resources that were deleted before the account's undelete window began."""
    await connection.execute(
        "with gone as (delete from resources r using accounts a where a.id = r.tenant_id and r.tenant_id = %s"
        " and r.deleted_at < clock_timestamp() - make_interval(days => a.undelete_days) returning r.id)"
        " delete from resource_search s using gone where s.tenant_id = %s and s.id = gone.id",
        (tenant_id, tenant_id),
    )
