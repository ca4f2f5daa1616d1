"""SQL for changes that Admins make to the record of one member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from documo.store import resources
from documo.store.members import BUMP, is_kept, write_search
from documo.user_names import key_of
from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """The SCIM document of a member, and who manages it."""

    document: dict[str, Any]
    kind: str
    source: str
    managed_by: str | None
    managing_key: str | None


async def read_record(connection: Connection, tenant_id: int, member_id: str) -> MemberRecord:
    """Return the record of an existing member, locked until the transaction ends."""
    cursor = connection.cursor(row_factory=class_row(MemberRecord))
    await cursor.execute(
        "select document, kind, source, managed_by::text, (select k.name from api_keys k where k.id = r.managed_by)"
        " as managing_key from resources r where tenant_id = %s and id = %s for no key update of r",
        (tenant_id, member_id),
    )
    row = await cursor.fetchone()
    assert row is not None, "the caller has found the member in this transaction"  # noqa: S101
    return row


async def write_document(
    connection: Connection, tenant_id: int, member_id: str, document: dict[str, Any], *, kind: str
) -> None:
    """Write a member's document with the columns derived from it. Raises UniqueViolation if another member has the user name."""
    display = document.get("displayName")
    await connection.execute(
        f"update resources set document = %s, unique_name = %s, display_name = %s, {BUMP} where tenant_id = %s and id = %s",  # noqa: S608 -- a constant
        (
            Jsonb(document), key_of(str(document["userName"])), display.casefold() if isinstance(display, str) else None,
            tenant_id, member_id,
        ),
    )  # fmt: skip
    if kind == "User":
        await write_search(connection, tenant_id, member_id, document)


async def soft_delete(connection: Connection, tenant_id: int, member_id: str, *, kind: str) -> int:
    """Delete a member as a SCIM client does. Returns the number of keys revoked.

    Deleting an Operator, or a member that a directory has already deleted, does not change the totals of lists, because lists do not
    contain such members.
    """
    revoked = 0
    was_listed = kind == "User" and not await is_kept(connection, tenant_id, member_id)
    for statement, parameters in resources.soft_delete(tenant_id, member_id, kind):
        if not was_listed and "resource_counts" in statement:
            continue
        cursor = await connection.execute(statement, parameters)
        revoked = cursor.rowcount if "api_keys" in statement else revoked
    return revoked
