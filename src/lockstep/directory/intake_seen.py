"""Accept the first row with a key and reject repetitions, within a page and across the pages of a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lockstep.directory.attributes import shown
from lockstep.directory.edit import Edit
from lockstep.directory.rows import BadRow, GroupLine, PersonLine
from lockstep.storage import sources as store

AnyLine = TypeVar("AnyLine", PersonLine, GroupLine)


async def first_of_each(
    edit: Edit, kind: str, lines: Sequence[AnyLine], reject: Callable[[BadRow], None]
) -> list[AnyLine]:
    """Return the lines whose key occurs for the first time in this pass, and reject the others. The keys are recorded as keys that this
    pass has seen.
    """
    first: dict[str, AnyLine] = {}
    again: list[tuple[AnyLine, int]] = []
    for line in lines:
        if line.key in first:
            again.append((line, first[line.key].line))
        else:
            first[line.key] = line
    before = (
        await store.note_seen(edit.connection, kind, {key: line.line for key, line in first.items()}) if first else {}
    )
    again.extend((first.pop(key), number) for key, number in before.items())
    for line, number in again:
        reject(BadRow(line.line, "", f'"{shown(line.key)}" is already on line {number}; that line is used', line.key))
    return list(first.values())
