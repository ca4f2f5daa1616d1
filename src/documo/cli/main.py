"""The `documo` command and its subcommands.

A command's module is imported only when the command runs, because all modules together load the whole server.
"""

from __future__ import annotations

import sys
from typing import ClassVar

import click
from click.exceptions import NoSuchCommand

from documo import __version__
from lockstep.endings import exit_code_of
from lockstep.process.garbage_collection import collect_seldom
from lockstep.process.lazy_commands import LazyCommands

# Every command with its module, its attribute and the first sentence of its help.
COMMANDS: dict[str, tuple[str, str]] = {
    "accounts": ("documo.cli.accounts:accounts", "Manage customers' accounts; each one is a separate tenant."),
    "audit": ("documo.cli.audit:audit", "Show who changed what in an account, and who signed in."),
    "backup": ("documo.cli.backup:backup", "Write the database to FILE; Documo may keep running."),
    "completion": ("documo.cli.completion:completion", "Print the shell completion script."),
    "domains": ("documo.cli.domains:domains", "Manage custom domains of the API and of the pages."),
    "events": (
        "documo.cli.events:events",
        "Send changes to receivers: signed event tokens (RFC 9967), pushed or polled, and webhooks.",
    ),
    "keys": ("documo.cli.keys:keys", "Manage API keys."),
    "members": ("documo.cli.member_access:members", "Manage members of an account and their roles."),
    "requests": ("documo.cli.requests:requests", "Show the SCIM requests of the last seven days."),
    "restore": ("documo.cli.backup:restore", "Load FILE into a data folder that has no Documo data."),
    "roles": (
        "documo.cli.roles:roles",
        "Manage roles, which members of an account get by hand or by provisioning.",
    ),
    "sandbox": (
        "documo.cli.sandbox:sandbox",
        "Run a throw-away Documo for testing a SCIM client; nothing is left when it ends.",
    ),
    "serve": ("documo.cli.serve:serve", "Serve accounts over SCIM until SIGTERM or Ctrl-C."),
    "sso": ("documo.cli.sso:sso", "Manage single sign-on of an account with SAML."),
    "version": ("documo.cli.version:version", "Print the version."),
}


class DocumoCommands(LazyCommands):
    """The commands of `documo`."""

    places: ClassVar = {name: place for name, (place, _) in COMMANDS.items()}
    sentences: ClassVar = {name: text for name, (_, text) in COMMANDS.items()}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand:  # click suggests only commands that it holds
            raise NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx) from None


@click.group(cls=DocumoCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
def documo() -> None:
    """Manage Documo. Begin with: documo accounts create NAME --admin EMAIL"""


def main() -> None:
    """Run the command line and exit with its code."""
    collect_seldom()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    return exit_code_of(lambda: documo.main(arguments, prog_name="documo", standalone_mode=False), program="documo")
