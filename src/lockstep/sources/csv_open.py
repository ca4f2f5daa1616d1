"""Open a CSV file: determine its content, the position of its header, and the meaning of each column.

If the first line is not a usable header, the file is refused. If a later line is a header, the error says that the file begins with a
title, and that the lines above the header should be removed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from lockstep.directory.attributes import shown
from lockstep.directory.rows import PassKind, key_of
from lockstep.errors import LockstepError, invalid
from lockstep.sources.csv_cells import Words, cell_readers
from lockstep.sources.csv_columns import CsvColumns, read_header
from lockstep.sources.csv_file import CsvPass
from lockstep.sources.csv_kinds import guess_kind
from lockstep.sources.csv_names import ColumnMap, clean_names
from lockstep.sources.csv_text import TextForm, guess_delimiter, open_text, records, sniff

_MOST_COLUMNS = 2000
_MOST_TITLE_LINES = 6


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """The administrator's options for the files of a source.

    *mapping* maps columns to attributes. *values* maps each column to a mapping from the words in its cells to their meanings.
    *date_formats* maps columns to formats; the key "" stands for all columns. *keys* maps each kind of pass to the key column that has been
    chosen for it.
    """

    mapping: ColumnMap = field(default_factory=dict)
    values: Words = field(default_factory=dict)
    date_formats: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    is_full: bool = True


def open_csv(
    path: Path, *, kind: PassKind | None = None, group: str = "", options: CsvOptions | None = None
) -> CsvPass:
    """Open *path* and read its header. If *group* is given, the file lists only the members of that group.

    Raises LockstepError if the file is not CSV, is empty, or lacks a required column.
    """
    options = options or CsvOptions()
    form = sniff(path, encoding=options.encoding, delimiter=options.delimiter)
    header = first_row(path, form)
    try:
        kind, columns = _columns(header, kind, group, options)
    except LockstepError as refused:
        raise _under_a_title(path, form, kind, group, options) or refused from None
    readers = cell_readers(columns.attributes, columns.names, options.values, options.date_formats)
    is_first = kind not in options.keys
    return CsvPass(path, form, kind, columns, readers, options.is_full, key_of(group), is_first)


def header_of(path: Path, options: CsvOptions) -> list[str]:
    """Return the column names of *path*. Raises LockstepError if the file is not CSV."""
    return clean_names(first_row(path, sniff(path, encoding=options.encoding, delimiter=options.delimiter)))


def first_row(path: Path, form: TextForm) -> list[str]:
    """Return the header of *path*. Raises LockstepError if there is none."""
    try:
        with open_text(path, form) as file:
            _, header = next(records(file, form), (0, []))
    except (LookupError, UnicodeError):
        raise invalid(
            f"{path.name} cannot be read as {form.encoding}", next_step="Specify its encoding: --encoding cp1252"
        ) from None
    if isinstance(header, csv.Error) or not header or len(header) > _MOST_COLUMNS:
        raise invalid(
            f"{path.name} is not a CSV file: its first line is not a header",
            next_step="Export the list as CSV",
            code="NotCsv",
        )
    return header


def _columns(header: list[str], kind: PassKind | None, group: str, options: CsvOptions) -> tuple[PassKind, CsvColumns]:
    found = PassKind.MEMBERS if group else kind or guess_kind(header, options.mapping)
    key = options.keys.get(found, "")
    return found, read_header(header, found, mapping=options.mapping, key=key, one_group=bool(group))


def _under_a_title(
    path: Path, form: TextForm, kind: PassKind | None, group: str, options: CsvOptions
) -> LockstepError | None:
    """If one of the next lines is a header, return the error that reports a title above the header; otherwise None."""
    with open_text(path, form) as file:
        lines = list(islice(file, form.prologue + _MOST_TITLE_LINES))
    for number, line in enumerate(lines[form.prologue + 1 :], form.prologue + 2):
        if not line.strip():
            continue
        delimiter = options.delimiter or guess_delimiter(line)
        try:
            row = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))
            _columns(row, kind, group, replace(options, delimiter=delimiter))
        except (LockstepError, csv.Error):
            continue
        title = shown(lines[form.prologue].strip().strip(";,\t|"))
        return invalid(
            f'{path.name} begins with a title: "{title}"',
            why=f"The column names are on line {number}",
            next_step=f"Remove the lines above line {number}",
            code="TitleAboveHeader",
        )
    return None
