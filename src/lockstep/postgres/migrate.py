"""Bring a database to the version that the code expects. If several processes start together, only one migrates.

If there is nothing to migrate, Alembic is not imported: one SELECT is sufficient.
"""

from __future__ import annotations

import asyncio
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lockstep.errors import Kind, LockstepError, conflict, invalid
from lockstep.postgres.advisory_locks import LockName, lock_for_session
from lockstep.postgres.database import Database
from lockstep.postgres.pool import connection_options


@dataclass(frozen=True, slots=True)
class Revisions:
    """The ordered revisions of one product, and the folder that contains their modules."""

    folder: Path
    numbers: tuple[str, ...]

    @property
    def newest(self) -> str:
        return self.numbers[-1]


def revisions_of(package: str) -> Revisions:
    """Return the revisions in `versions/` of *package*, in the order of their file names. Raises LockstepError if there are none."""
    folder = Path(str(importlib.resources.files(package))) / "versions"
    numbers = sorted(path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))
    if not numbers:
        raise LockstepError(
            Kind.INTERNAL, f"{package} has no revisions", next_step="Install Lockstep again: files are missing"
        )
    return Revisions(folder, tuple(numbers))


async def migrate(
    database: Database, package: str, *, say: Callable[[str], None] = lambda _: None, upgrade_with: str = ""
) -> bool:
    """Apply the revisions of *package* that *database* lacks. Returns True if there were any.

    Processes that start together wait for the one that migrates. Raises LockstepError for a database that the code cannot use.

    If *upgrade_with* is given, an older database is refused, because a server of an older version may be using it. The error recommends the
    command *upgrade_with*. An empty database is set up nevertheless.
    """
    revisions = revisions_of(package)
    options = connection_options(database, name="lockstep migrate")
    async with await psycopg.AsyncConnection.connect(database.conninfo, **options) as connection:
        if not _is_behind(await _version_of(connection), revisions, database):
            return False
        await lock_for_session(connection, LockName(f"migrate {package}"))
        version = await _version_of(connection)
        if not _is_behind(version, revisions, database):
            return False
        if version is not None and upgrade_with:
            raise conflict(
                f"The database {database.name} is at version {version}, but this program needs {revisions.newest}",
                why="The program was upgraded but the database was not",
                next_step=f"Stop every server and worker of the older version, then run: {upgrade_with}",
            )
        if version is None:
            say(f"Setting up the database {database.name}")
        else:
            say(f"Upgrading the database {database.name} from version {version} to {revisions.newest}")
        await asyncio.to_thread(_upgrade, database, revisions)
        return True


def _is_behind(version: str | None, revisions: Revisions, database: Database) -> bool:
    if version is None:
        return True
    if version not in revisions.numbers:
        raise conflict(
            f"The database {database.name} is at version {version}, but this program supports only versions up to {revisions.newest}",
            why="A newer release of this program has used it",
            next_step="Run the newer release, or restore an older backup",
        )
    return version != revisions.newest


async def _version_of(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> str | None:
    try:
        cursor = await connection.execute("select version_num from alembic_version")
    except psycopg.errors.UndefinedTable:
        return None
    row = await cursor.fetchone()
    return str(row[0]) if row else None


def _upgrade(database: Database, revisions: Revisions) -> None:
    # Imported here because it takes half a second, which only starts with migrations should take.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migration_environment"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(revisions.folder).replace("%", "%%"))
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(database), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except psycopg.Error as failed:
        raise _explained(failed, database) from failed
    finally:
        engine.dispose()


def _connect(database: Database) -> psycopg.Connection[tuple[object, ...]]:
    options = connection_options(database, name="lockstep migrate") | {"autocommit": False}
    return psycopg.connect(database.conninfo, **options)


def _explained(failed: psycopg.Error, database: Database) -> LockstepError:
    return invalid(
        f"The database {database.name} could not be upgraded",
        why=failed.diag.message_primary or type(failed).__name__,
        next_step="It is unchanged since the last complete step; correct the cause and start again",
    )
