"""The `documo` command and its subcommands."""

from __future__ import annotations

import sys

import click

from documo import __version__
from documo.cli.accounts import accounts
from documo.cli.audit import audit
from documo.cli.backup import backup, restore
from documo.cli.completion import completion
from documo.cli.domains import domains
from documo.cli.events import events
from documo.cli.keys import keys
from documo.cli.member_access import members
from documo.cli.output import DocumoOutput, output_option
from documo.cli.requests import requests
from documo.cli.roles import roles
from documo.cli.sandbox import sandbox
from documo.cli.serve import serve
from documo.cli.sso import sso
from lockstep.endings import exit_code_of


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
def documo() -> None:
    """The application side. Begin: documo accounts create NAME --admin EMAIL"""


@documo.command()
@output_option
def version(output: DocumoOutput) -> None:
    """Print the version."""
    output.one({"version": __version__}, text=__version__)


for command in (
    accounts, members, roles, keys, domains, sso, events, requests, audit, serve, sandbox, backup, restore, completion,
):  # fmt: skip
    documo.add_command(command)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    return exit_code_of(lambda: documo.main(arguments, prog_name="documo", standalone_mode=False), program="documo")
