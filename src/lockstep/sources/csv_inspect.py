"""Show how a CSV file would be read before it is imported: its format, the meaning of each column, and some of its values.

If the file cannot be imported as it is, the result gives the reason and everything that is known, so that a person can supply
the rest.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from lockstep.directory.attributes import shown
from lockstep.directory.file_shape import FileColumn, FileShape
from lockstep.directory.rows import PassKind
from lockstep.errors import LockstepError
from lockstep.sources.csv_columns import CsvColumns, attribute_of_people
from lockstep.sources.csv_file import CsvPass
from lockstep.sources.csv_names import bare_name, clean_names
from lockstep.sources.csv_open import CsvOptions, first_row, open_csv
from lockstep.sources.csv_text import TextForm, open_text, records, sniff

_SAMPLES = 3
_INVERSE = "blockCredential"


def inspect_csv(path: Path, options: CsvOptions, *, kind: PassKind | None = None, group: str = "") -> FileShape:
    """Return how *path* would be read with *options*. Never raises LockstepError; `problem` in the result says what is wrong."""
    try:
        form = sniff(path, encoding=options.encoding, delimiter=options.delimiter)
        header = clean_names(first_row(path, form))
    except LockstepError as problem:
        return FileShape(problem=problem)
    samples = _samples(path, form, len(header))
    shape = FileShape(
        kind=kind,
        encoding=form.encoding,
        delimiter=form.delimiter,
        note=form.note,
        is_encoding_given=bool(options.encoding),
        is_delimiter_given=bool(options.delimiter),
    )
    try:
        reading = open_csv(path, kind=kind, group=group, options=options)
    except LockstepError as problem:
        columns = [FileColumn(name, _own_meaning(name), samples[place]) for place, name in enumerate(header)]
        return replace(shape, columns=tuple(columns), problem=problem)
    columns = [
        FileColumn(name, _meaning(place, reading), samples[place], is_key=place == _key_of(reading))
        for place, name in enumerate(header)
    ]
    return replace(shape, kind=reading.kind, columns=tuple(columns), notes=reading.notes, stable=reading.columns.stable)


def _samples(path: Path, form: TextForm, count: int) -> Sequence[tuple[str, ...]]:
    """Return the first values of each column."""
    found: list[list[str]] = [[] for _ in range(count)]
    with open_text(path, form) as file:
        for _, row in islice(records(file, form), 1, 1 + _SAMPLES):
            if isinstance(row, csv.Error):
                continue
            for place, cell in enumerate(row[:count]):
                found[place].append(shown(cell.encode("utf-8", "replace").decode(), limit=40))
    return [tuple(one) for one in found]


def _own_meaning(name: str) -> str:
    attribute = attribute_of_people(bare_name(name))
    return attribute.name if attribute else ""


def _meaning(place: int, reading: CsvPass) -> str:
    columns: CsvColumns = reading.columns
    if reading.kind is PassKind.MEMBERS:
        return {columns.group: "group", columns.member: "member"}.get(place, "")
    named = [_INVERSE if one.is_inverse else one.attribute.name for one in columns.attributes if one.place == place]
    if place == columns.manager:
        named.append("manager")
    return ", ".join(named)


def _key_of(reading: CsvPass) -> int:
    return reading.columns.key if reading.kind is not PassKind.MEMBERS else -1
