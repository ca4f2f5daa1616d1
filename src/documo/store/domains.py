"""SQL of custom API domains."""

from __future__ import annotations

from lockstep.postgres.pool import Connection


async def insert(connection: Connection, tenant_id: int, host: str, proof: str, *, verified: bool) -> None:
    await connection.execute(
        "insert into domains (host, tenant_id, proof, verified_at) values (%s, %s, %s, case when %s then now() end)",
        (host, tenant_id, proof, verified),
    )


async def rows(connection: Connection, tenant_id: int) -> list[tuple[str, int, str, bool]]:
    cursor = await connection.execute(
        "select host, tenant_id, proof, verified_at is not null from domains where tenant_id = %s order by host",
        (tenant_id,),
    )
    return await cursor.fetchall()


async def verified(connection: Connection) -> dict[str, int]:
    """The verified hosts, each with the id of its tenant."""
    cursor = await connection.execute("select host, tenant_id from domains where verified_at is not null")
    return {str(host): int(tenant_id) for host, tenant_id in await cursor.fetchall()}


async def delete(connection: Connection, tenant_id: int, host: str) -> None:
    await connection.execute("delete from domains where tenant_id = %s and host = %s", (tenant_id, host))


async def mark_verified(connection: Connection, tenant_id: int, host: str) -> None:
    await connection.execute(
        "update domains set verified_at = now() where tenant_id = %s and host = %s", (tenant_id, host)
    )
