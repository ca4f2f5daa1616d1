"""Sources: register them, import from them, decide what happens to the leavers of a source that shrank."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.context import SOURCES_WRITE, Context, audit
from lockstep.actions.groups import LOCAL_SOURCE
from lockstep.actions.lookup import find_source
from lockstep.directory.groups import remove_members
from lockstep.directory.intake import IntakeOptions, delete_objects, take_pass
from lockstep.directory.rows import PassResult
from lockstep.errors import conflict, invalid, not_found
from lockstep.storage import sources as store
from lockstep.storage.groups import Edge
from lockstep.storage.sources import HoldRow, SourceRecord

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with what it has brought, and what waits for a decision."""

    source: SourceRecord
    counts: Mapping[str, int]
    holds: Sequence[HoldRow]


async def save_source(
    context: Context, name: str, *, kind: str, config: Mapping[str, Any], display_name: str = "", replaces: bool = False,
    is_kept: bool = True,
) -> SourceRecord:  # fmt: skip
    """Register a source. Its files are looked at first: what cannot be read is refused now and not at night.

    *is_kept*: its files are there tomorrow; those of a pipe are not, and are not remembered.
    """
    context.actor.require(SOURCES_WRITE)
    if not _NAME.fullmatch(name) or name == LOCAL_SOURCE:
        raise invalid(
            f'"{name}" cannot be the name of a source',
            why="Letters, digits, dots, hyphens and underscores are possible; lockstep is taken",
        )
    context.open_source(kind, config, {})
    if not is_kept:
        config = {key: value for key, value in config.items() if key != "files"}
    async with context.changing(SOURCES_WRITE) as edit:
        before = await store.read_source(edit.connection, name)
        if before and not replaces:
            raise conflict(
                f"There is a source called {name} already", next_step=f"See it: lockstep sources show {name}"
            )
        await store.save_source(edit.connection, name, kind=kind, display_name=display_name or name, config=config)
        activity = "Update source" if before else "Add source"
        await audit(edit, activity, name, before=before.config if before else None, after={"kind": kind, **config})
    return (await show_source(context, name)).source


async def list_sources(context: Context) -> list[SourceView]:
    async with context.reading() as connection:
        holds = await store.open_holds(connection)
        return [
            SourceView(
                one,
                await store.count_objects(connection, one.name),
                [hold for hold in holds if hold.source == one.name],
            )
            for one in await store.list_sources(connection)
        ]


async def show_source(context: Context, name: str) -> SourceView:
    async with context.reading() as connection:
        source = await find_source(connection, name)
        return SourceView(source, await store.count_objects(connection, name), await store.open_holds(connection, name))


async def import_source(
    context: Context, name: str, *, config: Mapping[str, Any] | None = None, options: IntakeOptions | None = None
) -> list[PassResult]:
    """Read a source once, whole, into the directory; *config* overrides what is registered, for this time.

    Stops after a pass that failed on the way: who is in a group can only be told once the people are there.
    """
    async with context.reading(SOURCES_WRITE) as connection:
        source = await find_source(connection, name)
    keys = dict((source.watermark or {}).get("keys", {}))
    passes = context.open_source(source.kind, config if config is not None else source.config, keys)
    options = replace(options or IntakeOptions(), on_progress=context.on_progress)
    results: list[PassResult] = []
    for reading in passes:
        result = await take_pass(
            context.pool, name, reading, actor=context.actor.name, options=options, after_commit=context.after_commit
        )
        results.append(result)
        if result.read > result.bad:
            keys[str(reading.kind)] = reading.key
        if result.error:
            break
    async with context.changing(SOURCES_WRITE) as edit:
        await store.save_watermark(edit.connection, name, {**(source.watermark or {}), "keys": keys})
        await audit(edit, "Import source", name, after={str(result.kind): counts_of(result) for result in results})
    return results


def counts_of(result: PassResult) -> dict[str, Any]:
    """What a pass did, for logs and machines."""
    counts: dict[str, Any] = {
        "read": result.read,
        "created": result.created,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "restored": result.restored,
        "removed": result.removed,
        "awaited": result.awaited,
        "bad": result.bad,
    }
    texts = {"held": result.held, "unproven": result.unproven, "error": result.error}
    return counts | {name: text for name, text in texts.items() if text}


async def confirm_hold(context: Context, name: str) -> int:
    """Let those leave whom the source no longer names; returns how many left."""
    holds = await _holds(context, name)
    left = 0
    for hold in holds:
        while some := await _let_some_leave(context, hold):
            left += some[1]
    await _decide(context, holds, "confirmed", left=left)
    return left


async def reject_hold(context: Context, name: str) -> int:
    """Keep everybody whom the source no longer names, until it names them again or another import asks; returns how many."""
    holds = await _holds(context, name)
    await _decide(context, holds, "rejected", left=0)
    return sum(hold.missing for hold in holds)


async def remove_source(context: Context, name: str, *, with_objects: bool = False) -> int:
    """Forget a source. What it has brought must be gone, or goes into the recycle bin *with_objects*; returns how many."""
    removed = 0
    async with context.reading(SOURCES_WRITE) as connection:
        await find_source(connection, name)
        counts = await store.count_objects(connection, name)
    if name == LOCAL_SOURCE:
        raise invalid("What is made by hand has no source to remove")
    if (counts["people"] or counts["groups"]) and not with_objects:
        raise conflict(
            f"{name} has brought {counts['people']:,} people and {counts['groups']:,} groups",
            next_step=f"To delete them along with it: lockstep sources remove {name} --with-objects",
        )
    for kind in ("User", "Group"):
        some = 1
        while some:
            async with context.changing(SOURCES_WRITE) as edit:
                ids = await store.live_objects(edit.connection, name, kind, limit=_BATCH)
                some = await delete_objects(edit, kind, ids)
            removed += some
    async with context.changing(SOURCES_WRITE) as edit:
        if await store.read_source(edit.connection, LOCAL_SOURCE) is None:
            await store.save_source(
                edit.connection, LOCAL_SOURCE, kind="local", display_name="Made in Lockstep", config={}
            )
        await store.remove_source(edit.connection, name, heir=LOCAL_SOURCE)
        await audit(edit, "Remove source", name, before={"people": counts["people"], "groups": counts["groups"]})
    return removed


async def _holds(context: Context, name: str) -> list[HoldRow]:
    async with context.reading(SOURCES_WRITE) as connection:
        await find_source(connection, name)
        holds = await store.open_holds(connection, name)
    if not holds:
        raise not_found(f"Nothing of {name} waits for a decision", next_step=f"See: lockstep sources status {name}")
    return holds


async def _let_some_leave(context: Context, hold: HoldRow) -> tuple[int, int] | None:
    """Some of those whom *hold* keeps: how many were looked at and how many left. None when nobody is kept any more."""
    async with context.changing(SOURCES_WRITE) as edit:
        held = await store.held_objects(edit.connection, hold.id, limit=_BATCH)
        if not held:
            return None
        if hold.kind == "Member":
            edges = [Edge(group, member, "User") for group, member in held if member]
            return len(held), await remove_members(edit, edges)
        return len(held), await delete_objects(edit, hold.kind, [one for one, _ in held])


async def _decide(context: Context, holds: Sequence[HoldRow], decision: str, *, left: int) -> None:
    async with context.changing(SOURCES_WRITE) as edit:
        for hold in holds:
            await store.decide_hold(edit.connection, hold.id, decision, actor=context.actor.name)
            after = {"decision": decision, "kind": hold.kind, "missing": hold.missing, "left": left}
            await audit(edit, "Decide on a source that shrank", hold.source, after=after)
