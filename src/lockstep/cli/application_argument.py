"""The argument APP. It may be left out if there is only one application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lockstep.cli.page_address import APPLICATION
from lockstep.cli.session import run

Command = TypeVar("Command", bound=Callable[..., Any])


def app_argument(command: Command) -> Command:
    """Add APP to *command*, which must have no other argument. *command* receives the application's name as `app`."""
    return click.argument("app", required=False, metavar="[APP]", type=APPLICATION, callback=_named_or_only)(command)


def _named_or_only(ctx: click.Context, _: click.Parameter, value: str | None) -> str:
    if value is not None or ctx.resilient_parsing:
        return value or ""
    from lockstep.actions.explaining import only_application  # imported only if it is needed

    return run(only_application)
