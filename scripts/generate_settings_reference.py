"""Write docs/reference/settings.md, roles.md, operators.md and documo-commands.md from the code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from documo.cli.main import documo
from lockstep.actions.permissions import MEANINGS, ROLE_NAMES, TABLE, Permission, Role
from lockstep.engine.rules.operators import OPERATORS
from lockstep.settings import documented

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
GENERATED = "This page is generated: `python scripts/generate_settings_reference.py`."
LOCKSTEP_MORE = (
    (
        "LOCKSTEP_KEY",
        "The key that encrypts secret tokens, 32 bytes in base64 or hexadecimal",
        "the file `key` in the data folder",
    ),
    ("LOCKSTEP_KEY_OLDER", "A former key, still used to decrypt", "none"),
    (
        "LOCKSTEP_METRICS_TOKEN",
        "The bearer token for `/metrics`, at least 16 characters",
        "none: no metrics",
    ),
    ("LOCKSTEP_TOKEN", "An access token for `lockstep login`, which stores it and then asks for no password", "none"),
    ("DATABASE_URL", "Your own PostgreSQL server, version 15 or newer", "the embedded PostgreSQL"),
    ("NO_COLOR", "Any value switches colour off", "not set"),
)
DOCUMO = (
    ("LOCKSTEP_DATA", "The data folder, shared with Lockstep", "./lockstep-data"),
    (
        "DOCUMO_DATABASE_URL",
        "Your own PostgreSQL server",
        "the database `documo` on the server of DATABASE_URL, or on the embedded one",
    ),
    ("DOCUMO_HOST", "The address to listen on", "127.0.0.1"),
    ("DOCUMO_PORT", "Documo's port with `lockstep up`", "8081"),
    ("DOCUMO_PUBLIC_URL", "Documo's address in links", "the address and port it listens on"),
    ("DOCUMO_OUTBOUND_ALLOW", "Private origins and networks that events may be sent to", "none"),
    ("DOCUMO_METRICS_TOKEN", "The bearer token for `/metrics`, at least 16 characters", "none: no metrics"),
    ("DOCUMO_MAX_CONNECTIONS", "Maximum simultaneous connections", "2000"),
    ("DOCUMO_MAX_CONNECTIONS_PER_ADDRESS", "Maximum simultaneous connections from one address", "256"),
    ("DOCUMO_NAME_SERVER", "The name server that is asked for the records of custom domains", "the system's"),
    ("DOCUMO_TRUSTED_PROXIES", "Addresses and networks of reverse proxies whose X-Forwarded-For is believed", "none"),
    ("DOCUMO_SEARCHES_PER_ACCOUNT", "Searches of one account that run at once; further ones wait, then get 429", "2"),
    ("DOCUMO_SEARCH_SECONDS", "Time limit for one statement of a search, at most 60", "2"),
    ("DOCUMO_API_URL", "Documo's address in the commands that `documo requests curl` prints", "none"),
    ("DOCUMO_KEY", "The API key in the commands that `documo requests curl` prints", "none"),
    (
        "DOCUMO_SCIM_TOKEN",
        "Not a setting: an example of a variable that a configuration file refers to for a secret token",
        "none",
    ),
)


def settings() -> str:
    own = [(variable, meaning, _shown(default)) for variable, meaning, default in documented()]
    return "\n".join(
        [
            "# Environment variables",
            "",
            "A flag wins over a variable, a variable over the default. Any LOCKSTEP_ variable and DATABASE_URL can be read from a file:",
            "`LOCKSTEP_KEY_FILE=/run/secrets/key`. An unknown LOCKSTEP_ variable is an error. A variable applies to one process, so a",
            "command that is run beside `lockstep serve` needs the same variables.",
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
        "| Operator | Kind | Passes if |",
        "|---|---|---|",
        *(f"| `{name}` | {kind} | {text} |" for name, kind, text in rows),
    ]
    head = [
        "# Operators of scoping filters",
        "",
        "An example: `lockstep scope set documo --filter 'Sales: department EQUALS \"Sales\"'`. Unary operators take no value.",
        "",
        GENERATED,
        "",
    ]
    return "\n".join([*head, *lines, ""])


def documo_commands() -> str:
    lines = [
        "# Every command of Documo",
        "",
        "Arguments are in capitals, options in brackets. `documo COMMAND --help` explains them.",
        "",
        GENERATED,
        "",
        "```",
    ]
    return "\n".join([*lines, *sorted(_commands(documo, ("documo",))), "```", ""])


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from _commands(child, (*path, name))
        if not command.invoke_without_command:
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


def roles() -> str:
    head = [
        "# Roles of administrators",
        "",
        "What each role may do in Lockstep. An Application owner may do it only in their own applications; permissions that concern no",
        "single application hold everywhere. The permissions are also the scopes of access tokens, except the last three.",
        "[Manage administrators](../administrators.md) says how to give roles. The same table: `lockstep admins roles`.",
        "",
        GENERATED,
        "",
        f"| Permission | {' | '.join(ROLE_NAMES[role] for role in Role)} |",
        f"|---|{'---|' * len(Role)}",
    ]
    rows = [
        f"| `{permission}` | {' | '.join('yes' if role in TABLE[permission] else '' for role in Role)} |"
        for permission in Permission
    ]
    meanings = [f"- `{permission}`: {MEANINGS[permission]}" for permission in Permission]
    return "\n".join([*head, *rows, "", "## What each permission allows", "", *meanings]) + "\n"


PAGES = {"roles.md": roles, "settings.md": settings, "operators.md": operators, "documo-commands.md": documo_commands}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (FOLDER / page).write_text(text(), encoding="utf-8")
