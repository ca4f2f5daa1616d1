"""The organisation's name, and the labels of everything that configuration files can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json, only_row

_TABLES = {"Application": "application", "Source": "source"}


UNNAMED = "organisation"  # the name in files until one is set


@dataclass(frozen=True, slots=True)
class TenantRow:
    """The organisation. *name* is "" until it is set."""

    name: str
    settings: Mapping[str, Any]
    labels: Mapping[str, str]


async def read_tenant(connection: Connection) -> TenantRow:
    cursor = await connection.execute("select name, settings, labels from instance")
    return TenantRow(*await only_row(cursor))


async def save_tenant(connection: Connection, row: TenantRow) -> None:
    await connection.execute(
        "update instance set name = %s, settings = %s::jsonb, labels = %s::jsonb",
        (row.name, as_json(dict(row.settings)), as_json(dict(row.labels))),
    )


async def read_labels(connection: Connection, kind: str, name: str) -> dict[str, str]:
    """Return the labels of an application or a source; empty if it does not exist."""
    query = sql.SQL("select labels from {} where name = %s").format(sql.Identifier(_TABLES[kind]))
    cursor = await connection.execute(query, (name,))
    row = await cursor.fetchone()
    return dict(row[0]) if row else {}


async def read_all_labels(connection: Connection, kind: str) -> dict[str, dict[str, str]]:
    """Return the labels of all applications or all sources, by name."""
    cursor = await connection.execute(sql.SQL("select name, labels from {}").format(sql.Identifier(_TABLES[kind])))
    return {name: dict(labels) for name, labels in await cursor.fetchall()}


async def save_labels(connection: Connection, kind: str, name: str, labels: Mapping[str, str]) -> None:
    query = sql.SQL("update {} set labels = %s::jsonb where name = %s").format(sql.Identifier(_TABLES[kind]))
    await connection.execute(query, (as_json(dict(labels)), name))
