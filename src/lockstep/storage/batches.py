"""Many rows in one statement: they travel as one JSON document and are taken apart by PostgreSQL; and one row out of one.

Rows go out as `jsonb_to_recordset(%(rows)s)`; a NUL character cannot be stored, so it is refused at the door and never here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson
import psycopg

from lockstep.errors import Kind, LockstepError

ID_LENGTH = 36

Row = Mapping[str, Any]  # one row as a statement takes it


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """The parameter for `jsonb_to_recordset`; times and GUIDs are written as their text."""
    return orjson.dumps(list(rows), option=orjson.OPT_NON_STR_KEYS).decode()


def as_json(value: object) -> str:
    """The parameter for a single `jsonb` column."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def as_id(name: str) -> UUID | None:
    """What somebody wrote, as the id that it may be. Compared with an id column, so that its index is used."""
    try:
        return UUID(name) if len(name) == ID_LENGTH else None
    except ValueError:
        return None


async def only_row(
    cursor: psycopg.AsyncCursor[tuple[Any, ...]], missing: str = "A query gave no row"
) -> tuple[Any, ...]:
    """The row of a statement that always has one. Raises LockstepError, saying *missing*, when it has none."""
    row = await cursor.fetchone()
    if row is None:
        raise LockstepError(Kind.INTERNAL, missing)
    return row
