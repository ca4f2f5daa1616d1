"""The options for reading a source's CSV files, and the configuration that results from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from lockstep.errors import LockstepError, invalid
from lockstep.sources.csv_text import check_delimiter


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
    """Add the options of `ReadingOptions` to *command* under the same names; `chosen_reading` collects them."""
    for option in (
        click.option("--partial", is_flag=True, help="Keep people who are not in the file."),
        click.option("--delimiter", default="", help="Such as ';' or tab (default: detected)."),
        click.option("--encoding", default="", help="Such as cp1252 (default: detected)."),
        click.option(
            "--date-format", "date_formats", multiple=True, metavar="[COLUMN:]FORMAT",
            help="Such as DD/MM/YYYY.",
        ),
        click.option(
            "--value", "values", multiple=True, metavar="COLUMN:WORD=VALUE",
            help="Such as status:Suspended=false.",
        ),
        click.option(
            "--map", "mapping", multiple=True, metavar="COLUMN=ATTRIBUTE",
            help="COLUMN=id makes it the key. Repeatable.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def config_from(files: Sequence[Mapping[str, str | None]], reading: ReadingOptions) -> dict[str, Any]:
    """The configuration of a source. Raises LockstepError for an option with invalid syntax."""
    delimiter = "\t" if reading.delimiter in ("tab", "\\t") else reading.delimiter
    check_delimiter(delimiter)
    given = {
        "map": _columns(reading.mapping),
        "values": _words(reading.values),
        "dateFormats": _formats(reading.date_formats),
        "encoding": reading.encoding,
        "delimiter": delimiter,
        "partial": reading.partial,
    }
    return {"files": list(files)} | {name: value for name, value in given.items() if value}


def overlaid(registered: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """*registered*, overridden by what was *given* for this time; the registered files stay."""
    merged = dict(registered)
    for name, value in given.items():
        if name != "files":
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


def _columns(texts: Sequence[str]) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        column, equals, attribute = text.rpartition("=")
        if not equals or not column:
            raise _badly_written("--map", text, "COLUMN=ATTRIBUTE")
        found.setdefault(column, []).append(attribute.strip())
    return {column: names[0] if len(names) == 1 else names for column, names in found.items()}


def _words(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        place, equals, value = text.rpartition("=")
        column, colon, word = place.partition(":")
        if not equals or not colon or not column or not word:
            raise _badly_written("--value", text, "COLUMN:WORD=VALUE")
        found.setdefault(column, {})[word] = value.strip()
    return found


def _formats(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        column, colon, form = text.partition(":")
        # A colon may also be part of a time: DD/MM/YYYY HH:mm
        names_column = bool(colon) and not any(token in column for token in ("DD", "MM", "YY", "%"))
        found[column if names_column else ""] = form if names_column else text
    return found


def _badly_written(option: str, text: str, form: str) -> LockstepError:
    return invalid(f'{option} "{text}" does not have the form {form}', next_step=f"Write it as {option} {form}")
