"""A PostgreSQL server that the administrator named with a URL.

Errors of the driver are never shown unchanged, because some of them quote the connection string.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from lockstep.errors import LockstepError, conflict, invalid, unreachable
from lockstep.postgres.database import Database, from_url
from lockstep.postgres.embedded import make_database

OLDEST_VERSION = 15
VARIABLES = {"lockstep": "DATABASE_URL", "documo": "DOCUMO_DATABASE_URL"}


def named_database(name: str, urls: Mapping[str, str]) -> Database | None:
    """Return the database *name* on the server that a URL names, or None if there is no URL for it. Checks that the server is reachable and
    recent enough, and that the database exists. Blocking.

    Without a separate URL, Documo gets the database `documo` on Lockstep's server. That database is created if it is missing and the role
    is allowed to create it. Raises LockstepError.
    """
    if name in urls:
        database = from_url(urls[name], variable=VARIABLES[name])
        _check(database, VARIABLES[name])
        return database
    if "lockstep" not in urls:
        return None
    first, variable = from_url(urls["lockstep"], variable="DATABASE_URL"), VARIABLES[name]
    _check(first, "DATABASE_URL")
    _make_beside(first, name, variable)
    return from_url(urls["lockstep"], variable="DATABASE_URL", name=name)


def _check(database: Database, variable: str) -> None:
    try:
        with psycopg.connect(database.conninfo, connect_timeout=10, autocommit=True) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.Error as refused:
        raise _explained(refused, database, variable) from None
    if version < OLDEST_VERSION:
        raise conflict(
            f"{variable} names PostgreSQL {version}; Lockstep needs {OLDEST_VERSION} or newer",
            next_step="Upgrade that server, use another one, or unset the variable to use the embedded PostgreSQL",
        )


def _explained(refused: psycopg.Error, database: Database, variable: str) -> LockstepError:
    text = str(refused)
    password = psycopg.conninfo.conninfo_to_dict(database.conninfo).get("password")
    if "password authentication failed" in text or "no password supplied" in text:
        return invalid(
            f"PostgreSQL refused the user name or password for {database.place}", next_step=f"Correct {variable}"
        )
    if "does not exist" in text and "database" in text:
        return invalid(
            f"There is no database {database.place}", next_step="Create it, or correct the name in " + variable
        )
    why = text.splitlines()[-1].strip() if text else ""
    if password and str(password) in why:
        why = ""
    return unreachable(
        f"Cannot reach the PostgreSQL server of {variable} ({database.place})",
        why=why,
        next_step="Check that it is running and accepts connections from this machine",
    )


def _make_beside(first: Database, name: str, variable: str) -> None:
    try:
        with psycopg.connect(first.conninfo, connect_timeout=10, autocommit=True) as connection:
            make_database(connection, name, role=connection.info.user)
    except psycopg.errors.InsufficientPrivilege:
        raise invalid(
            f"The role of DATABASE_URL is not allowed to create the database {name}",
            next_step=f"Create it (create database {name} owner ROLE), or set {variable} to another one",
        ) from None
