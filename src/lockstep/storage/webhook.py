"""The webhook that notifications are sent to. There is at most one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """The webhook. *address* is the sealed URL. *secret* is the sealed signing secret, or None if requests are not signed."""

    origin: str
    address: bytes = field(repr=False)
    secret: bytes | None = field(default=None, repr=False)
    changed_at: datetime | None = None
    changed_by: str = ""


_READ = "select origin, address, secret, changed_at, changed_by from webhook"


async def read_webhook(connection: Connection) -> WebhookRow | None:
    return await _one(connection, _READ)


async def lock_webhook(connection: Connection) -> WebhookRow | None:
    """Read the webhook in order to change it. Other changes wait until the transaction ends."""
    await connection.execute("lock table webhook in share row exclusive mode")
    return await _one(connection, _READ)


async def save_webhook(connection: Connection, row: WebhookRow, *, actor: str) -> None:
    await connection.execute(
        """insert into webhook (origin, address, secret, changed_by) values (%s, %s, %s, %s)
        on conflict (is_only) do update set origin = excluded.origin, address = excluded.address, secret = excluded.secret,
            changed_at = clock_timestamp(), changed_by = excluded.changed_by""",
        (row.origin, row.address, row.secret, actor),
    )


async def delete_webhook(connection: Connection) -> None:
    await connection.execute("delete from webhook")


async def _one(connection: Connection, statement: str) -> WebhookRow | None:
    async with connection.cursor(row_factory=class_row(WebhookRow)) as cursor:
        await cursor.execute(statement)
        return await cursor.fetchone()
