"""The loop of `lockstep expr repl`: it reads a line and prints the result.

A line is an expression, or begins with set, unset, show, explain, help or quit. An error is printed and the loop continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, TextIO

import click

from lockstep.actions.expression_trials import attributes_from
from lockstep.cli.expr_show import explained_lines, value_text
from lockstep.engine.expressions import EvaluationContext, compile_expression, explain
from lockstep.engine.moment import Moment
from lockstep.errors import LockstepError

HELP = """\
  EXPRESSION            show its value, for example: Left([mail], 4)
  explain EXPRESSION    show the value of every sub-expression
  set NAME=VALUE        set an attribute; unset NAME removes it; show lists all
  quit                  exit"""


def run_repl(record: dict[str, Any], stdin: TextIO, *, now: Callable[[], datetime]) -> None:
    """Evaluate each line until the input ends or a line says quit."""
    for number, line in enumerate(_lines(stdin), 1):
        text = line.strip()
        if text in ("quit", "exit"):
            return
        if not text:
            continue
        context = EvaluationContext(Moment(now(), number.to_bytes(8, "big")))
        try:
            if told := answer(text, record, context):
                click.echo(told)
        except LockstepError as error:
            click.echo(f"error: {error.detail}", err=True)
            if error.next_step:
                click.echo(f"  next  {error.next_step}", err=True)
        except ValueError as error:
            click.echo(f"error: {error}", err=True)


def answer(text: str, record: dict[str, Any], context: EvaluationContext) -> str:
    """Carry out the line *text* and return the text to print, or "". The lines `set` and `unset` change *record*."""
    command, _, rest = text.partition(" ")
    match command:
        case "set":
            record.update(attributes_from([rest]))
            return ""
        case "unset":
            record.pop(rest.strip(), None)
            return ""
        case "show":
            return "\n".join(f"{name} = {value_text(value)}" for name, value in sorted(record.items()))
        case "explain":
            return "\n".join(explained_lines(explain(rest, record, context)))
        case "help":
            return HELP
    return value_text(compile_expression(text).evaluate(record, context))


def _lines(stdin: TextIO) -> Iterator[str]:
    if not stdin.isatty():
        yield from stdin
        return
    with suppress(ImportError):  # arrow keys recall earlier lines, if the platform supports it
        import readline  # noqa: F401
    click.echo("Enter an expression, or help. Ctrl-D exits.", err=True)
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            yield input("> ")
