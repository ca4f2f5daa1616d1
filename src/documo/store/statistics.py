"""What PostgreSQL's planner knows of the tables, refreshed when they have outgrown it.

Without statistics it takes every index that begins with the tenant for equally good, and reads all people to find one by name. Autovacuum
looks only now and then, and a first synchronisation makes thousands of people in seconds: so whoever writes counts, and asks for it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from documo.store.database import Store

FIRST_ROWS, FACTOR = 200, 4
# All that conditions speak of, deleted_at above all, which stands in every one. Sampling documents would cost more than all the rest.
_TABLES = {
    "resources": "(tenant_id, id, kind, unique_name, external_id, display_name, active, created_at, last_modified, deleted_at)",
    "resource_search": "(tenant_id, id, kind)",
    "group_members": "",
}
_OUTGROWN = (
    "select relname from pg_class where oid = any(%s::regclass[])"
    " and pg_relation_size(oid) > 2 * relpages::bigint * current_setting('block_size')::int"
)


class Statistics:
    """Counts the rows that this process wrote; `run` must run for as long as it does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = 0
        self._next = FIRST_ROWS
        self._due = asyncio.Event()

    def wrote(self, rows: int) -> None:
        """Note new rows: the planner is told after 200, 800, 3,200 and so on."""
        self._rows += rows
        if self._rows >= self._next:
            self._next = self._rows * FACTOR
            self._due.set()

    async def run(self) -> None:
        """Refresh what is known whenever it is due, until cancelled. A database that is away is asked the next time."""
        while True:
            await self._due.wait()
            self._due.clear()
            with suppress(psycopg.Error, OSError):
                await self.refresh()

    async def refresh(self) -> list[str]:
        """Sample the tables that have more than doubled since the last time; their names."""
        async with self._store.control() as connection:
            cursor = await connection.execute(_OUTGROWN, (list(_TABLES),))
            names = [row[0] for row in await cursor.fetchall()]
            if names:
                await connection.execute("analyze " + ", ".join(name + _TABLES[name] for name in names))
        return names
