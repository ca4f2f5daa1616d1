"""Databases that tests use one after the other, with open connections. Each is emptied before the next test gets it.

Making and dropping a database, and connecting to it, would cost more than most tests. A database in which a test changed more than rows is
not used again, nor is one that was analysed or had many rows: the planner would treat it differently from a new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from lockstep.postgres.cluster import SUPERUSER
from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer
from lockstep.postgres.pool import Pool, open_pool
from tests.support.databases import Databases

MOST_DELETED_ROWS = 3_000
MOST_FREE = 3  # each has connections
CATALOGS = (
    "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_trigger", "pg_proc", "pg_policy", "pg_rewrite", "pg_statistic",
)  # fmt: skip
IS_IN_USE = """select
    exists(select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle')
    or (
        select count(*) > %s from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    )
    or exists(
        select from pg_locks join pg_database on pg_database.oid = database
        where datname = current_database() and locktype = 'advisory'
    )"""
TABLES = (
    "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
)
SEQUENCES = "select schemaname || '.' || sequencename, start_value from pg_sequences"


def which_have_rows(tables: Iterable[str]) -> str:
    """Return a statement whose only row says of each of *tables* whether it has rows."""
    return "select " + ", ".join(f"exists(select from {name})" for name in tables)


class ReusedDatabase:
    """One of them. A test uses *database* and *pool*."""

    def __init__(self, server: EmbeddedServer, database: Database) -> None:
        self.database = database
        self._pools: dict[int, Pool] = {}
        self._deleted_rows = 0
        self._connection = psycopg.connect(
            server.database(database.name, role=SUPERUSER).conninfo,
            autocommit=True,
            options="-c lock_timeout=2s -c session_replication_role=replica",  # no triggers and no checks of foreign keys
            prepare_threshold=0,
        )
        tables = [str(row[0]) for row in self._rows(TABLES)]
        has_rows = dict(zip(tables, self._rows(which_have_rows(tables))[0], strict=True))
        self._first_rows = {name: self._content(name) for name in tables if has_rows[name]}
        self._tables = [name for name in tables if name not in self._first_rows]
        self._which_have_rows = which_have_rows(self._tables)
        self._restart_sequences = "select " + ", ".join(
            f"setval('{name}', {start}, false)" for name, start in self._rows(SEQUENCES)
        )
        began = self._rows("select pg_current_xact_id()::xid::text")[0][0]
        changed = f"bool_or(age(xmin) < age('{began}'::xid))"
        self._structure = " union all ".join(
            (
                *(f"select count(*), {changed} from {name}" for name in CATALOGS),
                f"select count(*), {changed} from pg_database where datname = current_database()",
                "select count(*), false from pg_class where relkind = 'r' and reltuples >= 0 and oid >= 16384",
                "select count(*), false from pg_db_role_setting join pg_database on oid = setdatabase where datname = current_database()",
            )
        )
        self._first_structure = self._rows(self._structure)

    async def pool(self, max_size: int) -> Pool:
        """The pool with this many connections; it is not closed after the test."""
        if max_size not in self._pools:
            self._pools[max_size] = await open_pool(self.database, max_size=max_size)
        return self._pools[max_size]

    def is_in_use(self) -> bool:
        """Whether more than our idle connections is there. The connections of the last test may still be ending. A worker of autovacuum
        does not count: it comes and goes by itself.
        """
        ours = 0
        for pool in self._pools.values():
            figures = pool.get_stats()
            ours += figures["pool_size"]
            if figures["pool_available"] < figures["pool_size"]:
                return True
        return bool(self._rows(IS_IN_USE, ours)[0][0])

    def empty(self) -> bool:
        """Delete what the last test wrote. Returns False if the database is not as it was when it was new."""
        if any(pool.closed for pool in self._pools.values()) or self._rows(self._structure) != self._first_structure:
            return False
        for name, has_rows in zip(self._tables, self._rows(self._which_have_rows)[0], strict=True):
            if has_rows:
                self._deleted_rows += self._connection.execute(f"delete from {name}".encode()).rowcount
        for name, text in self._first_rows.items():
            if self._content(name) != text:
                self._connection.execute(f"delete from {name}".encode())
                fill = f"insert into {name} select * from json_populate_recordset(null::{name}, %s)"
                self._connection.execute(fill.encode(), (text,))
        self._rows(self._restart_sequences)
        return self._deleted_rows < MOST_DELETED_ROWS

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()
        self._connection.close()

    def _content(self, table: str) -> str:
        return str(self._rows(f"select coalesce(json_agg(t order by t::text)::text, '') from {table} t")[0][0])

    def _rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        return self._connection.execute(statement.encode(), parameters or None).fetchall()


@dataclass
class ReusedDatabases:
    """Those that no test has at the moment, by package."""

    server: EmbeddedServer
    databases: Databases
    _free: dict[str, list[ReusedDatabase]] = field(default_factory=dict)

    @asynccontextmanager
    async def lend(self, package: str) -> AsyncIterator[ReusedDatabase]:
        """Lend a database with the tables of *package* and nothing else."""
        free = self._free.setdefault(package, [])
        one = await self._from(free) or ReusedDatabase(self.server, self.databases(package))
        yield one
        free.append(one)
        if len(free) > MOST_FREE:  # connections that are never given back
            await self._give_up(free, free[0])

    async def _from(self, free: list[ReusedDatabase]) -> ReusedDatabase | None:
        for one in list(free):
            with suppress(psycopg.Error):  # a test ended our connection, or holds a lock
                if one.is_in_use():
                    continue
                if one.empty():
                    free.remove(one)
                    return one
            await self._give_up(free, one)
        return None

    async def _give_up(self, free: list[ReusedDatabase], one: ReusedDatabase) -> None:
        free.remove(one)
        await one.close()
        self.databases.drop_later(one.database)

    async def close(self) -> None:
        for free in self._free.values():
            for one in free:
                await one.close()
