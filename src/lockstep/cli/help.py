"""`lockstep help`: help for any command, and topics that concern several commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

import click

from lockstep.cli import FORMS
from lockstep.configuration.document.filter_text import EXAMPLE
from lockstep.engine.rules.operators import OPERATORS
from lockstep.errors import EXIT_CODES, Kind, invalid
from lockstep.settings import Settings


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND|TOPIC]")
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or a topic: csv, environment, exit-codes, expressions, filters, output.

    \b
    lockstep help scope set
    lockstep help filters
    """
    if len(words) == 1 and words[0] in TOPICS:
        click.echo("\n".join(TOPICS[words[0]]()))
        return
    parent = ctx.find_root()
    for word in words:
        command = parent.command
        found = command.get_command(parent, word) if isinstance(command, click.Group) else None
        if found is None:
            raise invalid(f'No help for "{" ".join(words)}"', next_step=f"Topics: {', '.join(TOPICS)}")
        parent = click.Context(found, info_name=word, parent=parent)
    click.echo(parent.command.get_help(parent))


def _exit_codes() -> Iterator[str]:
    yield "Exit codes:"
    yield "    0  done"
    for code, kinds in sorted(_by_code().items()):
        yield f"  {code:>3}  {', '.join(kinds)}"
    yield "  130  interrupted, or a confirmation was declined"
    yield "Codes of single commands:"
    yield "  plan, diff --detailed-exitcode  2 if there are changes"
    yield "  doctor, map lint, fmt --check   1 if something fails"
    yield "  run --wait                      8 if --timeout has passed; the work continues"
    yield "  scim check                      3 if a check failed"
    yield "  status                          the worst state of an application: 0 in step or working, 3 objects fail,"
    yield "                                  6 off, paused, quarantined or held, 69 no answer or no worker"


def _by_code() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for kind, code in EXIT_CODES.items():
        found.setdefault(code, []).append(_MEANINGS[kind])
    return found


_MEANINGS: dict[Kind, str] = {
    Kind.INVALID: "invalid command line or file",
    Kind.UNAUTHORIZED: "credentials were refused",
    Kind.FORBIDDEN: "not permitted",
    Kind.NOT_FOUND: "the named object does not exist",
    Kind.CONFLICT: "conflict: someone else changed it first, or the value is in use",
    Kind.UNREACHABLE: "a server does not respond",
    Kind.THROTTLED: "rate-limited by the server",
    Kind.HELD: "writes wait for approval, or the application is in quarantine",
    Kind.PARTIAL: "finished, some objects failed",
    Kind.OUTPUT: "the output could not be written: a full disk",
    Kind.INTERNAL: "a bug in Lockstep",
}


def _expressions() -> Iterator[str]:
    yield "Mapping expressions are Microsoft Entra's:"
    yield "  [attribute]          a value of the person or group"
    yield '  "text"  12           constants'
    yield '  Join(" ", [givenName], [surname])'
    yield '  Switch([IsSoftDeleted], , "False", "True", "True", "False")'
    yield "Functions: lockstep expr functions [NAME]     Evaluate one: lockstep expr eval EXPRESSION --user UPN --explain"


def _filters() -> Iterator[str]:
    yield "A scoping filter is TITLE: ATTRIBUTE OPERATOR VALUE and ..."
    yield f"  {EXAMPLE}"
    yield "All clauses of a filter must pass; with several filters, one is enough. Quote a value that contains `and` or `or`;"
    yield 'double a quote inside quotes: "the ""boss""".'
    width = max(len(name) for name in OPERATORS)
    for operator in OPERATORS.values():
        yield f"  {operator.name:<{width}}  {operator.meaning}"


# Variables that are not fields of the settings, or are read before them.
MORE_VARIABLES = (
    ("LOCKSTEP_TOKEN", "An access token for `lockstep login`, which stores it and then asks for no password"),
    ("LOCKSTEP_METRICS_TOKEN", "The bearer token for /metrics; without it there are no metrics"),
    ("LOCKSTEP_KEY", "The key that encrypts secret tokens, instead of the file `key` in the data folder"),
    ("LOCKSTEP_KEY_OLDER", "A former key, still used to decrypt"),
    ("DATABASE_URL", "Your own PostgreSQL server; default: the included one"),
    ("..._FILE", "Reads a LOCKSTEP_ variable or DATABASE_URL from a file: LOCKSTEP_KEY_FILE=/run/secrets/key"),
    ("NO_COLOR", "Any value switches colour off; CLICOLOR_FORCE=1 switches it on"),
)


def _environment() -> Iterator[str]:
    yield "Environment variables:"
    known = [
        (one.metadata["variable"], one.metadata["meaning"]) for one in fields(Settings) if "variable" in one.metadata
    ]
    known += MORE_VARIABLES
    width = max(len(variable) for variable, _ in known)
    for variable, meaning in known:
        yield f"  {variable:<{width}}  {meaning}"


def _output() -> Iterator[str]:
    yield "Data goes to stdout, everything else to stderr."
    yield f"  -o, --output FORM   {'|'.join(FORMS)}"
    yield "                      table fits the terminal, wide has all columns, json is stable; may also stand before the command"
    yield "  --query JMESPATH    select a part of the JSON form: lockstep logs --query 'items[].status'"
    yield "  -q, --quiet         print ids only"


def _csv() -> Iterator[str]:
    yield "How CSV files are read (sources add, import, rekey); an option that you omit is detected, or an error asks you for it:"
    yield "  --map COLUMN=ATTRIBUTE         the attribute of a column (or several); COLUMN=id sets the key column"
    yield '  --value COLUMN:WORD=VALUE      the meaning of a word in a column: --value "status:Suspended=false"'
    yield "  --date-format [COLUMN:]FORMAT  DD/MM/YYYY, MM/DD/YYYY, ...; for one column, or for the whole file"
    yield "  --encoding TEXT                cp1252, utf-16, ...; detected for UTF-8, UTF-16 and Western European files"
    yield "  --delimiter TEXT               ';', '|', tab, ..."
    yield "  --partial                      the file has only some of the people; people who are missing from it do not leave"
    yield "sources import FILE also has:"
    yield "  --source TEXT                  the source that the people of FILE belong to"
    yield "  --kind people|groups|members   what FILE contains; detected from its columns"
    yield "  --group NAME                   FILE lists the members of this group (Entra: Download members)"
    yield "  --max-drop PERCENT             if more than this would leave, all stay until you run: lockstep sources confirm"
    yield "  --max-drop-count NUMBER        fewer than this many may always leave, whatever the percentage"
    yield "Attributes: lockstep people attributes"


TOPICS: dict[str, Callable[[], Iterator[str]]] = {
    "csv": _csv,
    "environment": _environment,
    "exit-codes": _exit_codes,
    "expressions": _expressions,
    "filters": _filters,
    "output": _output,
}
