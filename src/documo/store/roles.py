"""SQL of roles as administrators manage them. The SQL that SCIM uses on the same rows is in `resources`."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from lockstep.postgres.pool import Connection


async def rows(connection: Connection, tenant_id: int, default_role: str) -> list[dict[str, Any]]:
    """Return value, display name and number of members of each role. Members without a role are counted under the default role."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select r.document->>'value' as value, coalesce(r.document->>'display', r.document->>'value') as display, r.id::text,"
        " (select count(*) from resources m where m.tenant_id = r.tenant_id and m.kind = 'User' and m.deleted_at is null"
        " and coalesce(m.role, %s) = r.document->>'value') as members"
        " from resources r where r.tenant_id = %s and r.kind = 'Role' and r.deleted_at is null order by r.id",
        (default_role, tenant_id),
    )
    return await cursor.fetchall()


async def remove(connection: Connection, tenant_id: int, value: str) -> None:
    await connection.execute(
        "with gone as (update resources set deleted_at = clock_timestamp(), version = version + 1 where tenant_id = %s"
        " and kind = 'Role' and document->>'value' = %s and deleted_at is null returning tenant_id)"
        " update resource_counts c set total = total - 1 from gone where c.tenant_id = gone.tenant_id and c.kind = 'Role'",
        (tenant_id, value),
    )


async def tell(connection: Connection, tenant_id: int) -> None:
    """Make every process drop its cache of the roles once the transaction commits."""
    await connection.execute("select pg_notify('documo_changed', %s)", (str(tenant_id),))
