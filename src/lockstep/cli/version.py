"""`lockstep version`. The command does not open the database."""

from __future__ import annotations

import platform

import click

from lockstep import __version__
from lockstep.cli.output import Output, output_option


@click.command()
@output_option
def version(output: Output) -> None:
    """Print the version.

    \b
    lockstep version -o json
    """
    output.one({"version": __version__, "python": platform.python_version()}, text=__version__)
