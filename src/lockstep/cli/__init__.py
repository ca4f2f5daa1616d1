"""The `lockstep` command and its subcommands.

A command's module is imported only when the command runs, so that the overview, completion and `lockstep version` stay fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lockstep import __version__
from lockstep.cli.short_help import SHORT_HELP
from lockstep.endings import exit_code_of
from lockstep.process.garbage_collection import collect_seldom
from lockstep.process.lazy_commands import LazyCommands
from lockstep.wording import nearest

FORMS = ("table", "wide", "json", "jsonl", "yaml", "csv", "name", "markdown")  # output formats

# Every command with its module and attribute. One line each.
COMMANDS: dict[str, str] = {
    "activity": "lockstep.cli.activity:activity",
    "admins": "lockstep.cli.admins:admins",
    "apply": "lockstep.cli.config:apply",
    "apps": "lockstep.cli.apps:apps",
    "assign": "lockstep.cli.assign:assign",
    "audit": "lockstep.cli.audit:audit",
    "backup": "lockstep.cli.backup:backup",
    "completion": "lockstep.cli.completion:completion",
    "config": "lockstep.cli.config_history:config",
    "context": "lockstep.cli.remote.commands:context",
    "creds": "lockstep.cli.creds:creds",
    "cycles": "lockstep.cli.status:cycles",
    "deletes": "lockstep.cli.deletes:deletes",
    "diff": "lockstep.cli.config:diff",
    "doctor": "lockstep.cli.doctor:doctor",
    "explain": "lockstep.cli.explain:explain",
    "export": "lockstep.cli.config:export",
    "expr": "lockstep.cli.expr:expr",
    "fmt": "lockstep.cli.config:fmt",
    "groups": "lockstep.cli.groups:groups",
    "help": "lockstep.cli.help:help_",
    "import": "lockstep.cli.config:import_",
    "key": "lockstep.cli.key:key",
    "links": "lockstep.cli.links:links",
    "login": "lockstep.cli.remote.login:login",
    "logout": "lockstep.cli.remote.commands:logout",
    "logs": "lockstep.cli.logs:logs",
    "map": "lockstep.cli.mapping:map_",
    "migrate": "lockstep.cli.migrate:migrate",
    "mail": "lockstep.cli.mail:mail",
    "webhook": "lockstep.cli.webhook:webhook",
    "organisation": "lockstep.cli.organisation:organisation",
    "outbound": "lockstep.cli.outbound:outbound",
    "pause": "lockstep.cli.provision:pause",
    "people": "lockstep.cli.people:people",
    "plan": "lockstep.cli.config:plan",
    "preview": "lockstep.cli.preview:preview",
    "push": "lockstep.cli.push:push",
    "quarantine": "lockstep.cli.quarantine:quarantine",
    "restart": "lockstep.cli.provision:restart",
    "restore": "lockstep.cli.backup:restore",
    "retention": "lockstep.cli.retention:retention",
    "retry": "lockstep.cli.provision:retry",
    "run": "lockstep.cli.provision:run",
    "scim": "lockstep.cli.scim:scim",
    "scope": "lockstep.cli.scope:scope",
    "secrets": "lockstep.cli.secrets:secrets",
    "serve": "lockstep.cli.serve:serve",
    "settings": "lockstep.cli.settings:settings",
    "sources": "lockstep.cli.sources:sources",
    "sso": "lockstep.cli.sso:sso",
    "start": "lockstep.cli.provision:start",
    "status": "lockstep.cli.status:status",
    "timeline": "lockstep.cli.timeline:timeline",
    "token": "lockstep.cli.token:token",
    "up": "lockstep.cli.up.command:up",
    "version": "lockstep.cli.version:version",
    "whoami": "lockstep.cli.remote.commands:whoami",
    "worker": "lockstep.cli.worker:worker",
}
# The overview, with the commands in the order in which they are needed. It is the only help page longer than a screen.
SECTIONS: dict[str, tuple[str, ...]] = {
    "People and applications": ("sources", "people", "groups", "apps", "assign"),
    "Configuration": (
        "creds",
        "map",
        "scope",
        "settings",
        "sso",
        "expr",
        "mail",
        "webhook",
        "outbound",
        "retention",
        "organisation",
    ),
    "Configuration files": ("export", "plan", "apply", "diff", "fmt", "import", "config"),
    "Provisioning": ("preview", "start", "pause", "run", "push", "retry", "restart", "deletes", "quarantine", "links"),
    "What happened, and why": ("status", "activity", "timeline", "explain", "logs", "cycles", "audit", "secrets"),
    "Operation": ("up", "serve", "worker", "doctor", "backup", "restore", "migrate", "key", "admins", "token"),
    "Other machines": ("login", "logout", "context", "whoami"),
    "Tools": ("scim", "completion", "help", "version"),
}
ALIASES = {
    "app": "apps",
    "group": "groups",
    "provision": "push",
    "source": "sources",
    "sync": "run",
    "user": "people",
    "users": "people",
}


@dataclass(slots=True)
class Globals:
    """Options given before the command."""

    data: Path | None = None
    context: str | None = None  # the server to work with, as `lockstep context list` names it
    color: str = "auto"
    shows_progress: bool = True
    form: str = ""  # output format; "" if it was not given before the command

    def resolve_user(self, user: str) -> Mapping[str, Any]:
        """Return the attributes of a person in the directory, as expressions see them. Raises LockstepError."""
        from lockstep.actions.previews import expression_record
        from lockstep.cli.session import run as with_context

        return with_context(lambda context: expression_record(context, user))


class SuggestingGroup(click.Group):
    """A group that suggests similar commands, and accepts `get` for `show`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or (super().get_command(ctx, "show") if cmd_name == "get" else None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
            _require_reach(ctx, command, rest)
            return name, command, rest
        except click.UsageError:
            names = self.list_commands(ctx)
            begun = sorted((name for name in names if name.startswith(args[0])), key=len)[:1]
            near = begun or nearest(args[0], names)
            hint = f'. Did you mean "{near[0]}"?' if near else ""
            raise click.UsageError(f'Unknown command "{args[0]}"{hint}', ctx) from None


def _require_reach(ctx: click.Context, command: click.Command | None, rest: list[str]) -> None:
    """Raise LockstepError if *command* does not work with the server in use. The help of every command is available with every server."""
    if command is None or isinstance(command, click.Group) or ctx.resilient_parsing or {"-h", "--help"} & set(rest):
        return
    from lockstep.cli.remote.reach import refused, works_anywhere

    name = " ".join([*ctx.command_path.split()[1:], command.name or ""])
    if works_anywhere(name):
        return
    from lockstep.cli.remote.contexts import chosen_server
    from lockstep.cli.session import settings_of

    server = chosen_server(settings_of(ctx))
    if server is not None:
        raise refused(name, server)


class LockstepCommands(LazyCommands, SuggestingGroup):
    """The commands of `lockstep` and their aliases. The help lists the commands by section (`SECTIONS`)."""

    places = COMMANDS
    sentences = SHORT_HELP

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            self.write_section(formatter, title, names)


@click.group(cls=LockstepCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder (default: ./lockstep-data)."
)
@click.option("--context", metavar="NAME", help="The server to work with; see: lockstep context list.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Coloured output: auto (on a terminal), always or never.",
)
@click.version_option(__version__, message="%(version)s")
@click.option("-o", "--output", "form", type=click.Choice(FORMS), metavar="FORM", help="|".join(FORMS))
@click.option("--no-progress", is_flag=True, help="Show no progress on stderr.")
@click.pass_context
def lockstep(
    ctx: click.Context, data: Path | None, context: str | None, color: str, form: str | None, no_progress: bool
) -> None:
    """Keep accounts in applications in step with your directory.

    \b
    lockstep sources import people.csv
    lockstep apps add documo
    """
    ctx.obj = Globals(data, context, color, not no_progress, form or "")
    ctx.color = wants_colour(color, os.environ, is_terminal=sys.stdout.isatty())


def wants_colour(flag: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Return whether to colour output. The flag decides first, then NO_COLOR, CLICOLOR_FORCE and TERM=dumb; otherwise only terminals get
    colour.
    """
    if flag != "auto":
        return flag == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def main() -> None:
    """Run the command line and exit with its exit code."""
    collect_seldom()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    return exit_code_of(
        lambda: lockstep.main(arguments, prog_name="lockstep", standalone_mode=False), program="lockstep"
    )
