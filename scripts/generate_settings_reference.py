"""Write docs/reference/settings.md, operators.md and documo-commands.md from the code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from documo.cli.main import documo
from lockstep.engine.rules.operators import OPERATORS
from lockstep.settings import documented

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
GENERATED = "This page is generated: `python scripts/generate_settings_reference.py`."
LOCKSTEP_MORE = (
    (
        "LOCKSTEP_KEY",
        "The key that seals secret tokens, 32 bytes in base64 or hexadecimal",
        "the file `key` in the data folder",
    ),
    ("LOCKSTEP_KEY_OLDER", "A former key that still opens what it sealed", "none"),
    (
        "LOCKSTEP_METRICS_TOKEN",
        "Who sends it may read `/metrics`, at least 16 characters",
        "none: there are no metrics",
    ),
    ("DATABASE_URL", "A PostgreSQL server of yours, version 15 or newer", "the PostgreSQL that comes along"),
    ("NO_COLOR", "No colour, whatever it says", "not set"),
)
DOCUMO = (
    ("LOCKSTEP_DATA", "The data folder, shared with Lockstep", "./lockstep-data"),
    (
        "DOCUMO_DATABASE_URL",
        "A PostgreSQL server of yours",
        "the database `documo` on the server of DATABASE_URL, or our own",
    ),
    ("DOCUMO_HOST", "The address to listen on", "127.0.0.1"),
    ("DOCUMO_PORT", "Documo's port under `lockstep up`", "8081"),
    ("DOCUMO_PUBLIC_URL", "What Documo calls itself in links", "the address and port it listens on"),
    ("DOCUMO_OUTBOUND_ALLOW", "Private origins and networks that events may be sent to", "none"),
    ("DOCUMO_METRICS_TOKEN", "Who sends it may read `/metrics`, at least 16 characters", "none: there are no metrics"),
    ("DOCUMO_MAX_CONNECTIONS", "Connections at once", "2000"),
    ("DOCUMO_MAX_CONNECTIONS_PER_ADDRESS", "Of these, from one address", "256"),
    ("DOCUMO_TRUSTED_PROXIES", "Addresses and networks of reverse proxies whose X-Forwarded-For is believed", "none"),
    ("DOCUMO_SEARCHES_PER_ACCOUNT", "Searches of one account that run at once; more wait, then get 429", "2"),
    ("DOCUMO_SEARCH_SECONDS", "How long the database may work on a statement of a search, at most 60", "2"),
    ("DOCUMO_API_URL", "Where `documo requests curl` sends to", "none"),
    ("DOCUMO_KEY", "The API key in the commands that `documo requests curl` prints", "none"),
    ("DOCUMO_SCIM_TOKEN", "An example of a variable that a configuration file names for a secret token", "none"),
)


def settings() -> str:
    own = [(variable, meaning, _shown(default)) for variable, meaning, default in documented()]
    return "\n".join(
        [
            "# Every setting of the environment",
            "",
            "A flag wins over a variable, a variable over the default. Any LOCKSTEP_ variable and DATABASE_URL can be given as a file:",
            "`LOCKSTEP_KEY_FILE=/run/secrets/key`. An unknown LOCKSTEP_ variable is an error. A variable counts in one process:",
            "a command next to `lockstep serve` needs the same ones.",
            "",
            GENERATED,
            "",
            "## Lockstep",
            "",
            *_table([*own, *LOCKSTEP_MORE]),
            "",
            "## Documo",
            "",
            *_table(DOCUMO),
            "",
        ]
    )


def operators() -> str:
    rows = [(one.name, one.arity, one.meaning) for one in OPERATORS.values()]
    lines = [
        "| Operator | Kind | Holds when |",
        "|---|---|---|",
        *(f"| `{name}` | {kind} | {text} |" for name, kind, text in rows),
    ]
    head = [
        "# Operators of scoping filters",
        "",
        "As in `lockstep scope set documo --filter 'Sales: department EQUALS \"Sales\"'`.",
        "",
        GENERATED,
        "",
    ]
    return "\n".join([*head, *lines, ""])


def documo_commands() -> str:
    lines = ["# Every command of Documo", "", "`documo COMMAND --help` explains them.", "", GENERATED, "", "```"]
    return "\n".join([*lines, *sorted(_commands(documo, ("documo",))), "```", ""])


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _commands(child, (*path, name))
        return
    words = list(path)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            words.append(parameter.metavar or (parameter.name or "").upper())
        elif isinstance(parameter, click.Option) and not parameter.hidden and parameter.name not in ("output", "data"):
            words.append(f"[{max(parameter.opts, key=len)}]")
    yield " ".join(words)


def _table(rows: object) -> list[str]:
    assert isinstance(rows, list | tuple)
    return ["| Variable | Meaning | Default |", "|---|---|---|", *(f"| `{v}` | {m} | {d} |" for v, m, d in rows)]


def _shown(default: object) -> str:
    if isinstance(default, timedelta):
        minutes = int(default.total_seconds() // 60)
        return f"{minutes // 1440}d" if minutes % 1440 == 0 else f"{minutes}m"
    return "none" if default in (None, ()) else f"{default}"


PAGES = {"settings.md": settings, "operators.md": operators, "documo-commands.md": documo_commands}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (FOLDER / page).write_text(text(), encoding="utf-8")
