"""Send several statements to PostgreSQL in one round trip, restricted to one tenant's rows.

Without BEGIN, the statements between two syncs of a pipeline are one implicit transaction: either all of them take effect, or none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg.sql import Composed

from documo.store.database import SET_BOTH, Store
from lockstep.postgres.pool import Connection, pipeline

Statement = tuple[str | Composed, Sequence[Any] | dict[str, Any]]
Rows = list[tuple[Any, ...]]

LONGEST_PREPARED = 8_192  # bytes: the driver keeps the text of prepared statements, and a filter may be very long
LARGEST_KEPT = 1024 * 1024  # bytes: a connection that has sent more is closed, because its buffer never shrinks


async def one_trip(store: Store, tenant_id: int, statements: Sequence[Statement], *, actor: str = "") -> list[Rows]:
    """Run *statements* as one transaction of the tenant, in one round trip. Returns the rows of each. For *actor*, see `actors`."""
    if store.is_rehearsal:
        async with open_transaction(store, tenant_id, actor=actor) as transaction:
            return await transaction.send(*statements, commit=True)
    async with store.connection() as connection:
        try:
            return await _send(connection, [(SET_BOTH, (str(tenant_id), actor)), *statements], skip=1)
        finally:
            if _size(statements) > LARGEST_KEPT:
                await connection.close()


class Transaction:
    """An open transaction of a tenant; each call of `send` is one round trip."""

    def __init__(self, store: Store, connection: Connection, tenant_id: int, actor: str) -> None:
        self._store = store
        self._connection = connection
        self._opening: list[Statement] = [(store.begin, ()), (SET_BOTH, (str(tenant_id), actor))]
        self.is_open = False
        self.largest = 0  # bytes, of one round trip

    async def send(self, *statements: Statement, commit: bool = False) -> list[Rows]:
        """Run *statements*. Returns the rows of each. With *commit*, the transaction ends in the same round trip."""
        opening, self._opening = self._opening, []
        closing: list[Statement] = [(self._store.commit, ())] if commit else []
        self.is_open = True
        self.largest = max(self.largest, _size(statements))
        rows = await _send(self._connection, [*opening, *statements, *closing], skip=len(opening))
        self.is_open = not commit
        return rows[: len(statements)]


@asynccontextmanager
async def open_transaction(store: Store, tenant_id: int, *, actor: str = "") -> AsyncIterator[Transaction]:
    """Provide a transaction that begins with its first `send` and is rolled back unless it was committed. For *actor*, see `actors`."""
    async with store.connection() as connection:
        transaction = Transaction(store, connection, tenant_id, actor)
        try:
            yield transaction
        finally:
            if transaction.is_open and not connection.closed:
                await connection.execute(store.undo)
            if transaction.largest > LARGEST_KEPT and not store.is_rehearsal:
                await connection.close()


async def _send(connection: Connection, statements: Sequence[Statement], *, skip: int) -> list[Rows]:
    cursors = []
    async with pipeline(connection):
        for statement, parameters in statements:
            cursor = connection.cursor()
            # Asking for `str` is cheap; Composed is an abstract base class, which runs Python code for each check.
            text = statement if isinstance(statement, str) else statement.as_bytes(connection)
            await cursor.execute(text, parameters or None, prepare=None if len(text) <= LONGEST_PREPARED else False)
            cursors.append(cursor)
    return [await cursor.fetchall() if cursor.description else [] for cursor in cursors[skip:]]


def _size(statements: Sequence[Statement]) -> int:
    """Return the approximate size in bytes of the values sent. Only strings are counted, because only strings can be long."""
    values = (
        value
        for _, parameters in statements
        for value in (parameters.values() if isinstance(parameters, dict) else parameters)
    )
    return sum(len(value) for value in values if isinstance(value, str | bytes))
