"""Databases on a shared test server: empty, with the tables of a package, or a copy of another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import psycopg
from psycopg import sql

from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer
from lockstep.postgres.migrate import migrate

_numbers = count(1)


class Databases:
    """Creates databases and keeps them until they are dropped."""

    def __init__(
        self,
        server: EmbeddedServer,
        administrator: psycopg.Connection[tuple[object, ...]],
        templates: dict[str, str] | None = None,
        left: list[str] | None = None,
    ) -> None:
        self._server, self._administrator = server, administrator
        self._templates = templates if templates is not None else {}
        self._made: list[str] = []
        self._left = left if left is not None else []  # of the previous test

    def __call__(self, package: str = "", *, role: str = "") -> Database:
        """An empty database, or one with the tables of *package*, migrated once and then copied. *role* owns it."""
        owner = role or ("documo" if package.startswith("documo") else "lockstep")
        if package and package not in self._templates:
            template = self._create(owner, "template0")
            with ThreadPoolExecutor(1) as thread:  # an async test that calls this has a running loop in its own thread
                thread.submit(asyncio.run, migrate(self._server.database(template, role=owner), package)).result()
            self._templates[package] = template
        return self._new(owner, self._templates[package] if package else "template0")

    def copy(self, database: Database, *, role: str) -> Database:
        """A copy of *database*, which must have no connections."""
        return self._new(role, database.name)

    @contextmanager
    def for_a_while(self) -> Iterator[Databases]:
        """Yield an object that creates databases. They are dropped only when the next block of this kind ends.

        PostgreSQL sleeps for a tenth of a second if it drops a database that has connections, and the connections of this test may not have
        ended yet.
        """
        some = Databases(self._server, self._administrator, self._templates, self._left)
        yield some
        for name in self._left:
            self._administrator.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
        self._left[:] = some._made

    def drop_later(self, database: Database) -> None:
        """Drop *database* when the next block of `for_a_while` ends."""
        self._left.append(database.name)

    def _new(self, owner: str, template: str) -> Database:
        name = self._create(owner, template)
        self._made.append(name)
        return self._server.database(name, role=owner)

    def _create(self, owner: str, template: str) -> str:
        name = f"test_{next(_numbers)}"
        # `file_copy` takes half the time of `wal_log`: nothing here is flushed to a disk.
        statement = sql.SQL("create database {} owner {} template {} strategy file_copy")
        self._administrator.execute(statement.format(*map(sql.Identifier, (name, owner, template))))
        return name
