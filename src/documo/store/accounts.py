"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from documo.identifiers import new_id
from lockstep.postgres.pool import Connection

ROLE_URN = "urn:ietf:params:scim:schemas:core:2.0:Role"


async def insert_account(connection: Connection, name: str, values: Mapping[str, Any]) -> int:
    """Insert an account with *values* for some columns. Returns the new tenant's id."""
    columns = {"name": name, **values}
    statement = sql.SQL("insert into accounts ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(sql.Placeholder() * len(columns))
    )
    cursor = await connection.execute(statement, [_adapted(value) for value in columns.values()])
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def update_account(connection: Connection, tenant_id: int, values: Mapping[str, Any]) -> None:
    if not values:
        return
    pairs = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in values)
    statement = sql.SQL("update accounts set {} where id = %s").format(pairs)
    await connection.execute(statement, [*(_adapted(value) for value in values.values()), tenant_id])


async def account_with_id(connection: Connection, tenant_id: int) -> dict[str, Any] | None:
    """Return the account with this number, even if another account has the number as its name."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute("select * from accounts where id = %s", (tenant_id,))
    return await cursor.fetchone()


async def account_row(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return the account with this name, ignoring case, or else the one with this number. Use this only for a name that a person entered,
    because the name of one account may be the number of another.
    """
    cursor = connection.cursor(row_factory=dict_row)
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
    await cursor.execute(
        "select * from accounts where lower(name) = lower(%s) or id = %s order by id = %s limit 1",
        (name, number, number),
    )
    return await cursor.fetchone()


async def account_rows(connection: Connection) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute("select * from accounts order by id")
    return await cursor.fetchall()


async def member_count(connection: Connection, tenant_id: int) -> int:
    cursor = await connection.execute(
        "select count(*) from resources where tenant_id = %s and kind = 'User' and deleted_at is null", (tenant_id,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def active_member_count(connection: Connection, tenant_id: int) -> int:
    """Return the number of seats that are taken."""
    cursor = await connection.execute(
        "select count(*) from resources where tenant_id = %s and kind = 'User' and active and deleted_at is null",
        (tenant_id,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def delete_account(connection: Connection, tenant_id: int) -> None:
    """Delete every row of an account. Needs the tenant's transaction, because row-level security hides the rows from any other
    transaction.
    """
    for name in (
        "group_members", "resource_search", "resource_counts", "resources", "request_log", "event_streams", "api_keys",
        "domains", "sign_in_names", "member_sessions", "member_links", "member_last_sign_ins", "member_second_factors",
        "documents", "branding", "audit_log",
    ):  # fmt: skip
        await connection.execute(
            sql.SQL("delete from {} where tenant_id = %s").format(sql.Identifier(name)), (tenant_id,)
        )
    await connection.execute("delete from accounts where id = %s", (tenant_id,))
    await connection.execute("select pg_notify('documo_changed', %s)", (str(tenant_id),))


async def insert_roles(connection: Connection, tenant_id: int, roles: Iterable[tuple[str, str]]) -> None:
    """Insert (value, display name) pairs as SCIM resources of type Role."""
    for value, display in roles:
        document = {"schemas": [ROLE_URN], "value": value, "display": display, "supported": True}
        role_id = new_id()
        search = {"value": value, "display": display.casefold(), "supported": True}
        await connection.execute(
            "insert into resources (tenant_id, id, kind, unique_name, display_name, source, document)"
            " values (%s, %s, 'Role', %s, %s, 'local', %s)",
            (tenant_id, role_id, value, display.casefold(), Jsonb(document)),
        )
        await connection.execute(
            "insert into resource_search (tenant_id, id, kind, document) values (%s, %s, 'Role', %s)",
            (tenant_id, role_id, Jsonb(search)),
        )
        await connection.execute(
            "insert into resource_counts values (%s, 'Role', 1) on conflict (tenant_id, kind) do update"
            " set total = resource_counts.total + 1",
            (tenant_id,),
        )


async def role_rows(connection: Connection, tenant_id: int) -> list[tuple[str, str]]:
    """Return value and display name of the tenant's roles."""
    cursor = await connection.execute(
        "select document->>'value', coalesce(document->>'display', document->>'value') from resources"
        " where tenant_id = %s and kind = 'Role' and deleted_at is null order by id",
        (tenant_id,),
    )
    return [(str(value), str(display)) for value, display in await cursor.fetchall()]


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, list | dict) else value
