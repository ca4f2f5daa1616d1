"""Transactions that PostgreSQL rolled back because others were in their way. They are run again: nothing of them took effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

UNDONE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
TRIES = 3

T = TypeVar("T")


async def until_done(transaction: Callable[[], Awaitable[T]]) -> T:
    """Run *transaction*, and run it again if PostgreSQL rolls it back because of a deadlock or a serialization failure. Raises the error of
    the last of TRIES tries.

    *transaction* must have no effect outside its one transaction.
    """
    for _ in range(TRIES - 1):
        try:
            return await transaction()
        except UNDONE:
            continue
    return await transaction()
