"""Sources: register and show them, import them, rehearse an import, and remove them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, Deletion, audit
from lockstep.actions.lookup import find_source
from lockstep.actions.permissions import Permission
from lockstep.actions.restore import note_read_again
from lockstep.actions.source_files import NamedFiles, named_files, open_files
from lockstep.actions.source_runs import MOST_NAMED, counts_of, pass_record
from lockstep.configuration.files.names import LOCAL_SOURCE, SOURCE_RULE, is_source_name
from lockstep.directory.import_locks import rehearsing
from lockstep.directory.intake import IntakeGuard as IntakeGuard
from lockstep.directory.intake import IntakeOptions as IntakeOptions
from lockstep.directory.intake import delete_objects, take_pass
from lockstep.directory.rows import PassKind as PassKind
from lockstep.directory.rows import PassResult as PassResult
from lockstep.directory.rows import SourcePass
from lockstep.engine.rules.durations import parse_duration
from lockstep.errors import Kind, LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import source_holds, source_runs
from lockstep.storage import sources as store
from lockstep.storage.source_holds import HoldRow
from lockstep.storage.sources import SourceRecord
from lockstep.wording import counted

_BATCH = 500


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with the number of its objects and the holds that wait for a decision."""

    source: SourceRecord
    counts: Mapping[str, int]
    holds: Sequence[HoldRow]

    @property
    def every(self) -> timedelta | None:
        """Return how often a worker reads the source; None if it is read only by hand."""
        return parse_duration(str(self.source.config.get("every") or ""))

    @property
    def read_at(self) -> datetime | None:
        text = (self.source.watermark or {}).get("readAt")
        return datetime.fromisoformat(text) if text else None

    @property
    def next_read_at(self) -> datetime | None:
        """Return when a worker will read the source next. A time in the past means that it will be read as soon as a worker runs."""
        if self.every is None:
            return None
        return self.read_at + self.every if self.read_at else self.source.created_at

    @property
    def failure(self) -> str:
        """Return why the last read failed; "" if it did not fail."""
        return str((self.source.watermark or {}).get("failure") or "")


@needs(Permission.SOURCES_WRITE)
async def save_source(
    context: Context, name: str, *, kind: str, config: Mapping[str, Any], display_name: str = "", replaces: bool = False,
    is_kept: bool = True,
) -> SourceRecord:  # fmt: skip
    """Register a source. Its files are read first, so that an unreadable file is refused now and not at the next scheduled read.

    *is_kept* is true if the files are permanent. Files that were copied from a pipe are not permanent, so their paths are not stored.
    """
    if not is_source_name(name):
        raise invalid(
            f'"{name}" is not a valid source name',
            why=SOURCE_RULE,
        )
    async with context.reading() as connection:
        known = await store.read_source(connection, name)
    named = named_files(context, config, known) if is_kept else NamedFiles(config, ())
    context.open_source(kind, named.config, (known.watermark or {}).get("keys", {}) if known else {})
    config = named.config if is_kept else {key: value for key, value in config.items() if key != "files"}
    async with context.changing() as edit:
        before = await store.read_source(edit.connection, name)
        if before and not replaces:
            raise conflict(f"A source called {name} already exists", next_step=f"See it: lockstep sources show {name}")
        await store.save_source(
            edit.connection, name, kind=kind, display_name=display_name or name, config=config,
            operator_files=named.by_operator,
        )  # fmt: skip
        activity = "Update source" if before else "Add source"
        await audit(edit, activity, name, before=before.config if before else None, after={"kind": kind, **config})
    return (await show_source(context, name)).source


@needs(Permission.DIRECTORY_READ)
async def list_sources(context: Context) -> list[SourceView]:
    async with context.reading() as connection:
        holds = await source_holds.open_holds(connection)
        found = await store.list_sources(connection)
        counts = await store.count_all_objects(connection, [one.name for one in found])
        return [SourceView(one, counts[one.name], [hold for hold in holds if hold.source == one.name]) for one in found]


@needs(Permission.DIRECTORY_READ)
async def show_source(context: Context, name: str) -> SourceView:
    async with context.reading() as connection:
        source = await find_source(connection, name)
        return SourceView(
            source, await store.count_objects(connection, name), await source_holds.open_holds(connection, name)
        )


@needs(Permission.SOURCES_IMPORT)
async def import_source(
    context: Context, name: str, *, config: Mapping[str, Any] | None = None, options: IntakeOptions | None = None,
    file_name: str = "",
) -> list[PassResult]:  # fmt: skip
    """Import a source completely, once. *config* replaces the registered configuration for this import only.

    *file_name* is shown in the list of imports if a file was given for this import only. Stops after a pass that failed, because
    memberships can be imported only after their people.
    """
    if config is not None:
        context.actor.require(Permission.SOURCES_WRITE)
    if options is not None and options.guard != IntakeGuard():
        context.actor.require(Permission.SOURCES_DECIDE)
    async with context.changing() as edit:
        source = await find_source(edit.connection, name)
        # Noted before the read: a file that cannot be read is tried again after the interval, not every minute.
        await store.note_reading(edit.connection, name, {"readAt": context.now().isoformat(), "failure": None})
    keys = dict((source.watermark or {}).get("keys", {}))
    try:
        passes = open_files(context, source, config)
        results = await _take(context, context.within or context.pool, name, passes, options or IntakeOptions())
    except LockstepError as refused:
        if refused.kind is not Kind.CONFLICT:  # another import is running, and records its own result
            await _note_failure(context, name, refused.detail)
        raise
    settled = {str(one.kind): one.key for one, result in zip(passes, results, strict=False) if result.read > result.bad}
    failure = next((result.error for result in results if result.error), None)
    async with context.changing() as edit:
        await store.note_reading(edit.connection, name, {"keys": keys | settled, "failure": failure})
        if failure is None:
            await note_read_again(edit, source)
        await source_runs.append(
            edit.connection, name, actor=context.actor.name, file_name=file_name,
            passes=[pass_record(result, most_named=MOST_NAMED) for result in results], failure=failure or "",
        )  # fmt: skip
        await audit(edit, "Import source", name, after={str(result.kind): counts_of(result) for result in results})
    return results


@needs(Permission.SOURCES_WRITE)
async def import_file(
    context: Context,
    name: str,
    config: Mapping[str, Any],
    *,
    is_kept: bool,
    options: IntakeOptions | None = None,
) -> list[PassResult]:
    """Import the file that *config* names into the source *name*. If the source is new, register it with *config*.

    *is_kept* is true if the file is permanent.
    """
    context.actor.require(Permission.SOURCES_IMPORT)
    if options is not None and options.guard != IntakeGuard():
        context.actor.require(Permission.SOURCES_DECIDE)
    async with context.reading() as connection:
        is_new = await store.read_source(connection, name) is None
    if is_new:
        await save_source(context, name, kind="csv", config=config, is_kept=is_kept)
    return await import_source(context, name, config=config, options=options)


@needs(Permission.SOURCES_WRITE)
async def rehearse_import(
    context: Context, name: str, *, config: Mapping[str, Any] | None = None, options: IntakeOptions | None = None
) -> list[PassResult]:
    """Return the changes that an import would make, by importing in a transaction that is rolled back. A source that is not registered
    needs *config*.
    """
    context.refuse_rehearsal()
    async with rehearsing(context.pool) as connection:
        if config is not None and await store.read_source(connection, name) is None:
            await store.save_source(connection, name, kind="csv", display_name=name, config={})
        source = await find_source(connection, name)
        passes = open_files(context, source, config)
        return await _take(context, connection, name, passes, options or IntakeOptions(), is_rehearsal=True)


@needs(Permission.SOURCES_WRITE)
async def remove_source(context: Context, name: str, *, with_objects: bool = False) -> int:
    """Remove a source. With *with_objects*, its people and groups go to the recycle bin; otherwise, LockstepError is raised if the source
    still has people or groups. Returns how many people and groups went to the recycle bin.
    """
    removed = 0
    async with context.reading() as connection:
        await find_source(connection, name)
        counts = await store.count_objects(connection, name)
    if name == LOCAL_SOURCE:
        raise invalid("The source of the people and groups that were created by hand cannot be removed")
    if (counts["people"] or counts["groups"]) and not with_objects:
        raise conflict(
            f"{name} has imported {counted(counts['people'], 'person')} and {counted(counts['groups'], 'group')}",
            next_step=f"To delete them as well: lockstep sources remove {name} --with-objects",
        )
    if context.only_notes(Deletion(source=name)):
        return counts["people"] + counts["groups"]
    for kind in ("User", "Group"):
        some = 1
        while some:
            async with context.changing() as edit:
                ids = await store.live_objects(edit.connection, name, kind, limit=_BATCH)
                some = await delete_objects(edit, kind, ids)
            removed += some
    async with context.changing() as edit:
        if await store.read_source(edit.connection, LOCAL_SOURCE) is None:
            await store.save_source(
                edit.connection, LOCAL_SOURCE, kind="local", display_name="Created in Lockstep", config={}
            )
        await store.remove_source(edit.connection, name, heir=LOCAL_SOURCE)
        await audit(edit, "Remove source", name, before={"people": counts["people"], "groups": counts["groups"]})
    return removed


async def _take(
    context: Context,
    database: Pool | Connection,
    name: str,
    passes: Sequence[SourcePass],
    options: IntakeOptions,
    *,
    is_rehearsal: bool = False,
) -> list[PassResult]:
    options = replace(options, on_progress=context.on_progress)
    after_commit = {} if is_rehearsal else {"after_commit": context.after_commit}
    results: list[PassResult] = []
    for reading in passes:
        results.append(
            await take_pass(database, name, reading, actor=context.actor.name, options=options, **after_commit)
        )
        if results[-1].error:
            break
    return results


async def _note_failure(context: Context, name: str, failure: str) -> None:
    async with context.changing() as edit:
        await store.note_reading(edit.connection, name, {"failure": failure})
        await source_runs.append(edit.connection, name, actor=context.actor.name, failure=failure)
