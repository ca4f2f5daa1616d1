"""`documo backup` and `documo restore`: the database in one file, and back into a data folder without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from documo.cli.output import Output, data_option, output_option, require_data
from documo.settings import Settings
from documo.store.database import DATABASE
from lockstep.errors import conflict, invalid
from lockstep.postgres import dump
from lockstep.postgres.cluster import SUPERUSER
from lockstep.postgres.server import running

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@data_option
@output_option
def backup(file: Path, settings: Settings, output: Output) -> None:
    """Write the database into FILE, while everything runs.

    \b
    documo backup documo-2026-11-28.dump
    """
    _require_embedded(settings, 'pg_dump -Fc -d "$DOCUMO_DATABASE_URL" -f FILE')
    require_data(settings)

    async def work() -> int:
        async with running(settings.data, main=False, product="documo", databases=(DATABASE,)) as server:
            assert server.embedded is not None, "no URL names a server"  # noqa: S101
            # As the superuser: row-level security hides every tenant from the owner, and pg_dump refuses to leave rows out.
            database = server.embedded.database(DATABASE, role=SUPERUSER)
            return await asyncio.to_thread(dump.dump, database, file)

    size = asyncio.run(work())
    output.one({"file": str(file), "bytes": size}, text=f"{file} holds the database, {size:,} bytes.")


@click.command()
@click.argument("file", type=_FILE)
@data_option
@output_option
def restore(file: Path, settings: Settings, output: Output) -> None:
    """Fill a data folder without Documo's data from FILE.

    \b
    documo restore documo-2026-11-28.dump --data restored
    """
    _require_embedded(settings, 'pg_restore --no-owner -d "$DOCUMO_DATABASE_URL" FILE')
    dump.check_dump(file)

    async def work() -> None:
        async with running(settings.data, main=True, product="documo", databases=(DATABASE,)) as server:
            database = server.database(DATABASE)
            if not await asyncio.to_thread(dump.is_empty, database):
                raise conflict(
                    f"There is Documo data in {settings.data}, and a restore does not overwrite it",
                    next_step="Restore into another folder: --data FOLDER",
                )
            await asyncio.to_thread(dump.load, database, file)

    asyncio.run(work())
    output.one({"file": str(file)}, text=f"{file} is restored in {settings.data}.")


def _require_embedded(settings: Settings, command: str) -> None:
    if settings.urls:
        raise invalid(
            "The database is on a server of yours, which a URL names", next_step=f"Use its own tools: {command}"
        )
