"""`documo version`."""

from __future__ import annotations

import click

from documo import __version__
from documo.cli.output import DocumoOutput, output_option


@click.command()
@output_option
def version(output: DocumoOutput) -> None:
    """Print the version."""
    output.one({"version": __version__}, text=__version__)
