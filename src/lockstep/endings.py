"""Run a command to its end: show errors on stderr, always in the same form, and set the exit code. Both command lines use this.

Usage errors end with exit code 64, not with click's 2, because 2 means "changes present". A reader that closes the pipe is not an error.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from lockstep.errors import EXIT_CODES, Kind, LockstepError

INTERRUPTED = 130


def exit_code_of(command: Callable[[], object], *, program: str) -> int:
    """Run *command* and return its exit code. If it fails, show the error first: what happened, why, what to do next."""
    stdout = sys.stdout
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
        show_error(_out_of_range(wrong) or wrong.format_message().rstrip("."), next_step=f"{where} --help")
        return EXIT_CODES[Kind.INVALID]
    except click.ClickException as wrong:
        show_error(wrong.format_message())
        return EXIT_CODES[Kind.INVALID]
    except LockstepError as error:
        show_error(error.detail, why=error.why, next_step=error.next_step)
        return error.exit_code
    except SystemExit as ended:
        # If the pipe is closed, click replaces stdout and exits with 1, which would mean a bug.
        return _reader_has_gone() if sys.stdout is not stdout else _code_of(ended)
    except BrokenPipeError:
        return _reader_has_gone()
    except Exception as fault:
        from lockstep.process.bug_report import as_error, forget_output  # most runs do not need them

        told = as_error(fault, product=program.capitalize())
        if told.kind is Kind.OUTPUT:
            forget_output()
        show_error(told.detail, why=told.why, next_step=told.next_step)
        return told.exit_code
    return result if isinstance(result, int) else 0


@contextmanager
def ends_with_reader() -> Iterator[None]:
    """While a command has nothing new to print, end it as soon as the reader closes the pipe. `| head -1` closes the pipe after one line.

    Otherwise the command would notice the closed pipe only when it prints the next line, and a script would have to wait for that line.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    pipe = _pipe_of_stdout()
    if task is None or pipe is None:
        yield
        return
    has_gone = False

    def stop() -> None:
        nonlocal has_gone
        has_gone = True
        loop.remove_reader(pipe)
        task.cancel()

    loop.add_reader(pipe, stop)  # the writing end of a pipe is "readable" only once nobody reads it
    try:
        yield
    except asyncio.CancelledError:
        if not has_gone:
            raise
        task.uncancel()
        raise BrokenPipeError from None
    finally:
        loop.remove_reader(pipe)


def _pipe_of_stdout() -> int | None:
    """Return the file descriptor of stdout if stdout is a pipe, otherwise None."""
    try:
        number = sys.stdout.fileno()
        return number if stat.S_ISFIFO(os.fstat(number).st_mode) else None
    except (OSError, ValueError):
        return None


def _reader_has_gone() -> int:
    from lockstep.process.bug_report import forget_output

    forget_output()  # nobody reads the rest, so print nothing
    return 0


def _code_of(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1


def show_error(detail: str, *, why: str = "", next_step: str = "") -> None:
    """Print an error to stderr, in the same form everywhere: what happened, why, what to do next."""
    click.echo(f"error: {_safe(detail)}", err=True)
    for label, text in (("why", why), ("next", next_step)):
        if text:
            click.echo(f"  {label:<5} {_safe(text)}", err=True)


def _out_of_range(wrong: click.UsageError) -> str:
    """Return the message for a number outside its range, or for text where a number is required. Returns "" for all other errors."""
    if not isinstance(wrong, click.BadParameter) or wrong.param is None:
        return ""
    kind = wrong.param.type
    given, is_number, _ = wrong.message.partition(" is not ")
    if not isinstance(kind, click.IntRange | click.FloatRange) or not is_number:
        return ""
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    limits = f"of at least {kind.min:,}" if kind.max is None else f"from {kind.min:,} to {kind.max:,}"
    name = wrong.param.opts[0] if isinstance(wrong.param, click.Option) else wrong.param.human_readable_name
    return f"{name} must be {number} {limits}, not {given}"


def _safe(text: str) -> str:
    # Names and file contents can appear in errors, and must not control the terminal.
    return "".join(letter if letter.isprintable() else " " for letter in text)
