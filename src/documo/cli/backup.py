"""`documo backup` and `documo restore`: write the database to a file, and load it into a folder without Documo data."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from documo.cli.output import DocumoOutput, data_option, output_option, require_data
from documo.settings import DocumoSettings
from documo.store.database import DATABASE
from lockstep.errors import conflict, invalid
from lockstep.postgres import dump
from lockstep.postgres.cluster import SUPERUSER
from lockstep.postgres.server import running, start_or_attach

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@data_option
@output_option
def backup(file: Path, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Write the database to FILE; Documo may keep running.

    \b
    documo backup documo-2026-11-28.dump
    """
    _require_embedded(settings, 'pg_dump -Fc -d "$DOCUMO_DATABASE_URL" -f FILE')
    require_data(settings)

    async def work() -> int:
        async with running(
            start_or_attach(settings.data, main=False, product="documo", databases=(DATABASE,))
        ) as server:
            assert server.embedded is not None, "no URL is configured, so the server is embedded"  # noqa: S101
            # As the superuser: row-level security hides every tenant from the owner, and pg_dump refuses to omit rows.
            database = server.embedded.database(DATABASE, role=SUPERUSER)
            return await asyncio.to_thread(dump.dump, database, file)

    size = asyncio.run(work())
    output.one({"file": str(file), "bytes": size}, text=f"Wrote the database to {file} ({size:,} bytes).")


@click.command()
@click.argument("file", type=_FILE)
@data_option
@output_option
def restore(file: Path, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Load FILE into a data folder that has no Documo data.

    \b
    documo restore documo-2026-11-28.dump --data restored
    """
    _require_embedded(settings, 'pg_restore --no-owner -d "$DOCUMO_DATABASE_URL" FILE')
    dump.check_dump(file)

    async def work() -> None:
        async with running(
            start_or_attach(settings.data, main=True, product="documo", databases=(DATABASE,))
        ) as server:
            database = server.database(DATABASE)
            if not await asyncio.to_thread(dump.is_empty, database):
                raise conflict(
                    f"{settings.data} already contains Documo data, and restore does not overwrite it",
                    next_step="Restore into another folder: --data FOLDER",
                )
            await asyncio.to_thread(dump.load, database, file)

    asyncio.run(work())
    output.one({"file": str(file)}, text=f"Restored {file} to {settings.data}.")


def _require_embedded(settings: DocumoSettings, command: str) -> None:
    if settings.urls:
        raise invalid(
            "The database is on your own server, configured by URL", next_step=f"Use PostgreSQL's tools: {command}"
        )
