"""The command tree, and the one place where an error becomes text and an exit code.

Usage errors end with 64, not click's 2, because 2 means "changes present" in this house.
"""

from __future__ import annotations

import sys

import click

from documo import __version__
from documo.cli.accounts import accounts
from documo.cli.backup import backup, restore
from documo.cli.domains import domains
from documo.cli.events import events
from documo.cli.keys import keys
from documo.cli.members import members
from documo.cli.output import Output, output_option
from documo.cli.requests import requests
from documo.cli.roles import roles
from documo.cli.sandbox import sandbox
from documo.cli.serve import serve
from lockstep.errors import EXIT_CODES, Kind, LockstepError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
def documo() -> None:
    """The application side: accounts, members, API keys and a SCIM 2.0 service.

    \b
    documo accounts create Contoso --admin admin@contoso.com
    documo keys create --account Contoso
    """


@documo.command()
@output_option
def version(output: Output) -> None:
    """Print the version."""
    output.one({"version": __version__}, text=__version__)


for command in (accounts, members, roles, keys, domains, events, requests, serve, sandbox, backup, restore):
    documo.add_command(command)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; its exit code."""
    try:
        result = documo.main(arguments, prog_name="documo", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Nothing changed.", err=True)
        return INTERRUPTED
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message())
        return EXIT_CODES[Kind.INVALID]
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else "documo"
        _show(wrong.format_message().rstrip("."), next_step=f"{path} --help")
        return EXIT_CODES[Kind.INVALID]
    except click.ClickException as wrong:
        _show(wrong.format_message())
        return EXIT_CODES[Kind.INVALID]
    except LockstepError as error:
        _show(error.detail, why=error.why, next_step=error.next_step)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        from lockstep.faults import forget_output

        forget_output()
        return 0
    except Exception as fault:
        from lockstep.faults import as_error, forget_output  # nobody should need them

        told = as_error(fault)
        if told.kind is Kind.OUTPUT:
            forget_output()
        _show(told.detail, why=told.why, next_step=told.next_step)
        return told.exit_code
    return result if isinstance(result, int) else 0


def _show(detail: str, *, why: str = "", next_step: str = "") -> None:
    click.echo(f"error: {detail}", err=True)
    if why:
        click.echo(f"  why   {why}", err=True)
    if next_step:
        click.echo(f"  next  {next_step}", err=True)
