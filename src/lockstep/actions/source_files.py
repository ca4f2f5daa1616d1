"""Decide which files of the server a source may name.

The operator, who uses the command line on the machine, may name any file. All other callers may name only files below one folder. Otherwise
they could read any file of the server, because an import shows the first line of a file that it cannot parse. A path is checked when it is
named and again before each read, because a symbolic link may have replaced the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.directory.rows import SourcePass
from lockstep.errors import LockstepError, invalid
from lockstep.storage import sources
from lockstep.storage.sources import SourceRecord


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The configuration of a source in the form in which it is stored. *by_operator* contains the paths in this configuration that the
    operator of the machine has specified.
    """

    config: Mapping[str, Any]
    by_operator: Sequence[str]


@dataclass(frozen=True, slots=True)
class OutsideFile:
    """A file of a source outside the folder for sources' files."""

    source: str
    path: str


def named_files(context: Context, config: Mapping[str, Any], known: SourceRecord | None) -> NamedFiles:
    """Return *config* in the form in which the caller may store it. *known* is the stored source, or None for a new one.

    Raises LockstepError for a file outside the folder for sources' files, unless the operator named the same file for this source before.
    """
    if context.actor.is_operator:
        return NamedFiles(config, sorted(_paths(config)))
    placed = placed_files(context, config)
    by_operator = sorted(_paths(placed).intersection(known.operator_files if known else ()))
    _with_real_paths(context, placed, exempt=by_operator)
    return NamedFiles(placed, by_operator)


def open_files(context: Context, source: SourceRecord, config: Mapping[str, Any] | None = None) -> Sequence[SourcePass]:
    """Open *source* for reading. *config* replaces the registered configuration. Each of the returned passes reads one kind of object.

    Registered files are checked again, except those that the operator named. Files that occur only in *config* are not checked, because no
    caller on another machine can choose *config* (`remote/exposed.py`): it comes from the operator's command line, or names the copy of an
    upload.

    Raises LockstepError for a file that is now outside the folder for sources' files, and for any error that the source finds.
    """
    given = source.config if config is None else config
    exempt = _paths(given) - (_paths(source.config) - set(source.operator_files))
    keys = (source.watermark or {}).get("keys", {})
    return context.open_source(source.kind, _with_real_paths(context, given, exempt=exempt), keys)


@needs(Permission.DIRECTORY_READ)
async def files_outside(context: Context) -> list[OutsideFile]:
    """Return the files of registered sources that are not below the folder for sources' files."""
    async with context.reading() as connection:
        found = await sources.list_sources(connection)
    return [
        OutsideFile(one.name, path)
        for one in found
        for path in sorted(_paths(one.config))
        if _real_path(context.sources_folder, path) is None
    ]


def placed_files(context: Context, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return *config* with absolute paths. Relative paths start at the folder for sources' files, unless the caller is the operator."""
    return with_paths(config, lambda path: str(context.sources_folder / path))


def with_paths(config: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return *config* with *change* applied to the path of each file. Entries that do not have a path are left unchanged."""
    files = config.get("files")
    if not isinstance(files, list):
        return dict(config)
    named = [
        {**one, "path": change(str(one["path"]))} if isinstance(one, Mapping) and "path" in one else one
        for one in files
    ]
    return {**config, "files": named}


def _paths(config: Mapping[str, Any]) -> set[str]:
    return {str(one["path"]) for one in config.get("files") or [] if isinstance(one, Mapping) and "path" in one}


def _with_real_paths(context: Context, config: Mapping[str, Any], *, exempt: Collection[str]) -> dict[str, Any]:
    """Return *config* with the real paths of its files, except those in *exempt*. Raises LockstepError for a file outside the folder."""

    def real(path: str) -> str:
        if path in exempt:
            return path
        found = _real_path(context.sources_folder, path)
        if found is None:
            raise _outside(context.sources_folder, path)
        return found

    return with_paths(config, real)


def _real_path(folder: Path, path: str) -> str | None:
    """Return *path* without symbolic links and `..`; None if it is not below *folder*. The file need not exist."""
    try:
        found = os.path.realpath(path)
    except ValueError:  # a NUL character
        return None
    return found if Path(os.path.realpath(folder)) in Path(found).parents else None


def _outside(folder: Path, path: str) -> LockstepError:
    shown = "".join(one if one.isprintable() else "?" for one in path)[:200]
    return invalid(
        f"{shown} is not a file below {folder}",
        why="Other files on the server can be specified only with the command line on the server itself. "
        "Symbolic links must not lead out of the folder",
        next_step=f"Put the file into {folder}, or upload it: Sources > Import a file. "
        "Or on the server: lockstep sources add NAME --people FILE",
        code="FileOutsideFolder",
    )
