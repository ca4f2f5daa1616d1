"""A store whose changes are rolled back at the end of a block, so that every case of a test begins with the same rows.

async with rolled_back(store) as one:
    ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from documo.store.database import SET_BOTH, Store
from lockstep.postgres.pool import Connection


class OneTransactionStore(Store):
    """Runs every transaction as a savepoint of one transaction. In all of them, `now()` is therefore the same time."""

    def __init__(
        self, store: Store, connection: Connection, actor: str = "", set_now: list[tuple[str, str]] | None = None
    ) -> None:
        super().__init__(store.pool, store.database, actor)
        self._connection = connection
        self._set_now = [] if set_now is None else set_now  # tenant and actor of each transaction that is open

    def acting_as(self, actor: str) -> Store:
        return OneTransactionStore(self, self._connection, actor, self._set_now)

    @asynccontextmanager
    async def tenant(self, tenant_id: int) -> AsyncIterator[Connection]:
        async with self._step(str(tenant_id)) as connection:
            yield connection

    @asynccontextmanager
    async def control(self) -> AsyncIterator[Connection]:
        async with self._step("") as connection:
            yield connection

    @asynccontextmanager
    async def _step(self, tenant: str) -> AsyncIterator[Connection]:
        async with self._connection.transaction():
            await self._connection.execute(SET_BOTH, (tenant, self.actor))
            self._set_now.append((tenant, self.actor))
            try:
                yield self._connection
            finally:
                self._set_now.pop()
        if self._set_now:  # a savepoint that is released keeps what was set in it
            await self._connection.execute(SET_BOTH, self._set_now[-1])


@asynccontextmanager
async def rolled_back(store: Store) -> AsyncIterator[Store]:
    async with store.pool.connection() as connection, connection.transaction(force_rollback=True):
        yield OneTransactionStore(store, connection)
