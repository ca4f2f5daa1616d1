"""The changes that the imports of a source made."""

from __future__ import annotations

from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_source
from lockstep.actions.permissions import Permission
from lockstep.directory.rows import PassResult
from lockstep.errors import not_found
from lockstep.storage import source_runs
from lockstep.storage.source_runs import RunRow as RunRow

MOST_NAMED = 100  # the most people and groups that a run lists for each kind of change


@needs(Permission.DIRECTORY_READ)
async def list_runs(context: Context, name: str, *, before: int = 0, limit: int = 20) -> list[RunRow]:
    """Return the imports of a source with their changes, newest first. *before* limits the result to imports with a smaller number; 0
    returns all.
    """
    async with context.reading() as connection:
        await find_source(connection, name)
        return await source_runs.list_runs(connection, name, before=before, limit=limit)


@needs(Permission.DIRECTORY_READ)
async def show_run(context: Context, name: str, run: int) -> RunRow:
    """Return one import of a source. Raises LockstepError if it is unknown."""
    async with context.reading() as connection:
        await find_source(connection, name)
        found = await source_runs.read_run(connection, name, run)
    if found is None:
        raise not_found(f"{name} has no import {run}", next_step=f"See its imports: lockstep sources show {name}")
    return found


def pass_record(result: PassResult, *, most_named: int | None = None) -> dict[str, Any]:
    """Return the result of one pass as JSON, with at most *most_named* names for each kind of change; None means all names."""
    named: dict[str, list[dict[str, Any]]] = {}
    for one in result.movements:
        some = named.setdefault(one.what, [])
        if most_named is None or len(some) < most_named:
            some.append({"what": one.what, "name": one.name, "displayName": one.display, "changed": list(one.changed)})
    return {
        "kind": str(result.kind),
        **counts_of(result),
        "missing": result.missing,
        "badRows": [
            {"line": row.line, "column": row.column, "reason": row.reason, "key": row.key} for row in result.bad_rows
        ],
        "notes": list(result.notes),
        "ignored": list(result.ignored),
        "changes": [one for some in named.values() for one in some],
        "renamings": [
            {"name": one.old_name, "newName": one.new_name, "newKey": one.new_key, "employeeId": one.employee_id}
            for one in result.renamings
        ],
    }


def counts_of(result: PassResult) -> dict[str, Any]:
    """Return the numbers of changes in a pass, for logs and JSON."""
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
    renamings = {"renamings": len(result.renamings)} if result.renamings else {}
    return counts | {name: text for name, text in texts.items() if text} | renamings
