"""SQL of the branding of an account's pages."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class BrandRow:
    """The brand of an account, without the image of the logo. *host_of_api* and *host_of_app* are verified domains of the account, or
    None.
    """

    tenant_id: int
    account: str
    name: str
    accent: str
    logo_version: str | None
    host_of_api: str | None
    host_of_app: str | None


async def read(connection: Connection, tenant_id: int) -> BrandRow | None:
    """Return the brand of an existing account."""
    cursor = connection.cursor(row_factory=class_row(BrandRow))
    await cursor.execute(
        "select a.id as tenant_id, a.name as account, coalesce(nullif(b.name, ''), a.name) as name, coalesce(b.accent, '') as accent,"
        " b.logo_version, (select min(host) from domains d where d.tenant_id = a.id and d.kind = 'api' and d.verified_at is not null)"
        " as host_of_api, (select min(host) from domains d where d.tenant_id = a.id and d.kind = 'app' and d.verified_at is not null)"
        " as host_of_app from accounts a left join branding b on b.tenant_id = a.id where a.id = %s",
        (tenant_id,),
    )
    return await cursor.fetchone()


async def tenant_of_host(connection: Connection, host: str) -> int | None:
    """Return the account whose pages are served at *host*. Works outside a tenant's transaction."""
    cursor = await connection.execute(
        "select tenant_id from domains where host = %s and kind = 'app' and verified_at is not null", (host,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def save(connection: Connection, tenant_id: int, *, name: str, accent: str) -> None:
    await connection.execute(
        "insert into branding (tenant_id, name, accent) values (%s, %s, %s)"
        " on conflict (tenant_id) do update set name = excluded.name, accent = excluded.accent",
        (tenant_id, name, accent),
    )


async def save_logo(
    connection: Connection, tenant_id: int, logo: bytes | None, *, media_type: str | None, version: str | None
) -> None:
    await connection.execute(
        "insert into branding (tenant_id, logo, logo_type, logo_version) values (%s, %s, %s, %s)"
        " on conflict (tenant_id) do update set logo = excluded.logo, logo_type = excluded.logo_type,"
        " logo_version = excluded.logo_version",
        (tenant_id, logo, media_type, version),
    )


async def read_logo(connection: Connection, tenant_id: int) -> tuple[bytes, str] | None:
    """Return the logo and its media type."""
    cursor = await connection.execute(
        "select logo, logo_type from branding where tenant_id = %s and logo is not null", (tenant_id,)
    )
    row = await cursor.fetchone()
    return (bytes(row[0]), str(row[1])) if row else None
