"""The mail server that Lockstep sends mail through. There is at most one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class MailServerRow:
    """The mail server. *secret* is the sealed password of *user_name*, or None if there is no password. *sender* is the address in From."""

    host: str
    port: int
    security: str
    sender: str
    user_name: str = ""
    secret: bytes | None = field(default=None, repr=False)
    changed_at: datetime | None = None
    changed_by: str = ""


_READ = "select host, port, security, sender, user_name, secret, changed_at, changed_by from mail_server"


async def read_server(connection: Connection) -> MailServerRow | None:
    return await _one(connection, _READ)


async def lock_server(connection: Connection) -> MailServerRow | None:
    """Read the server in order to change it. Other changes wait until the transaction ends."""
    await connection.execute("lock table mail_server in share row exclusive mode")
    return await _one(connection, _READ)


async def _one(connection: Connection, statement: str) -> MailServerRow | None:
    async with connection.cursor(row_factory=class_row(MailServerRow)) as cursor:
        await cursor.execute(statement)
        return await cursor.fetchone()


async def has_server(connection: Connection) -> bool:
    cursor = await connection.execute("select exists (select from mail_server)")
    row = await cursor.fetchone()
    return bool(row and row[0])


async def has_password(connection: Connection) -> bool:
    cursor = await connection.execute("select exists (select from mail_server where secret is not null)")
    row = await cursor.fetchone()
    return bool(row and row[0])


async def save_server(connection: Connection, row: MailServerRow, *, actor: str) -> None:
    await connection.execute(
        """insert into mail_server (host, port, security, sender, user_name, secret, changed_by)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (is_only) do update set host = excluded.host, port = excluded.port, security = excluded.security,
            sender = excluded.sender, user_name = excluded.user_name, secret = excluded.secret,
            changed_at = clock_timestamp(), changed_by = excluded.changed_by""",
        (row.host, row.port, row.security, row.sender, row.user_name, row.secret, actor),
    )


async def delete_server(connection: Connection) -> None:
    await connection.execute("delete from mail_server")
