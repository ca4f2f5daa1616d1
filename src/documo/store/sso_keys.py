"""SQL of an account's own keys for single sign-on (one key, or two while the key is being replaced), and of the address of the metadata
that contains them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from documo.store import locks
from lockstep.postgres.advisory_locks import lock
from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SignOnKeyRow:
    """One of the account's keys. The certificate and the private key are in PEM."""

    thumbprint: str
    state: str
    certificate: str
    private_key: str = field(repr=False)
    expires_at: datetime


async def read_keys(connection: Connection, tenant_id: int) -> list[SignOnKeyRow]:
    """Return the account's keys, the active one first."""
    cursor = connection.cursor(row_factory=class_row(SignOnKeyRow))
    await cursor.execute(
        "select thumbprint, state, certificate, private_key, expires_at from sso_keys where tenant_id = %s"
        " order by state <> 'active'",
        (tenant_id,),
    )
    return await cursor.fetchall()


async def read_keys_alone(connection: Connection, tenant_id: int) -> list[SignOnKeyRow]:
    """Return the account's keys, locked. Other changes to the keys wait until this transaction ends."""
    await lock(connection, locks.sign_on_keys_of(tenant_id))
    return await read_keys(connection, tenant_id)


async def insert_key(connection: Connection, tenant_id: int, row: SignOnKeyRow) -> None:
    await connection.execute(
        "insert into sso_keys (tenant_id, thumbprint, state, certificate, private_key, expires_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        (tenant_id, row.thumbprint, row.state, row.certificate, row.private_key, row.expires_at),
    )


async def exchange_states(connection: Connection, tenant_id: int, *, active: str, then: str) -> None:
    """Make the key with the thumbprint *active* the active key. The state of the other key is set to *then*."""
    await connection.execute(
        "update sso_keys set state = case when thumbprint = %s then 'active' else %s end where tenant_id = %s",
        (active, then, tenant_id),
    )


async def remove_key(connection: Connection, tenant_id: int, thumbprint: str) -> None:
    await connection.execute("delete from sso_keys where tenant_id = %s and thumbprint = %s", (tenant_id, thumbprint))


async def metadata_id(connection: Connection, tenant_id: int) -> str:
    """Return the id that stands for the account in the address of its metadata, or "" for an unknown account."""
    cursor = await connection.execute("select metadata_id::text from accounts where id = %s", (tenant_id,))
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


async def tenant_of_metadata(connection: Connection, reference: UUID | None) -> int | None:
    cursor = await connection.execute("select id from accounts where metadata_id = %s", (reference,))
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def tenant_of_metadata_number(connection: Connection, number: int) -> int | None:
    """Return the account with this number, or None if the former address of its metadata, which contains the number, no longer works."""
    cursor = await connection.execute("select id from accounts where id = %s and metadata_by_number", (number,))
    row = await cursor.fetchone()
    return int(row[0]) if row else None
