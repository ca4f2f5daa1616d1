"""The options for reading a source's CSV files, and the configuration that results from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lockstep.configuration.reading_texts import read_columns, read_formats, read_words
from lockstep.sources.csv_text import check_delimiter

FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """The options for reading CSV files, as typed."""

    mapping: tuple[str, ...]
    values: tuple[str, ...]
    date_formats: tuple[str, ...]
    encoding: str
    delimiter: str
    partial: bool


def reading_options(command: Any) -> Any:
    """Add the options of `ReadingOptions` to *command*. The command receives them under the names of the fields of `ReadingOptions`."""
    for option in (
        click.option("--partial", is_flag=True, help="Keep people who are not in the file."),
        click.option("--delimiter", default="", help="Delimiter, such as ';' (default: detected)."),
        click.option("--encoding", default="", help="Encoding, such as cp1252 (default: detected)."),
        click.option(
            "--date-format", "date_formats", multiple=True, metavar="[COLUMN:]FORMAT",
            help="Format of dates, such as DD/MM/YYYY.",
        ),
        click.option(
            "--value", "values", multiple=True, metavar="COLUMN:WORD=VALUE",
            help="Meaning of a word: status:Suspended=false.",
        ),
        click.option(
            "--map", "mapping", multiple=True, metavar="COLUMN=ATTRIBUTE",
            help="COLUMN=id sets the key column. Repeatable.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def config_from(files: Sequence[Mapping[str, str | None]], reading: ReadingOptions) -> dict[str, Any]:
    """Return the configuration of a source. Raises LockstepError for an option with invalid syntax."""
    delimiter = "\t" if reading.delimiter in ("tab", "\\t") else reading.delimiter
    check_delimiter(delimiter)
    given = {
        "map": read_columns(reading.mapping),
        "values": read_words(reading.values),
        "dateFormats": read_formats(reading.date_formats),
        "encoding": reading.encoding,
        "delimiter": delimiter,
        "partial": reading.partial,
    }
    return {"files": list(files)} | {name: value for name, value in given.items() if value}


def overlaid(registered: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options *registered*, changed for this run by the options in *given*. The files remain the registered ones."""
    merged = dict(registered)
    for name, value in given.items():
        if name != "files":
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged
