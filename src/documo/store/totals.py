"""Totals over all accounts, for monitoring."""

from __future__ import annotations

from documo.store.database import SET_TENANT
from lockstep.postgres.pool import Connection, pipeline


async def accounts(connection: Connection) -> int:
    cursor = await connection.execute("select count(*) from accounts")
    return _number(await cursor.fetchone())


async def members(connection: Connection) -> int:
    """Return the number of members of all accounts. Each account is read separately, because row-level security shows only one at a
    time.
    """
    cursor = await connection.execute("select id from accounts order by id")
    tenants = [row[0] for row in await cursor.fetchall()]
    asked = []
    async with pipeline(connection):
        for tenant in tenants:
            await connection.execute(SET_TENANT, (str(tenant),))
            asked.append(
                await connection.execute(
                    "select coalesce(sum(total), 0)::bigint from resource_counts where tenant_id = %s and kind = 'User'",
                    (tenant,),
                )
            )
    return sum([_number(await one.fetchone()) for one in asked])


async def event_streams(connection: Connection) -> tuple[int, int, int]:
    """Return three numbers: all streams, the streams whose last delivery failed, and the waiting events."""
    cursor = await connection.execute(
        "select count(*), count(*) filter (where failures > 0), (select count(*) from stream_events) from event_streams"
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1]), int(row[2])) if row else (0, 0, 0)


def _number(row: tuple[int, ...] | None) -> int:
    return int(row[0]) if row else 0
