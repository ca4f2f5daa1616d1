"""How a command ends: every error is shown in one form on stderr, with its exit code. The command lines of both products use this.

Usage errors end with 64, not with click's 2, because 2 means "changes present".
"""

from __future__ import annotations

from collections.abc import Callable

import click

from lockstep.errors import EXIT_CODES, Kind, LockstepError

INTERRUPTED = 130


def exit_code_of(command: Callable[[], object], *, program: str) -> int:
    """Run *command* and return its exit code. If it fails, show the error first: what happened, why, what to do next."""
    try:
        result = command()
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message())  # a group without a command: show its help; this is not an error
        return 0
    except click.UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx else program
        show_error(wrong.format_message().rstrip("."), next_step=f"{where} --help")
        return EXIT_CODES[Kind.INVALID]
    except click.ClickException as wrong:
        show_error(wrong.format_message())
        return EXIT_CODES[Kind.INVALID]
    except LockstepError as error:
        show_error(error.detail, why=error.why, next_step=error.next_step)
        return error.exit_code
    except BrokenPipeError:
        from lockstep.process.bug_report import forget_output

        forget_output()  # the reader has closed the pipe, so print nothing
        return 0
    except Exception as fault:
        from lockstep.process.bug_report import as_error, forget_output  # most runs do not need them

        told = as_error(fault)
        if told.kind is Kind.OUTPUT:
            forget_output()
        show_error(told.detail, why=told.why, next_step=told.next_step)
        return told.exit_code
    return result if isinstance(result, int) else 0


def show_error(detail: str, *, why: str = "", next_step: str = "") -> None:
    """Print an error to stderr, in the same form everywhere: what happened, why, what to do next."""
    click.echo(f"error: {_safe(detail)}", err=True)
    for label, text in (("why", why), ("next", next_step)):
        if text:
            click.echo(f"  {label:<5} {_safe(text)}", err=True)


def _safe(text: str) -> str:
    # Names and file contents can appear in errors, and must not control the terminal.
    return "".join(letter if letter.isprintable() else " " for letter in text)
