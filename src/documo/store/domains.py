"""SQL of custom API domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lockstep.postgres.pool import Connection


async def insert(connection: Connection, tenant_id: int, host: str, proof: str, *, kind: str, verified: bool) -> None:
    await connection.execute(
        "insert into domains (host, tenant_id, proof, kind, verified_at) values (%s, %s, %s, %s, case when %s then now() end)",
        (host, tenant_id, proof, kind, verified),
    )


async def rows(connection: Connection, tenant_id: int) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select host, tenant_id, proof, verified_at is not null as verified, kind, seen_txt, seen_cname, checked_at,"
        " seen_tls"
        " from domains where tenant_id = %s order by host",
        (tenant_id,),
    )
    return await cursor.fetchall()


async def verified(connection: Connection) -> dict[str, int]:
    """Return the verified hosts of the API, each with the id of its tenant."""
    cursor = await connection.execute(
        "select host, tenant_id from domains where verified_at is not null and kind = 'api'"
    )
    return {str(host): int(tenant_id) for host, tenant_id in await cursor.fetchall()}


async def delete(connection: Connection, tenant_id: int, host: str) -> None:
    await connection.execute("delete from domains where tenant_id = %s and host = %s", (tenant_id, host))


async def mark_verified(connection: Connection, tenant_id: int, host: str) -> None:
    await connection.execute(
        "update domains set verified_at = now() where tenant_id = %s and host = %s", (tenant_id, host)
    )


async def note_answer(connection: Connection, tenant_id: int, host: str, txt: Sequence[str], cname: str) -> None:
    """Store the records that the name server returned."""
    await connection.execute(
        "update domains set seen_txt = %s, seen_cname = %s, checked_at = now() where tenant_id = %s and host = %s",
        (list(txt), cname, tenant_id, host),
    )


async def note_certificate(connection: Connection, tenant_id: int, host: str, state: Mapping[str, Any]) -> None:
    """Store the observed state of the certificate."""
    await connection.execute(
        "update domains set seen_tls = %s where tenant_id = %s and host = %s",
        (Jsonb(state, dumps=lambda value: orjson.dumps(value).decode()), tenant_id, host),
    )
