"""Find an uploaded file, write its content to the disk of this process, and say how it is read."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lockstep.errors import not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import source_uploads
from lockstep.storage.source_uploads import UploadRow

READING = ("map", "values", "dateFormats", "encoding", "delimiter", "partial")


async def find(connection: Connection, upload: str, *, locks: bool = False) -> UploadRow:
    found = await source_uploads.read(connection, upload, locks=locks) if _is_id(upload) else None
    if found is None:
        raise not_found("This upload is unknown or older than a day", next_step="Upload the file again")
    return found


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def config_of(found: UploadRow, path: Path) -> dict[str, Any]:
    file = {"path": str(path), "kind": found.config.get("kind") or None}
    group = {"group": found.config["group"]} if found.config.get("group") else {}
    reading = {name: found.config[name] for name in READING if found.config.get(name)}
    return {**reading, "files": [file | group]}


@asynccontextmanager
async def as_file(connection: Connection, found: UploadRow) -> AsyncIterator[Path]:
    """Provide the content as a file that only this process can read and that is deleted afterwards. Errors use the name that the file
    had when it was uploaded.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
        yield await written(connection, found, folder)


async def written(connection: Connection, found: UploadRow, folder: str) -> Path:
    path = Path(folder) / (found.file_name if found.file_name not in (".", "..") else "upload.csv")
    with path.open("wb") as file:
        async for some in source_uploads.parts(connection, found.id):
            file.write(some)
    return path
