"""Send many rows to PostgreSQL in one statement, as one JSON document.

Statements unpack it with `jsonb_to_recordset(%(rows)s)`. A row is a mapping, or a dataclass whose fields are named like the columns.
PostgreSQL cannot store a NUL character: input is checked where it enters, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson
import psycopg

from lockstep.errors import Kind, LockstepError

ID_LENGTH = 36

Row = Mapping[str, Any]  # one row as a parameter of a statement; callers of storage pass dataclasses


def as_rows(rows: Iterable[object]) -> str:
    """Return the parameter for `jsonb_to_recordset`. Times and GUIDs are written as text."""
    return orjson.dumps(list(rows), option=orjson.OPT_NON_STR_KEYS).decode()


def as_json(value: object) -> str:
    """Return the parameter for a single `jsonb` column."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def as_id(name: str) -> UUID | None:
    """Return *name* as a GUID, or None if *name* is not one. PostgreSQL uses the index of an id column only for a GUID."""
    try:
        return UUID(name) if len(name) == ID_LENGTH else None
    except ValueError:
        return None


async def only_row(
    cursor: psycopg.AsyncCursor[tuple[Any, ...]], missing: str = "A statement that must return a row returned none"
) -> tuple[Any, ...]:
    """Return the row of a statement that must return one. Raises LockstepError with the text *missing* if there is no row."""
    row = await cursor.fetchone()
    if row is None:
        raise LockstepError(Kind.INTERNAL, missing)
    return row
