"""SQL of documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from documo.store import locks
from lockstep.postgres.advisory_locks import lock
from lockstep.postgres.pool import Connection

_COLUMNS = "id::text, name, size, owner_id::text, owner_name, created_at"


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document without its content. *owner_name* is the user name that the owner had at the time of the upload."""

    id: str
    name: str
    size: int
    owner_id: str
    owner_name: str
    created_at: datetime


async def insert(connection: Connection, tenant_id: int, document: DocumentRow) -> None:
    await connection.execute(
        "insert into documents (tenant_id, id, name, size, owner_id, owner_name, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        (
            tenant_id, document.id, document.name, document.size, document.owner_id, document.owner_name,
            document.created_at,
        ),
    )  # fmt: skip


async def insert_piece(connection: Connection, tenant_id: int, document_id: str, seq: int, content: bytes) -> None:
    await connection.execute(
        "insert into document_pieces values (%s, %s, %s, %b)", (tenant_id, document_id, seq, content)
    )


async def rows(connection: Connection, tenant_id: int, *, search: str, before: str, most: int) -> list[DocumentRow]:
    """Return at most *most* documents, newest first, whose name contains *search* and that are older than the document *before*."""
    cursor = connection.cursor(row_factory=class_row(DocumentRow))
    await cursor.execute(
        f"select {_COLUMNS} from documents where tenant_id = %(tenant)s and (%(before)s::uuid is null or id < %(before)s)"  # noqa: S608 -- a constant
        " and (%(search)s = '' or strpos(lower(name), lower(%(search)s)) > 0) order by id desc limit %(most)s",
        {"tenant": tenant_id, "before": before or None, "search": search, "most": most},
    )
    return await cursor.fetchall()


async def read(connection: Connection, tenant_id: int, document_id: str) -> DocumentRow | None:
    cursor = connection.cursor(row_factory=class_row(DocumentRow))
    await cursor.execute(
        f"select {_COLUMNS} from documents where tenant_id = %s and id = %s",  # noqa: S608 -- a constant
        (tenant_id, document_id),
    )
    return await cursor.fetchone()


async def read_piece(connection: Connection, tenant_id: int, document_id: str, seq: int) -> bytes | None:
    """Return a piece of the content, or None after the last one."""
    cursor = await connection.execute(
        "select content from document_pieces where tenant_id = %s and document_id = %s and seq = %s",
        (tenant_id, document_id, seq),
    )
    row = await cursor.fetchone()
    return bytes(row[0]) if row else None


async def delete(connection: Connection, tenant_id: int, document_id: str) -> bool:
    cursor = await connection.execute(
        "delete from documents where tenant_id = %s and id = %s", (tenant_id, document_id)
    )
    return cursor.rowcount == 1


async def bytes_taken(connection: Connection, tenant_id: int) -> int:
    """Return the total size in bytes of an account's documents. Concurrent calls wait until this transaction ends."""
    await lock(connection, locks.documents_of(tenant_id))
    cursor = await connection.execute(
        "select coalesce(sum(size), 0)::bigint from documents where tenant_id = %s", (tenant_id,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
