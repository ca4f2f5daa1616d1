"""`lockstep organisation`: the organisation's name and the environment badge, as every page of the admin centre shows them."""

from __future__ import annotations

import click

from lockstep.actions import organisation as actions
from lockstep.actions.context import Context
from lockstep.actions.organisation import COLOURS, EnvironmentBadge, Organisation
from lockstep.actions.rows.organisation import organisation_json
from lockstep.cli.output import Output, output_option, safe
from lockstep.cli.session import run


@click.command("organisation")
@click.option("--name", metavar="TEXT", help='The name in the top bar of every page ("" removes it).')
@click.option("--environment", metavar="TEXT", help='The badge beside it, such as Production ("" removes it).')
@click.option(
    "--colour", type=click.Choice(COLOURS), metavar="COLOUR", help=f"Colour of the badge: {', '.join(COLOURS)}."
)
@output_option
def organisation(name: str | None, environment: str | None, colour: str | None, output: Output) -> None:
    """Show or change the organisation's name and the environment badge.

    \b
    lockstep organisation --name Contoso
    lockstep organisation --environment Production --colour red
    """

    async def work(context: Context) -> Organisation:
        before = await actions.show_organisation(context)
        if name is None and environment is None and colour is None:
            return before
        return await actions.change_organisation(context, name=name, badge=_badge(before, environment, colour))

    found = run(work)
    badge = f"{found.badge.name} ({found.badge.colour})" if found.badge.name else "none"
    lines = [f"Name         {found.name or 'not set'}", f"Environment  {badge}"]
    output.one(dict(organisation_json(found)), text=[safe(line) for line in lines])


def _badge(before: Organisation, name: str | None, colour: str | None) -> EnvironmentBadge | None:
    """Return the new badge, or None to keep the present one. A badge keeps its colour if only its name changes."""
    if name is None and colour is None:
        return None
    new_name = before.badge.name if name is None else name
    if not new_name.strip() and name is None:
        raise click.UsageError(
            "There is no badge, so there is no colour to change. Also name the environment: --environment TEXT"
        )
    return EnvironmentBadge(new_name, colour or before.badge.colour)
