"""Rename a source, or identify its people by another column. Neither change adds people or makes people leavers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_source
from lockstep.actions.permissions import Permission
from lockstep.actions.source_files import open_files
from lockstep.actions.sources import show_source
from lockstep.configuration.files.names import LOCAL_SOURCE, is_source_name
from lockstep.directory.attributes import shown, squeezed
from lockstep.directory.rows import BadRow, PassKind, PersonLine, SourcePass
from lockstep.errors import conflict, invalid
from lockstep.storage import person_keys
from lockstep.storage import sources as store
from lockstep.storage.sources import SourceRecord

_ID = "id"
_NAME = "userPrincipalName"
_PAGE = 1000
_PEOPLE = str(PassKind.PEOPLE)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """The result of changing the key column. *absent* counts people of the source who are not in its file; they keep their old key, and
    leave at the next import.
    """

    people: int
    absent: int
    key: str


@needs(Permission.SOURCES_WRITE)
async def rename_source(context: Context, name: str, new_name: str) -> SourceRecord:
    """Rename a source, together with its objects. *new_name* may be the name of a registered source without people and groups; that source
    then takes over the objects. An administrator can thus move people who were first imported by hand to a source that was registered
    later.

    Raises LockstepError if the new name is invalid, or if the source *new_name* already has people or groups.
    """
    if not is_source_name(new_name) or name in (LOCAL_SOURCE, new_name):
        raise invalid(f'The source {name} cannot be renamed to "{new_name}"', next_step="Choose another name")
    async with context.changing() as edit:
        await find_source(edit.connection, name)
        heir = await store.read_source(edit.connection, new_name)
        counts = await store.count_objects(edit.connection, new_name)
        if any(counts.values()):
            raise conflict(
                f"The source {new_name} already has people or groups",
                why="Sources cannot be merged, because the same key may identify different people",
                next_step=f"See them: lockstep people list --source {new_name}",
            )
        await store.rename_source(edit.connection, name, new_name, is_taken_over=heir is not None)
        await audit(edit, "Rename source", new_name, before={"name": name}, after={"name": new_name})
    return (await show_source(context, new_name)).source


@needs(Permission.SOURCES_WRITE)
async def rekey_source(
    context: Context, name: str, column: str, *, config: Mapping[str, Any] | None = None
) -> KeyChange:
    """Identify the people of a source by *column* from now on. The source is read for this. *config*, if given, replaces the registered
    configuration while this function reads the source.

    Raises LockstepError and changes nothing if a row has no key, or if two rows have the same key.
    """
    async with context.reading() as connection:
        source = await find_source(connection, name)
    keys = dict((source.watermark or {}).get("keys", {}))
    if _PEOPLE not in keys:
        raise conflict(
            f"No one has been imported from {name} yet",
            next_step=f'The first import sets the key: lockstep sources import {name} --map "{column}=id"',
        )
    old_config = dict(config or source.config)
    new_config, settled = _with_key(old_config, column)
    old = await _keys_by_line(_people_pass(context, source, old_config))
    noted = replace(source, watermark={**(source.watermark or {}), "keys": settled})
    new = await _keys_by_line(_people_pass(context, noted, new_config))
    pairs = {old[line]: new[line] for line in old if line in new}
    missing = [line for line in old if line not in new]
    if missing or len(set(pairs.values())) < len(pairs):
        raise _unfit(column, missing, pairs)
    async with context.changing() as edit:
        changed = await person_keys.replace_keys(edit.connection, name, pairs)
        counts = await store.count_objects(edit.connection, name)
        registered = dict(source.config)
        if "map" in new_config or "map" in registered:
            registered["map"] = new_config.get("map", {})
        await store.save_config(edit.connection, name, registered)
        await store.note_reading(edit.connection, name, {"keys": keys | settled})
        after = {"key": column, "people": changed}
        await audit(edit, "Change key of source", name, before={"key": keys[_PEOPLE]}, after=after)
    return KeyChange(changed, counts["people"] - changed, column)


def _with_key(config: Mapping[str, Any], column: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return *config* with *column* as the key column of people. Also return the name of the key, in the form in which the source's
    watermark stores it.
    """
    maps = {}
    for name, given in dict(config.get("map") or {}).items():
        meanings = [given] if isinstance(given, str) else list(given)
        if left := [one for one in meanings if squeezed(one) not in (_ID, "objectid")]:
            maps[name] = left[0] if len(left) == 1 else left
    if squeezed(column) == squeezed(_NAME):
        return {**config, "map": maps}, {_PEOPLE: _NAME}
    own = next((name for name in maps if squeezed(name) == squeezed(column)), column)
    before = maps.get(own, [])
    maps[own] = [_ID, *([before] if isinstance(before, str) else before)]
    if len(maps[own]) == 1:
        maps[own] = _ID
    return {**config, "map": maps}, {_PEOPLE: _ID}


def _people_pass(context: Context, source: SourceRecord, config: Mapping[str, Any]) -> SourcePass:
    found = [one for one in open_files(context, source, config) if one.kind is PassKind.PEOPLE]
    if len(found) != 1:
        raise invalid(
            "The source has no people file" if not found else "The source has several people files",
            next_step="Name the file: lockstep sources rekey SOURCE --key COLUMN --file FILE",
        )
    return found[0]


async def _keys_by_line(reading: SourcePass) -> dict[int, str]:
    found: dict[int, str] = {}
    unread: list[BadRow] = []
    async for page in reading.pages(_PAGE):
        found |= {line.line: line.key for line in page.lines if isinstance(line, PersonLine)}
        unread += page.bad
        if page.unproven:
            raise invalid("The file is incomplete; nothing was changed", why=page.unproven)
    return found


def _unfit(column: str, missing: list[int], pairs: Mapping[str, str]) -> Exception:
    seen: dict[str, str] = {}
    twice = next(((seen[key], old, key) for old, key in pairs.items() if seen.setdefault(key, old) != old), None)
    why = f"Line {missing[0]} has no value in this column" if missing else ""
    if twice:
        why = f'{twice[0]} and {twice[1]} have the same value, "{shown(twice[2])}"'
    return invalid(
        f"The column {shown(column)} cannot be the key; nothing was changed",
        why=why,
        next_step="Choose a column that has a unique value for everyone, or correct the file",
    )
