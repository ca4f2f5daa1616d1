"""Show the results of commands: data on stdout in the requested format, everything else on stderr.

JSON is the documented, stable format (`formatVersion`). Tables fit the terminal; piped tables are neither cut nor coloured.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import orjson
from click.core import ParameterSource

from lockstep.cli import FORMS, Globals
from lockstep.errors import invalid
from lockstep.wording import spreadsheet_text

SIGN_COLOURS = {"+ ": "green", "~ ": "yellow", "o ": "yellow", "- ": "red", "! ": "red"}
FORMAT_VERSION = "1.0"
_GAP = 2  # blanks between columns
_NARROWEST = 18  # minimum width of a column that shrinks
DECLINED = 130  # Formats a library's log record on one line, with the type of an exception but without its traceback.
OutputRow = Mapping[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. *is_wide* columns are omitted from the `table` format. *show* turns the value into text."""

    key: str
    title: str
    is_wide: bool = False
    show: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """The requested output format."""

    form: str = "table"
    quiet: bool = False
    query: str = ""  # a JMESPath expression for the JSON form

    def many(
        self, rows: Sequence[OutputRow], columns: Sequence[Column], *, name: str = "name", empty: str = ""
    ) -> None:
        """Print a list. *name* is the key that `-o name` and `-q` print. *empty* is the message on stderr if the list is empty."""
        if self.query:
            self._answer({"formatVersion": FORMAT_VERSION, "items": list(rows)})
        elif self.quiet or self.form == "name":
            for row in rows:
                click.echo(safe(row.get("id" if self.quiet and "id" in row else name)))
        elif self.form == "json":
            _json({"formatVersion": FORMAT_VERSION, "items": list(rows)})
        elif self.form == "jsonl":
            for row in rows:
                click.echo(orjson.dumps(row, default=str))
        elif self.form == "yaml":
            _yaml({"formatVersion": FORMAT_VERSION, "items": list(rows)})
        elif not rows and self.form in ("table", "wide"):
            click.echo(empty or "Nothing found.", err=True)
        else:
            shown = [column for column in columns if self.form != "table" or not column.is_wide]
            is_read = self.form in ("table", "wide")
            _print_table(self.form, shown, [[_cell(row, column, is_read=is_read) for column in shown] for row in rows])

    def one(self, row: OutputRow, *, text: str | Sequence[str], secret: str = "") -> None:
        """Print one object: *row* for JSON and similar formats, *text* for people. *secret* is a value that is never shown again, such as a
        new token. If there is a *secret*, `-q` prints only the secret.
        """
        if self.query:
            self._answer({"formatVersion": FORMAT_VERSION, **row})
        elif self.form == "json":
            _json({"formatVersion": FORMAT_VERSION, **row})
        elif self.form == "jsonl":
            click.echo(orjson.dumps(row, default=str))
        elif self.form == "yaml":
            _yaml({"formatVersion": FORMAT_VERSION, **row})
        elif self.quiet or self.form == "name":
            click.echo(secret or safe(row.get("id" if self.quiet and "id" in row else "name", text)))
        elif self.form in ("csv", "markdown"):
            _print_table(self.form, [Column(key, key) for key in row], [[safe(value) for value in row.values()]])
        else:
            for line in [text] if isinstance(text, str) else text:
                click.echo(line)

    def _answer(self, document: OutputRow) -> None:
        """Run the query of `--query` on *document* and print the result: as JSON or YAML if requested, otherwise as plain lines for
        scripts.
        """
        import jmespath  # imported only if it is needed

        try:
            found = jmespath.search(self.query, orjson.loads(orjson.dumps(document, default=str)))
        except jmespath.exceptions.JMESPathError as wrong:
            raise click.UsageError(f"The query does not match the data: {str(wrong).splitlines()[0]}") from None
        if self.form == "json":
            _json(found)
        elif self.form == "yaml":
            _yaml(found)
        else:
            for one in found if isinstance(found, list) else [found]:
                click.echo(_line(one) if self.form != "jsonl" else orjson.dumps(one))


class _FormatOption(click.Option):
    """An output option that nearly every command has. A command's help lists these options in one line; `lockstep help output` explains
    them.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return ("-o, -q, --query", "Output: see lockstep help output.") if self.name == "output" else None


def output_option(command: Command) -> Command:
    """Add `-o`, `--query` and `-q` to *command*, which receives them as `output`."""

    def chosen(ctx: click.Context, _: click.Parameter, value: str) -> Output:
        flags = ctx.find_root().obj
        if isinstance(flags, Globals) and flags.form and ctx.get_parameter_source("output") is ParameterSource.DEFAULT:
            value = flags.form  # given before the command
        return Output(value, bool(ctx.params.pop("quiet", False)), ctx.params.pop("query", None) or "")

    command = click.option(
        "-o",
        "--output",
        cls=_FormatOption,
        type=click.Choice(FORMS),
        default="table",
        callback=chosen,
        metavar="FORM",
        help="|".join(FORMS),
    )(command)
    command = click.option(
        "--query",
        cls=_FormatOption,
        metavar="JMESPATH",
        is_eager=True,
        callback=_checked_query,
        help="Select a part of the JSON output.",
    )(command)
    return click.option("-q", "--quiet", cls=_FormatOption, is_flag=True, is_eager=True, help="Print ids only.")(
        command
    )


def _checked_query(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    import jmespath

    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as wrong:
        raise click.BadParameter(f"{str(wrong).splitlines()[0]}. Example: --query 'items[].id'") from None
    return value


def shows_colour() -> bool:
    """Return whether this command's output is coloured, according to its flags and the environment."""
    context = click.get_current_context(silent=True)
    return bool(context and context.color)


def with_sign_colour(line: str) -> str:
    """Colour *line* by its leading sign, such as `+`. The colour only repeats the meaning of the sign."""
    colour = SIGN_COLOURS.get(line.lstrip()[:2])
    return click.style(line, fg=colour) if colour and shows_colour() else line


def hint(text: str) -> None:
    """Print a message to stderr, beside the data on stdout."""
    click.echo(safe(text), err=True)


def confirm(question: str, *, yes: bool, flag: str = "--yes") -> None:
    """Ask *question* on a terminal. If the answer is no, nothing changes and the command ends. If *yes* is true, nothing is asked. Without
    a terminal, raise an error that names *flag*, the flag to use instead.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise invalid(f"{question} Cannot ask for confirmation without a terminal", next_step=f"Add {flag} to continue")
    if not click.confirm(question, err=True):
        hint("Nothing changed.")
        raise click.exceptions.Exit(DECLINED)


def safe(value: Any) -> str:
    """Return *value* as text without control sequences for terminals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(safe(one) for one in value)
    if isinstance(value, Mapping):
        return orjson.dumps(value, default=str).decode()
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def _cell(row: OutputRow, column: Column, *, is_read: bool) -> str:
    text = safe(row.get(column.key))
    return column.show(text) if column.show is not None and is_read else text


def _print_table(form: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    titles = [column.title for column in columns]
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in columns])
        writer.writerows([spreadsheet_text(cell) for cell in row] for row in rows)
        click.echo(text.getvalue(), nl=False)
    elif form == "markdown":
        click.echo("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
        for row in rows:
            click.echo("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    else:
        _rich_table(titles, rows)


def fitted(natural: Sequence[int], texts: Sequence[bool], room: int) -> list[int]:
    """Return the width of each column, so that the table fits into *room* where possible. *natural* has the widths without a limit. *texts*
    is true for a column with prose.

    Columns with prose shrink first, and wrap between words. After them the other columns shrink, the widest one first, and are cut with an
    ellipsis.
    """
    widths = list(natural)
    for candidates in ([index for index, is_text in enumerate(texts) if is_text], range(len(widths))):
        while sum(widths) > room and candidates:
            widest = max(candidates, key=lambda index: widths[index])
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
    return widths


def _rich_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal, colours = sys.stdout.isatty(), shows_colour()
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold" if colours else "")
    console = Console(
        file=sys.stdout,
        width=None if is_terminal else 100_000,
        no_color=not colours,
        force_terminal=colours,
        highlight=False,
    )
    texts = [any(row[index].count(" ") > 1 for row in rows) for index in range(len(titles))]
    natural = [max([cell_len(title), *(cell_len(row[index]) for row in rows)]) for index, title in enumerate(titles)]
    widths = fitted(natural, texts, console.width - _GAP * len(titles))
    for title, is_text, width in zip(titles, texts, widths, strict=True):
        table.add_column(title, no_wrap=not is_text, overflow="fold" if is_text else "ellipsis", width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text, because names are not markup
    if is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _line(value: Any) -> str:
    """Return one value of a query's result on one line: a scalar unchanged, a list of scalars separated by tabs, anything else as JSON."""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return "\t".join(_line(one) for one in value)
    if isinstance(value, list | dict | bool):
        return orjson.dumps(value).decode()
    return safe(value)


def _json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str))


def _yaml(value: Any) -> None:
    import yaml

    plain = orjson.loads(orjson.dumps(value, default=str))
    click.echo(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), nl=False)
