"""`lockstep backup` and `lockstep restore`: write the database to a file, and load it into an empty data folder."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from lockstep.actions.restore import enter_restore_mode
from lockstep.actions.sources import list_sources
from lockstep.cli.output import Output, hint, output_option
from lockstep.cli.session import has_data, operator, require_data, settings_of
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.errors import CHECK_READING, conflict, invalid, not_found
from lockstep.postgres import dump
from lockstep.postgres.embedded import Options
from lockstep.postgres.server import running, start_or_attach
from lockstep.settings import Settings
from lockstep.vault import parse_key
from lockstep.wiring import UNFINISHED_RESTORE, open_house

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("backup")
@click.argument("file", type=_FILE)
@output_option
def backup(file: Path, output: Output) -> None:
    """Back up the database to FILE while Lockstep runs. The key is not included.

    \b
    lockstep backup lockstep-2026-11-28.dump
    """
    settings = settings_of()
    _require_embedded(settings, 'pg_dump -Fc -d "$DATABASE_URL" -f FILE')
    require_data(settings)

    async def work() -> int:
        async with running(
            start_or_attach(settings.data, main=False, say=hint, options=Options(user=settings.postgres_user))
        ) as server:
            return await asyncio.to_thread(dump.dump, server.database("lockstep"), file)

    size = asyncio.run(work())
    where = "LOCKSTEP_KEY" if settings.key is not None else str(settings.data / "key")
    output.one({"file": str(file), "bytes": size, "key": where}, text=f"{file} contains the database, {size:,} bytes.")
    hint(
        f"The key is not included. Keep a copy of {where} in another place: stored tokens cannot be decrypted without it."
    )


@click.command("restore")
@click.argument("file", type=_FILE, required=False)
@click.option("--key", "key_file", type=_FILE, help="Your copy of the key that the backup was made with.")
@click.option(
    "--by-hand", is_flag=True, help="Finish a restore that you made into DATABASE_URL with PostgreSQL's own tools."
)
@output_option
def restore(file: Path | None, key_file: Path | None, by_hand: bool, output: Output) -> None:
    """Restore FILE into an empty data folder. Provisioning is off until you start it, and then begins with a full cycle.

    \b
    lockstep restore lockstep-2026-11-28.dump --key key.copy
    lockstep restore --by-hand
    """
    settings = settings_of()
    if by_hand:
        if file is not None or key_file is not None:
            raise click.UsageError(
                "Use FILE or --by-hand, not both; with --by-hand, the key is the file `key` in the data folder"
            )
        require_data(settings)
        names, read_again = asyncio.run(_restore_mode(settings, "by hand"))
        _tell(output, {"file": None}, "The database is marked as restored.", names, read_again)
        return
    if file is None:
        raise click.UsageError("Name the FILE that lockstep backup wrote")
    _require_embedded(settings, 'pg_restore --no-owner -d "$DATABASE_URL" FILE   then   lockstep restore --by-hand')
    begun = settings.data / UNFINISHED_RESTORE
    if has_data(settings) and not begun.exists():
        raise conflict(
            f"There is Lockstep data in {settings.data}, and restore does not overwrite it",
            next_step="Stop Lockstep and move the folder away, or restore into another one: --data FOLDER",
        )
    dump.check_dump(file)
    key = _read_key(key_file) if key_file else None
    _refuse_another_key(settings, key)
    settings.data.mkdir(parents=True, exist_ok=True)
    begun.write_text(f"{file.resolve()}\n")
    names, read_again = asyncio.run(_restored(settings, file, key))
    begun.unlink()
    _tell(output, {"file": str(file)}, f"{file} was restored to {settings.data}.", names, read_again)


def _tell(output: Output, row: dict[str, str | None], text: str, names: list[str], read_again: list[str]) -> None:
    output.one(row | {"applications": names, "sources": read_again}, text=text)
    for name in read_again:
        hint(f"First import {name} again, to find people who left since the backup: lockstep sources import {name}")
    for name in names:
        hint(
            f"Provisioning of {name} is off. Test the connection, then start: lockstep creds test {name}   lockstep start {name}"
        )


async def _restored(settings: Settings, file: Path, key: bytes | None) -> tuple[list[str], list[str]]:
    options = Options(user=settings.postgres_user)
    async with running(start_or_attach(settings.data, main=True, say=hint, options=options)) as server:
        database = server.database("lockstep")
        await asyncio.to_thread(dump.clear, database)  # an earlier restore may have been interrupted
        await asyncio.to_thread(dump.load, database, file)
    if key is not None and not (settings.data / "key").exists():
        with os.fdopen(os.open(settings.data / "key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(key)
    return await _restore_mode(settings, file.name)


async def _restore_mode(settings: Settings, backup: str) -> tuple[list[str], list[str]]:
    """Enter restore mode; return the names of the applications, and of the sources that must be read again."""
    async with open_house(settings, main=True, say=hint, needs_key=False, restores=True) as house:
        context = house.context(operator(), say=hint)
        names = await enter_restore_mode(context, backup)
        return names, [one.source.name for one in await list_sources(context) if one.source.name != LOCAL_SOURCE]


def _refuse_another_key(settings: Settings, key: bytes | None) -> None:
    """Raise LockstepError if the data folder contains another key than *key*, so that the key in the folder is not overwritten."""
    there = settings.data / "key"
    if key is not None and there.exists() and there.read_bytes().strip() != key.strip():
        raise conflict(
            f"{there} is not the same key as the one given with --key", next_step=f"Move {there} away, or omit --key"
        )


def _read_key(file: Path) -> bytes:
    try:
        content = file.read_bytes()
        parse_key(content.decode(), where=str(file))
    except FileNotFoundError:
        raise not_found(f"There is no file {file}", next_step="Check the path") from None
    except (OSError, UnicodeDecodeError) as refused:
        raise invalid(f"The key {file} cannot be read", why=str(refused), next_step=CHECK_READING) from None
    return content


def _require_embedded(settings: Settings, command: str) -> None:
    if "lockstep" in settings.database_urls:
        raise invalid("The database is on your own server (DATABASE_URL)", next_step=f"Use its own tools: {command}")
