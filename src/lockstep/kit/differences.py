"""Find the differences between two JSON documents, one row for each value that differs. The kit's `before_after` shows them.

Items of a list are matched by an identifying key (`value`, `id`, `$ref`) if every item has one, otherwise by position. Matching only by
position would show every item as different after the first item was removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_IDENTIFIERS = ("value", "id", "$ref")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """A value at *path*, such as `emails[0].value`, before and after the change. *before* or *after* is None if there was no value."""

    path: str
    before: str | None
    after: str | None


def json_differences(before: Any, after: Any) -> list[JsonDifference]:
    """Return the differences in the order of *before*. At each level, paths that are only in *after* come last."""
    return list(_walk("", before, after))


def _walk(path: str, before: Any, after: Any) -> Iterator[JsonDifference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _walk(_below(path, str(name)), before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        ours, theirs = _by_identity(before, after)
        for name in dict.fromkeys([*ours, *theirs]):
            yield from _walk(f"{path}[{name}]", ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
    elif before is _ABSENT or after is _ABSENT or _written(before) != _written(after):
        yield JsonDifference(path or "(whole body)", _written(before), _written(after))


def _below(path: str, name: str) -> str:
    if ":" in name or "." in name:
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _by_identity(before: Sequence[Any], after: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    for key in _IDENTIFIERS:
        named = [_named(items, key) for items in (before, after)]
        if named[0] is not None and named[1] is not None:
            return named[0], named[1]
    return {str(at): item for at, item in enumerate(before)}, {str(at): item for at, item in enumerate(after)}


def _named(items: Sequence[Any], key: str) -> dict[str, Any] | None:
    """Return the items under names such as `id=42`. Returns None if an item has no string under *key*, or if two items have the same string
    there.
    """
    if not all(isinstance(item, Mapping) and isinstance(item.get(key), str) for item in items):
        return None
    found = {f"{key}={item[key]}": item for item in items}
    return found if len(found) == len(items) else None


def _written(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()
