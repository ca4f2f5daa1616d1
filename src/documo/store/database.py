"""Connections and transactions of Documo's database.

A tenant's rows are visible only inside `tenant(...)`, which sets the tenant for the transaction; row-level security hides all other rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import psycopg

from documo.settings import DocumoSettings
from lockstep.postgres.database import Database
from lockstep.postgres.migrate import migrate
from lockstep.postgres.pool import Connection, Pool, connection_options, open_pool, transaction
from lockstep.postgres.server import running, start_or_attach

PACKAGE = "documo.migrations"
DATABASE = "documo"
SET_TENANT = "select set_config('documo.tenant', %s, true)"
SET_ACTOR = "select set_config('documo.actor', %s, true)"
SET_BOTH = "select set_config('documo.tenant', %s, true), set_config('documo.actor', %s, true)"


class Store:
    """The connection pool, and the two kinds of transactions.

    The audit log records *actor* as the author of the changes made in these transactions; see `actors`.
    """

    is_rehearsal = False
    begin, commit, undo = "begin", "commit", "rollback"

    def __init__(self, pool: Pool, database: Database, actor: str = "") -> None:
        self.pool = pool
        self.database = database
        self.actor = actor

    def acting_as(self, actor: str) -> Store:
        """Return a store with the same connection pool, whose changes are recorded as made by *actor*."""
        return Store(self.pool, self.database, actor)

    @asynccontextmanager
    async def tenant(self, tenant_id: int) -> AsyncIterator[Connection]:
        """Open a transaction that sees the rows of one tenant."""
        async with transaction(self.pool) as connection:
            await connection.execute(SET_BOTH, (str(tenant_id), self.actor))
            yield connection

    @asynccontextmanager
    async def control(self) -> AsyncIterator[Connection]:
        """Open a transaction on accounts, keys and domains. It sees no rows of tenants."""
        async with transaction(self.pool) as connection:
            if self.actor:
                await connection.execute(SET_ACTOR, (self.actor,))
            yield connection

    async def notices(self, channel: str) -> AsyncIterator[str]:
        """Yield "" when listening begins, then the text of each notice on *channel* (one of our constants), until the connection is
        lost.
        """
        options = connection_options(self.database, name=channel.replace("_", " "))
        with suppress(psycopg.Error, OSError):
            async with await psycopg.AsyncConnection.connect(self.database.conninfo, **options) as connection:
                await connection.execute(f"listen {channel}")
                yield ""
                async for notice in connection.notifies():
                    yield notice.payload

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Provide a connection, for `round_trip`."""
        return self.pool.connection()


class DatabaseRehearsal(Store):
    """A store whose round trips run inside one transaction, which is rolled back at the end. `tenant` and `control` still open transactions
    of their own.
    """

    is_rehearsal = True
    begin, commit, undo = "savepoint step", "release savepoint step", "rollback to savepoint step"

    def __init__(self, store: Store, connection: Connection) -> None:
        super().__init__(store.pool, store.database)
        self._connection = connection
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self._turn:
            yield self._connection


@asynccontextmanager
async def rehearsing(store: Store) -> AsyncIterator[DatabaseRehearsal]:
    """Provide a store for the block. When the block ends, all changes that were made in round trips of this store are rolled back."""
    async with store.pool.connection() as connection:
        await connection.execute("begin")
        try:
            yield DatabaseRehearsal(store, connection)
        finally:
            await connection.rollback()


@asynccontextmanager
async def open_store(database: Database, *, max_size: int = 8, upgrades: bool = True) -> AsyncIterator[Store]:
    """Open the store of a migrated database. Unless *upgrades* is true, a database of an older version is refused."""
    await migrate(database, PACKAGE, upgrade_with="" if upgrades else "documo serve")
    pool = await open_pool(database, min_size=1, max_size=max_size, name="documo")
    try:
        yield Store(pool, database)
    finally:
        await pool.close()


@asynccontextmanager
async def running_store(settings: DocumoSettings, *, main: bool, max_size: int = 8) -> AsyncIterator[Store]:
    """Open the store of the data folder or server in *settings*. The embedded server is started, or attached to if it is running."""
    async with running(
        start_or_attach(settings.data, main=main, product="documo", databases=(DATABASE,), urls=settings.urls)
    ) as server:
        async with open_store(server.database(DATABASE), max_size=max_size, upgrades=main) as store:
            yield store
