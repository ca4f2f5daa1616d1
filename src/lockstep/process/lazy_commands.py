"""A group of commands whose modules are imported only when a command runs, so that help and completion stay fast."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import ClassVar

import click
from click.shell_completion import CompletionItem


class LazyCommands(click.Group):
    """A group of commands. *places* has the module and attribute of each command, such as `documo.cli.keys:keys`. *sentences* has the
    first sentence of each command's help.
    """

    places: ClassVar[Mapping[str, str]]
    sentences: ClassVar[Mapping[str, str]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.places, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.places[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{self.places[cmd_name]} is no command"  # noqa: S101  # checks places
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.write_section(formatter, "Commands", self.places)

    def write_section(self, formatter: click.HelpFormatter, title: str, names: Iterable[str]) -> None:
        """Write these commands, each with its short help. The short help has the same maximum length in every section."""
        width = formatter.width - 6 - max(map(len, self.places))
        with formatter.section(title):
            formatter.write_dl(
                [(name, click.Command(name, help=self.sentences[name]).get_short_help_str(width)) for name in names]
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command or an option."""
        names = [
            CompletionItem(name, help=self.sentences[name])
            for name in sorted(self.places)
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
