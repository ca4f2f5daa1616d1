"""The keys that sign tokens of the OpenID Connect provider, stored sealed. One key is active, one is the next, and the others are
retired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json

NEXT, ACTIVE, RETIRED = "next", "active", "retired"


@dataclass(frozen=True, slots=True)
class OpenIdKeyRow:
    """One key. *published_at* is the time at which applications could first read it."""

    kid: str
    public_key: Mapping[str, Any]
    private_key: bytes = field(repr=False)
    state: str
    created_at: datetime
    published_at: datetime
    retired_at: datetime | None
    created_by: str


async def read_keys(connection: Connection) -> list[OpenIdKeyRow]:
    """Return the active key, then the next one, then the retired ones, most recently retired first."""
    async with connection.cursor(row_factory=class_row(OpenIdKeyRow)) as cursor:
        await cursor.execute(
            """select kid, public_key, private_key, state, created_at, published_at, retired_at, created_by from openid_key
            order by array_position(array['active', 'next', 'retired'], state), retired_at desc, kid"""
        )
        return await cursor.fetchall()


async def insert_key(
    connection: Connection,
    kid: str,
    *,
    public: Mapping[str, Any],
    private: bytes,
    state: str,
    now: datetime,
    actor: str,
) -> None:
    await connection.execute(
        """insert into openid_key (kid, public_key, private_key, state, created_at, published_at, created_by)
        values (%s, %s::jsonb, %s, %s, %s, %s, %s)""",
        (kid, as_json(dict(public)), private, state, now, now, actor),
    )


async def activate_next(connection: Connection, now: datetime) -> None:
    """Retire the active key and make the next one active."""
    await connection.execute("update openid_key set state = 'retired', retired_at = %s where state = 'active'", (now,))
    await connection.execute("update openid_key set state = 'active' where state = 'next'")


async def delete_retired(connection: Connection, before: datetime) -> None:
    await connection.execute("delete from openid_key where state = 'retired' and retired_at < %s", (before,))
