"""Dump a database to a file, and load such a file into an empty database, with PostgreSQL's own programs.

A dump is consistent even while servers and workers run, because pg_dump reads one snapshot. It has PostgreSQL's custom format, so
`pg_restore` can load it into any server.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import psycopg

from lockstep.errors import CHECK_READING, CHECK_WRITING, Kind, LockstepError, invalid
from lockstep.postgres.database import Database
from lockstep.postgres.identity import plain_environment
from lockstep.postgres.programs import wheel_programs

MARK = b"PGDMP"


def dump(database: Database, file: Path) -> int:
    """Write *database* into *file*, completely or not at all, readable only by its owner. Returns the size in bytes. Blocking.

    Raises LockstepError if *file* exists or cannot be written.
    """
    if file.exists():
        raise invalid(f"{file} already exists", next_step="Choose a new file; a backup is never overwritten")
    try:
        number, half = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    except OSError as refused:
        raise invalid(f"{file} cannot be written", why=refused.strerror or "", next_step=CHECK_WRITING) from None
    try:
        with os.fdopen(number, "wb") as out:
            _run("pg_dump", ["-Fc", "-d", database.conninfo], stdout=out.fileno(), what=f"{file} was not written")
            os.fsync(number)
            size = os.fstat(number).st_size
        Path(half).replace(file)
    finally:
        Path(half).unlink(missing_ok=True)
    return size


def check_dump(file: Path) -> None:
    """Raise LockstepError if *file* cannot be read or was not written by `dump`."""
    try:
        with file.open("rb") as head:
            is_dump = head.read(len(MARK)) == MARK
    except OSError as refused:
        raise invalid(f"{file} cannot be read", why=refused.strerror or "", next_step=CHECK_READING) from None
    if not is_dump:
        raise invalid(f"{file} is not a backup", next_step="Use a file written by lockstep backup")


def is_empty(database: Database) -> bool:
    """Whether *database* has never been set up."""
    with psycopg.connect(database.conninfo) as connection:
        found = connection.execute("select to_regclass('alembic_version') is null").fetchone()
    return bool(found and found[0])


def clear(database: Database) -> None:
    """Remove everything from *database*, which an interrupted restore may have left incomplete."""
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")


def load(database: Database, file: Path) -> None:
    """Load *file* into the empty *database*, completely or not at all. Blocking. Raises LockstepError if *file* is not a dump or cannot be
    restored.
    """
    check_dump(file)
    arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "-d", database.conninfo]
    _run("pg_restore", [*arguments, str(file)], stdout=subprocess.DEVNULL, what=f"{file} could not be restored")


def _run(program: str, arguments: list[str], *, stdout: int, what: str) -> None:
    command = [str(wheel_programs().bin / program), *arguments]
    done = subprocess.run(
        command, env=plain_environment(), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise LockstepError(
            Kind.INTERNAL,
            what,
            why=lines[-1] if lines else f"{program} exited with {done.returncode}",
            next_step="Remove the cause, then run the command again",
        )
