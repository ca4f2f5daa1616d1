"""The output of commands: a table for people, JSON for machines."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
import orjson
import yaml

from documo.settings import DocumoSettings, read_settings
from documo.store.actors import command_actor
from documo.store.database import DATABASE, Store, running_store
from lockstep.endings import INTERRUPTED
from lockstep.errors import invalid, not_found
from lockstep.postgres.places import read_record

FORMATS = ("table", "json", "jsonl", "yaml")
FORMAT_VERSION = "1.0"
_NAMES = {"id": "Id", "url": "URL", "scim_url": "SCIM URL", "sso": "SSO", "ms": "ms"}  # not plain words
R = TypeVar("R")


class DocumoOutput:
    """Prints in the requested format."""

    def __init__(self, format: str) -> None:
        self.format = format

    def one(self, item: Mapping[str, Any], *, text: str | None = None) -> None:
        """Print one item. In the table format, *text* is printed instead if it is given."""
        if self.format == "table":
            click.echo(text if text is not None else _pairs(item))
        else:
            self._machine({"formatVersion": FORMAT_VERSION, **item})

    def many(self, name: str, items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Print *items* as a table with *columns*, as JSON lines, or as a list under the key *name* (in JSON and YAML). Formats other than
        the table show each item in full.
        """
        if self.format == "table":
            _table(items, columns)
        elif self.format == "jsonl":
            for item in items:
                click.echo(orjson.dumps(item, default=str).decode())
        else:
            self._machine({"formatVersion": FORMAT_VERSION, name: [dict(item) for item in items]})

    def lines(self, name: str, items: Sequence[Mapping[str, Any]], text: Callable[[Mapping[str, Any]], str]) -> None:
        """In the table format, print one line for each item: the result of *text*. In every other format, print the list as `many` does."""
        if self.format != "table":
            self.many(name, items, ())
            return
        for item in items:
            click.echo(text(item))

    def _machine(self, document: Mapping[str, Any]) -> None:
        if self.format == "yaml":
            plain = orjson.loads(orjson.dumps(document, default=str))
            click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip())
        else:
            click.echo(orjson.dumps(document, default=str).decode())


def output_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add the option `-o`. The command gets a `DocumoOutput` as *output*."""

    @click.option(
        "-o", "--output", "output", type=click.Choice(FORMATS), default="table", metavar="FORM", help="|".join(FORMATS)
    )
    @functools.wraps(command)
    def with_output(*arguments: Any, output: str, **named: Any) -> R:
        return command(*arguments, output=DocumoOutput(output), **named)

    return with_output


def data_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add the option `--data`. The command gets `DocumoSettings` as *settings*."""

    @click.option("--data", metavar="FOLDER", help="Data folder (default: ./lockstep-data).")
    @functools.wraps(command)
    def with_settings(*arguments: Any, data: str | None, **named: Any) -> R:
        return command(*arguments, settings=read_settings(data=data), **named)

    return with_settings


def with_store(settings: DocumoSettings, work: Callable[[Store], Awaitable[R]], *, creates: bool = False) -> R:
    """Run *work* on the store in *settings*. Attaches to the database server if it is running; otherwise starts it for the duration of
    *work*.

    Set *creates* if *work* creates the data. Otherwise, raises LockstepError if there is no data yet.
    """
    if not creates:
        require_data(settings)

    async def run() -> R:
        async with running_store(settings, main=False, max_size=2) as store:
            context = click.get_current_context(silent=True)
            return await work(store.acting_as(command_actor(context.command_path if context else "documo")))

    return asyncio.run(run())


def confirm(question: str, *, yes: bool) -> None:
    """Ask *question* on the terminal, unless *yes* is true. Ends the command if the answer is no. Raises LockstepError without a
    terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise invalid(question, next_step="Cannot ask for confirmation without a terminal; pass --yes to continue")
    if not click.confirm(question, err=True):
        click.echo("Nothing changed.", err=True)
        raise click.exceptions.Exit(INTERRUPTED)


def require_data(settings: DocumoSettings) -> None:
    """Raise LockstepError for a folder without Documo data. Without this check, a command in the wrong folder would suggest that all
    data is lost.
    """
    if settings.urls:
        return
    folder = settings.data.expanduser().resolve()
    record = read_record(folder)
    if record is None or DATABASE not in record.databases:
        raise not_found(
            f"There is no Documo data in {folder}",
            next_step="Name the folder with --data FOLDER (a sandbox prints the name of its folder), or start with: documo accounts create",
        )


def moment(value: datetime | None) -> str:
    """Format a time for tables."""
    return value.strftime("%Y-%m-%d %H:%M") if value else "-"


def _pairs(item: Mapping[str, Any]) -> str:
    width = max((len(key) for key in item), default=0)
    return "\n".join(f"{key:<{width}}  {_cell(value)}" for key, value in item.items())


def _table(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    rows = [[_cell(item.get(column)) for column in columns] for item in items]
    widths = [max([len(_heading(column)), *(_width(row[at]) for row in rows)]) for at, column in enumerate(columns)]
    for cells in ([_heading(column) for column in columns], *rows):
        line = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
        click.echo("  ".join(line).rstrip())


def _heading(column: str) -> str:
    """Format the heading of a column as in Lockstep's tables: "User name"."""
    return _NAMES.get(column) or column.replace("_", " ").capitalize()


def _width(text: str) -> int:
    """Return the width of *text* in terminal columns: an ideograph takes two, a combining mark none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # slow to import, and most tables are ASCII

    return cell_len(text)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    # Control characters from outside must not reach the terminal.
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value))
