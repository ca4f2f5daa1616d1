"""Refresh the statistics of PostgreSQL's planner when tables have grown.

Without statistics, the planner considers every index that begins with the tenant equally good, and may read all people to find one by name.
Autovacuum runs too rarely for a first synchronisation, which creates thousands of people in seconds. Code that writes rows therefore counts
them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from documo.store.database import Store

FIRST_ROWS, FACTOR = 200, 4
# The columns that conditions use, above all deleted_at, which every condition uses. Sampling documents would cost more than all others.
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
    """Counts the rows that this process writes. The task `run` refreshes the statistics when enough rows have been written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = 0
        self._next = FIRST_ROWS
        self._due = asyncio.Event()

    def wrote(self, rows: int) -> None:
        """Count new rows. The first refresh is due when 200 rows have been written. After that, a refresh is due each time the number of
        rows has grown fourfold.
        """
        self._rows += rows
        if self._rows >= self._next:
            self._next = self._rows * FACTOR
            self._due.set()

    async def run(self) -> None:
        """Refresh the statistics whenever a refresh is due, until cancelled. If the database is unreachable, wait until the next refresh is
        due.
        """
        while True:
            await self._due.wait()
            self._due.clear()
            with suppress(psycopg.Error, OSError):
                await self.refresh()

    async def refresh(self) -> list[str]:
        """Analyze the tables that have more than doubled since the last refresh. Returns their names."""
        async with self._store.control() as connection:
            cursor = await connection.execute(_OUTGROWN, (list(_TABLES),))
            names = [row[0] for row in await cursor.fetchall()]
            if names:
                await connection.execute("analyze " + ", ".join(name + _TABLES[name] for name in names))
        return names
