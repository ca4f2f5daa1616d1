"""Write docs/reference/commands.md from the commands themselves; with `--check`, only report whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lockstep.cli import lockstep

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
# Options of nearly every command, described once.
EVERYWHERE = ("output", "query", "quiet")


def commands(command: click.Command = lockstep, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, by its full name."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from commands(found, (*path, name))
    if path and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield " ".join(path), command


def synopsis(name: str, command: click.Command) -> str:
    """The command, its arguments and its options."""
    words = ["lockstep", name]
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            text = (parameter.metavar or (parameter.name or "").upper()).strip("[]")
            text += "..." if parameter.nargs == -1 and not text.endswith("...") else ""
            words.append(text if parameter.required else f"[{text}]")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden and parameter.name not in EVERYWHERE:
            words.append(f"[{max(parameter.opts, key=len)}]")
    return " ".join(words)


def reference() -> str:
    """The Markdown page."""
    lines = [
        "# Every command",
        "",
        "Arguments are in capitals. Options, and arguments that may be left out, are in brackets. `lockstep COMMAND --help` explains them",
        "with an example. Nearly every command also has `-o`, `-q` and `--query`; see",
        "[what holds for all commands](../cli.md#what-holds-for-all-commands).",
        "",
        "This page is generated: `python scripts/generate_command_reference.py`.",
        "",
        "```",
        *(synopsis(name, command) for name, command in sorted(commands())),
        "```",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    text = reference()
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
