"""The certificates and sealed keys that sign for applications. At most one certificate per application is active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate, without its key."""

    app: str
    thumbprint: str
    certificate: str
    not_before: datetime
    not_after: datetime
    is_active: bool
    created_at: datetime
    created_by: str


async def read_certificates(connection: Connection, apps: Sequence[str]) -> dict[str, list[CertificateRow]]:
    """Return the certificates of *apps* by application: the active one first, then the others, newest first."""
    found: dict[str, list[CertificateRow]] = {}
    async with connection.cursor(row_factory=class_row(CertificateRow)) as cursor:
        await cursor.execute(
            """select app::text, thumbprint, certificate, not_before, not_after, is_active, created_at, created_by
            from signing_certificate where app = any(%s::uuid[]) order by is_active desc, created_at desc, thumbprint""",
            (list(apps),),
        )
        for row in await cursor.fetchall():
            found.setdefault(row.app, []).append(row)
    return found


async def sealed_keys(connection: Connection, app: str = "") -> list[tuple[str, str, bytes]]:
    """Return every key, or only the keys of *app*. Each is given as the application's id, the thumbprint of the certificate, and the
    envelope.
    """
    cursor = await connection.execute(
        "select app::text, thumbprint, private_key from signing_certificate where %(app)s = '' or app::text = %(app)s",
        {"app": app},
    )
    return [(owner, thumbprint, bytes(envelope)) for owner, thumbprint, envelope in await cursor.fetchall()]


async def insert_certificate(
    connection: Connection, app: str, *, thumbprint: str, certificate: str, private_key: bytes,
    not_before: datetime, not_after: datetime, is_active: bool, actor: str,
) -> None:  # fmt: skip
    """Store a certificate with its sealed key."""
    await connection.execute(
        """insert into signing_certificate (app, thumbprint, certificate, private_key, not_before, not_after, is_active, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (app, thumbprint, certificate, private_key, not_before, not_after, is_active, actor),
    )


async def activate(connection: Connection, app: str, thumbprint: str) -> None:
    """Make the certificate the active one of *app*."""
    await connection.execute("update signing_certificate set is_active = false where app = %s and is_active", (app,))
    await connection.execute(
        "update signing_certificate set is_active = true where app = %s and thumbprint = %s", (app, thumbprint)
    )


async def note_reminder(connection: Connection, app: str, thumbprint: str, *, days: int) -> bool:
    """Record the reminder that is due *days* days before the certificate expires. Returns False if this reminder or a later one is already
    recorded, or if the certificate is no longer active.

    A concurrent call waits until this transaction ends.
    """
    cursor = await connection.execute(
        """update signing_certificate set reminded_days = %(days)s
        where app = %(app)s and thumbprint = %(thumbprint)s and is_active and coalesce(reminded_days > %(days)s, true)""",
        {"app": app, "thumbprint": thumbprint, "days": days},
    )
    return cursor.rowcount == 1


async def delete_certificate(connection: Connection, app: str, thumbprint: str) -> None:
    await connection.execute("delete from signing_certificate where app = %s and thumbprint = %s", (app, thumbprint))
