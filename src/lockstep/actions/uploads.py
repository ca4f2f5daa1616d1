"""Import an uploaded file in steps: store the file, show how it would be read and which people would change, then import all of it or
nothing.

The file is stored in the database, so that any process can continue with it. The import and its record are written in one transaction: if
somebody clicks Import twice, the second request waits for the first and returns its result.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.source_keys import KeyChange, rekey_source
from lockstep.actions.source_runs import pass_record
from lockstep.actions.sources import (
    IntakeOptions,
    PassKind,
    PassResult,
    import_file,
    import_source,
    rehearse_import,
    save_source,
)
from lockstep.actions.uploaded_files import READING, as_file, config_of, find, written
from lockstep.configuration.files.names import LOCAL_SOURCE, SOURCE_RULE, is_source_name
from lockstep.directory.file_shape import FileColumn as FileColumn
from lockstep.directory.file_shape import FileShape as FileShape
from lockstep.engine.decisions.effects import Effect
from lockstep.errors import conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import source_uploads, sources
from lockstep.storage.source_uploads import UploadRow as UploadRow

LARGEST = 64 * 1024 * 1024  # bytes
KEPT = timedelta(days=1)
MOST_NAMED = 500  # the most people and groups that a dry run lists for each kind of change
_PART = 1024 * 1024
_LONGEST_NAME = 200  # bytes; a file system takes 255
_ALL = 100_000


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload, and how its file would be read. *is_new* is true if no source of that name is registered yet. *key* is the column that
    identifies people; "" if no column was chosen.
    """

    upload: UploadRow
    shape: FileShape
    is_new: bool
    key: str = ""


@needs(Permission.SOURCES_WRITE)
async def keep_upload(
    context: Context, source: str, file_name: str, content: AsyncIterator[bytes], *, config: Mapping[str, Any] | None = None
) -> UploadRow:  # fmt: skip
    """Keep a file for the source *source*, which need not exist yet. The file is stored part by part as it arrives, and is never held in
    memory as a whole.

    Raises LockstepError and keeps nothing if the file is empty or has more than LARGEST bytes.
    """
    if not is_source_name(source) or source == LOCAL_SOURCE:
        raise invalid(f'"{source}" is not a valid source name', why=SOURCE_RULE)
    upload = str(uuid.uuid4())
    async with context.recording() as connection:
        known = await sources.read_source(connection, source)
        if known is not None and known.kind != "csv":
            raise invalid(f"The source {source} does not read CSV files", next_step="Choose another source")
        registered = {name: known.config[name] for name in READING if name in known.config} if known else {}
        await source_uploads.insert(
            connection, upload, source=source, file_name=_shown_name(file_name), config=registered | dict(config or {}),
            actor=context.actor.name,
        )  # fmt: skip
    try:
        await _keep(context, upload, content)
    except BaseException:
        async with context.recording() as connection:
            await source_uploads.remove(connection, upload)
        raise
    async with context.reading() as connection:
        return await find(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def find_upload(context: Context, upload: str) -> UploadRow:
    """Return an upload. Raises LockstepError if it is unknown or older than a day."""
    async with context.reading() as connection:
        return await find(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def take_upload(
    context: Context, upload: str, config: Mapping[str, Any], *, options: IntakeOptions | None = None, rehearses: bool = False
) -> list[PassResult]:  # fmt: skip
    """Import the upload as if its file were on this machine. With *rehearses*, only determine what would change. The upload is deleted
    afterwards in any case.

    Unlike `import_upload`, this imports usable rows even if other rows are unusable.
    """
    found = await find_upload(context, upload)
    _refuse_imported(found)
    reading = {name: config[name] for name in READING if name in config}
    named = {name: config[name] for name in ("kind", "group") if config.get(name)}
    try:
        with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
            async with context.reading() as connection:
                path = await written(connection, found, folder)
            read = {**reading, "files": [{"kind": None, **named, "path": str(path)}]}
            if rehearses:
                return await rehearse_import(context, found.source, config=read, options=options)
            return await import_file(context, found.source, read, is_kept=False, options=options)
    finally:
        async with context.recording() as connection:
            await source_uploads.remove(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def show_upload(context: Context, upload: str) -> UploadView:
    """Return an upload, and how its file would be read. Raises LockstepError if the upload is unknown or older than a day."""
    async with context.reading() as connection:
        found = await find(connection, upload)
        source = await sources.read_source(connection, found.source)
        keys = dict((source.watermark or {}).get("keys", {})) if source else {}
        key = str(keys.get(str(PassKind.PEOPLE), ""))
        if found.imported is not None:
            return UploadView(found, FileShape(), source is None, key)
        async with as_file(connection, found) as path:
            shape = await asyncio.to_thread(context.inspect_file, path, config_of(found, path), keys)
    return UploadView(found, shape, source is None, key)


@needs(Permission.SOURCES_WRITE)
async def change_upload(context: Context, upload: str, config: Mapping[str, Any]) -> UploadRow:
    """Change how the file is read: its column map, encoding or delimiter. Raises LockstepError for an unknown kind of file."""
    kind = str(config.get("kind") or "")
    if kind and kind not in frozenset(PassKind):
        raise invalid(f'"{kind[:40]}" is not a kind of file', next_step=f"Choose one of: {', '.join(PassKind)}")
    async with context.recording() as connection:
        _refuse_imported(await find(connection, upload, locks=True))
        await source_uploads.save_config(connection, upload, config)
        return await find(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def rehearse_upload(context: Context, upload: str) -> UploadRow:
    """Determine the changes that an import would make, by importing in a transaction that is rolled back. Stores the result in the
    upload.
    """
    async with context.reading() as connection:
        found = await find(connection, upload)
        _refuse_imported(found)
    results: list[PassResult] = []

    async def work(inner: Context) -> None:
        results.extend(await _import(inner, found, IntakeOptions(most_named=_ALL)))

    consequences = await foresee(context, work)
    losing = sum(one.count(effect) for one in consequences for effect in (Effect.LOSES_ACCESS, Effect.RELEASED))
    async with context.recording() as connection:
        source = await sources.read_source(connection, found.source)
        rehearsal = {
            "mark": str(uuid.uuid4()),
            "generation": source.generation if source else 0,
            "passes": [pass_record(one, most_named=MOST_NAMED) for one in results],
            "effects": consequence_lines(consequences),
            "leaving": sum(one.removed for one in results),
            "losing": losing,
        }
        now = await find(connection, upload, locks=True)
        if now.config != found.config:
            raise conflict("Someone else changed the settings of this file", next_step="Run the dry run again")
        await source_uploads.save_rehearsal(connection, upload, rehearsal)
        return await find(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def import_upload(context: Context, upload: str, *, mark: str = "") -> UploadRow:
    """Import the file: everything in it, or nothing. If it was imported before, return the earlier result.

    *mark* identifies the dry run that the person saw. Raises LockstepError if there is a newer dry run, or if the source was imported after
    that dry run.
    """
    async with context.together() as inner, inner.recording() as connection:
        found = await find(connection, upload, locks=True)
        if found.imported is not None:
            return found
        if mark:
            await _refuse_outdated(connection, found, mark)
        results = await _import(inner, found, None)
        broken = next((one.error for one in results if one.error), "")
        if broken:
            raise invalid("The file could not be read completely; nothing was imported", why=broken)
        await source_uploads.save_imported(connection, upload, {"passes": [pass_record(one) for one in results]})
        return await find(connection, upload)


@needs(Permission.SOURCES_WRITE)
async def rekey_with_upload(context: Context, upload: str, column: str) -> KeyChange:
    """Identify the people of the source by *column* of the uploaded file from now on. The file must also contain the old key column."""
    async with context.reading() as connection:
        found = await find(connection, upload)
        _refuse_imported(found)
        async with as_file(connection, found) as path:
            done = await rekey_source(context, found.source, column, config=config_of(found, path))
    async with context.recording() as connection:
        source = await sources.read_source(connection, found.source)
        mapping = dict(source.config).get("map", {}) if source else {}
        await source_uploads.save_config(connection, upload, {**found.config, "map": mapping})
    return done


@needs(Permission.SOURCES_WRITE)
async def discard_upload(context: Context, upload: str) -> UploadRow:
    """Delete the file without importing it."""
    async with context.recording() as connection:
        found = await find(connection, upload, locks=True)
        await source_uploads.remove(connection, upload)
    return found


async def _keep(context: Context, upload: str, content: AsyncIterator[bytes]) -> None:
    """Store the content part by part. No database connection is in use while the client sends the next part."""

    async def add(part: bytes) -> None:
        async with context.recording() as connection:
            await source_uploads.add_part(connection, upload, place, part)

    size = place = 0
    pending = bytearray()
    async for some in content:
        size += len(some)
        if size > LARGEST:
            raise invalid(
                f"The file is larger than {LARGEST // 1024**2} MB",
                next_step="Register it as a source that reads the file from disk: lockstep sources add NAME --people FILE",
            )
        pending += some
        while len(pending) >= _PART:
            await add(bytes(pending[:_PART]))
            del pending[:_PART]
            place += 1
    if pending:
        await add(bytes(pending))
    if not size:
        raise invalid("The file is empty", next_step="Choose a CSV file with a header and one line for each person")


async def _import(context: Context, found: UploadRow, options: IntakeOptions | None) -> list[PassResult]:
    """Import the file in the transaction of *context*. If the source is registered without files, also store in the configuration of the
    source how this file was read.
    """
    async with context.recording() as connection, as_file(connection, found) as path:
        source = await sources.read_source(connection, found.source)
        config = config_of(found, path)
        if source is None:
            await save_source(context, found.source, kind="csv", config=config, is_kept=False)
        elif not source.config.get("files"):
            keeps = {name: value for name, value in source.config.items() if name not in READING}
            remembered = keeps | {name: found.config[name] for name in READING if name in found.config}
            await sources.save_config(connection, found.source, remembered)
        return await import_source(context, found.source, config=config, options=options, file_name=found.file_name)


async def _refuse_outdated(connection: Connection, found: UploadRow, mark: str) -> None:
    source = await sources.read_source(connection, found.source)
    rehearsal = found.rehearsal or {}
    if rehearsal.get("mark") != mark or rehearsal.get("generation") != (source.generation if source else 0):
        raise conflict(
            "The dry run that you saw is out of date; nothing was imported",
            why="The source has been imported since, or the settings of the file have changed",
            next_step="Run the dry run again, then import",
        )


def _refuse_imported(found: UploadRow) -> None:
    if found.imported is not None:
        raise conflict(f"{found.file_name} has already been imported", next_step="To import it again, upload it again")


def _shown_name(name: str) -> str:
    """Return the last part of a file name that a browser sent. A browser may send a whole path or arbitrary text."""
    last = "".join(one for one in name.replace("\\", "/").rpartition("/")[2] if one.isprintable())
    return last.encode()[:_LONGEST_NAME].decode(errors="ignore") or "upload.csv"
