"""The kinds of source, and how each kind turns its configuration into passes.

To add a kind, add it to the table in this module. A kind needs two functions: one that checks the configuration, and one that opens the
passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lockstep.directory.file_shape import FileShape
from lockstep.directory.rows import PassKind, SourcePass
from lockstep.engine.rules.durations import parse_duration
from lockstep.errors import LockstepError, invalid
from lockstep.sources.csv_inspect import inspect_csv
from lockstep.sources.csv_names import find_column
from lockstep.sources.csv_open import CsvOptions, header_of, open_csv

SHORTEST_INTERVAL = timedelta(minutes=1)  # how often the worker looks for due sources

Opener = Callable[[Mapping[str, Any], Mapping[str, str]], Sequence[SourcePass]]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source."""

    name: str
    display_name: str
    open: Opener


def _open_csv_files(config: Mapping[str, Any], keys: Mapping[str, str]) -> list[SourcePass]:
    """Return one pass for each entry of `files` in *config*. An entry has the form {path, kind?, group?}.

    People come first, then groups, then members, whatever the order of the files.
    """
    files = config.get("files") or []
    if not files:
        raise invalid("The source has no file", next_step="Add one: lockstep sources add NAME --people FILE")
    _check_interval(config.get("every"))
    paths = [Path(file["path"]) for file in files]
    options = _options_of_each(paths, csv_options(config, keys))
    passes = [
        open_csv(
            path,
            kind=PassKind(file["kind"]) if file.get("kind") else None,
            group=file.get("group") or "",
            options=one,
        )
        for file, path, one in zip(files, paths, options, strict=True)
    ]
    order = list(PassKind)
    return sorted(passes, key=lambda reading: order.index(reading.kind))


def _check_interval(every: object) -> None:
    """Raise LockstepError unless *every* is None or an ISO 8601 duration of at least SHORTEST_INTERVAL."""
    length = parse_duration(str(every)) if every is not None else SHORTEST_INTERVAL
    if length is None or length < SHORTEST_INTERVAL:
        raise invalid(
            f'"{every}" is not a valid import interval',
            next_step="Write the interval as PT15M or P1D; the shortest is PT1M",
        )


def csv_options(config: Mapping[str, Any], keys: Mapping[str, str]) -> CsvOptions:
    """Return the options for files from a source's configuration. Raises LockstepError if a part of it has the wrong structure."""
    values = {
        column: _mapping(words, f"values of {column}")
        for column, words in _mapping(config.get("values"), "values").items()
    }
    return CsvOptions(
        mapping=_mapping(config.get("map"), "attributes"),
        values={column: {word: str(value) for word, value in words.items()} for column, words in values.items()},
        date_formats={column: str(form) for column, form in _mapping(config.get("dateFormats"), "dateFormats").items()},
        keys=keys,
        encoding=str(config.get("encoding") or ""),
        delimiter=str(config.get("delimiter") or ""),
        is_full=not config.get("partial"),
    )


def _mapping(part: object, name: str) -> dict[str, Any]:
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        raise invalid(f"The {name} of the source must be a mapping of names", next_step="See: docs/reference/csv.md")
    return {str(key): value for key, value in part.items()}


def _options_of_each(paths: Sequence[Path], options: CsvOptions) -> list[CsvOptions]:
    """Return the options for each file. A single file gets all *options*. If there are several files, each gets only the options for its
    own columns.

    Raises LockstepError if there are several files and none of them has a column that an option names.
    """
    said = {*options.mapping, *options.values, *(column for column in options.date_formats if column)}
    if len(paths) == 1 or not said:
        return [options for _ in paths]
    headers = [header_of(path, options) for path in paths]
    everywhere = list(dict.fromkeys(name for header in headers for name in header))
    columns = {column: find_column(everywhere, column) for column in said} | {"": ""}
    return [
        replace(
            options,
            mapping={one: meaning for one, meaning in options.mapping.items() if columns[one] in header},
            values={one: words for one, words in options.values.items() if columns[one] in header},
            date_formats={one: form for one, form in options.date_formats.items() if columns[one] in ("", *header)},
        )
        for header in headers
    ]


KINDS: Mapping[str, SourceKind] = {"csv": SourceKind("csv", "CSV files", _open_csv_files)}


def open_source(kind: str, config: Mapping[str, Any], keys: Mapping[str, str]) -> Sequence[SourcePass]:
    """Open the passes that bring a source up to date. *keys* maps each kind of pass to its key column, if one has been chosen.

    Raises LockstepError for an unknown kind, and for any error that the source finds.
    """
    if kind not in KINDS:
        raise invalid(f"Unknown kind of source: {kind}", next_step=f"Available: {', '.join(sorted(KINDS))}")
    return KINDS[kind].open(config, keys)


def inspect_file(path: Path, config: Mapping[str, Any], keys: Mapping[str, str]) -> FileShape:
    """Return how *path* would be read with the configuration of a source. `problem` in the result says what is wrong."""
    file: Mapping[str, Any] = next(iter(config.get("files") or []), {})
    try:
        options = csv_options(config, keys)
        kind = PassKind(file["kind"]) if file.get("kind") else None
    except LockstepError as problem:
        return FileShape(problem=problem)
    return inspect_csv(path, options, kind=kind, group=str(file.get("group") or ""))
