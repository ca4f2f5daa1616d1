"""`lockstep migrate`: upgrade the database."""

from __future__ import annotations

import asyncio

import click

from lockstep.cli.output import Output, hint, output_option
from lockstep.cli.session import require_data, settings_of
from lockstep.postgres.migrate import revisions_of
from lockstep.wiring import MIGRATIONS, open_house


@click.command("migrate")
@output_option
def migrate(output: Output) -> None:
    """Upgrade the database to this version of Lockstep. Stop every server and worker first.

    \b
    lockstep backup before-upgrade.dump
    lockstep migrate
    """
    settings = settings_of()
    require_data(settings)

    async def work() -> None:
        async with open_house(settings, main=True, say=hint):
            pass

    asyncio.run(work())
    newest = revisions_of(MIGRATIONS).newest
    output.one({"version": newest}, text=f"The database is at version {newest}.")
