"""Uploaded files that wait to be imported. The content is stored in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One uploaded file. *rehearsal* is the result of a dry run with this *config*, or None if there was no dry run. *imported* is the
    result of the import.
    """

    id: str
    source: str
    file_name: str
    size: int
    config: Mapping[str, Any]
    rehearsal: Mapping[str, Any] | None
    imported: Mapping[str, Any] | None
    created_by: str
    created_at: datetime


_FIELDS = sql.SQL("id::text, source, file_name, size, config, rehearsal, imported, created_by, created_at")


async def insert(
    connection: Connection,
    upload: str,
    *,
    source: str,
    file_name: str,
    config: Mapping[str, Any],
    actor: str,
) -> None:
    """Insert an upload without content."""
    await connection.execute(
        "insert into source_upload (id, source, file_name, size, config, created_by) values (%s, %s, %s, 0, %s, %s)",
        (upload, source, file_name, as_json(config), actor),
    )


async def add_part(connection: Connection, upload: str, place: int, content: bytes) -> None:
    await connection.execute("insert into source_upload_part values (%s, %s, %s)", (upload, place, content))
    await connection.execute("update source_upload set size = size + %s where id = %s", (len(content), upload))


async def read(connection: Connection, upload: str, *, locks: bool = False) -> UploadRow | None:
    """Return one upload. If *locks* is true, the upload is locked until the transaction ends, so that no other transaction imports or
    changes it.
    """
    query = sql.SQL("select {} from source_upload where id = %s").format(_FIELDS)
    if locks:
        query += sql.SQL(" for update")
    async with connection.cursor(row_factory=class_row(UploadRow)) as cursor:
        await cursor.execute(query, (upload,))
        return await cursor.fetchone()


async def parts(connection: Connection, upload: str) -> AsyncIterator[bytes]:
    """Yield the content, part by part."""
    place = 0
    while True:
        cursor = await connection.execute(
            "select content from source_upload_part where upload = %s and place = %s", (upload, place)
        )
        row = await cursor.fetchone()
        if row is None:
            return
        yield bytes(row[0])
        place += 1


async def save_config(connection: Connection, upload: str, config: Mapping[str, Any]) -> None:
    """Store new settings for reading the file, and clear the rehearsal, which no longer applies."""
    await connection.execute(
        "update source_upload set config = %s, rehearsal = null where id = %s", (as_json(config), upload)
    )


async def save_rehearsal(connection: Connection, upload: str, rehearsal: Mapping[str, Any]) -> None:
    await connection.execute("update source_upload set rehearsal = %s where id = %s", (as_json(rehearsal), upload))


async def save_imported(connection: Connection, upload: str, imported: Mapping[str, Any]) -> None:
    """Record that the upload was imported, and delete its content."""
    await connection.execute("update source_upload set imported = %s where id = %s", (as_json(imported), upload))
    await connection.execute("delete from source_upload_part where upload = %s", (upload,))


async def remove(connection: Connection, upload: str) -> None:
    await connection.execute("delete from source_upload where id = %s", (upload,))
