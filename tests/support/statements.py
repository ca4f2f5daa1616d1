"""Count the statements that this process sends to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The statements sent within the block, by any connection of this process."""
    sent: list[str] = []
    execute: Any = psycopg.AsyncCursor.execute

    async def counting(cursor: Any, query: Any, *given: Any, **named: Any) -> Any:
        sent.append(query if isinstance(query, str) else query.as_string(None))
        return await execute(cursor, query, *given, **named)

    psycopg.AsyncCursor.execute = counting  # type: ignore[assignment, method-assign]
    try:
        yield sent
    finally:
        psycopg.AsyncCursor.execute = execute  # type: ignore[method-assign]
