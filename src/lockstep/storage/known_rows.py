"""What the directory knows of the rows that a source sends, whichever table they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class KnownRow:
    """What the directory knows of an anchor that a source named. *is_same*: the row is the one that was read last time."""

    anchor: str
    id: str
    is_same: bool


async def known_rows(
    connection: Connection, table: Literal["person", "grp"], source: str, hashes: Mapping[str, bytes]
) -> dict[str, KnownRow]:
    """By anchor, those of *hashes* (anchor to hash of the source's row) that the directory knows, deleted ones too."""
    statement = sql.SQL(
        """select known.anchor, known.id::text, coalesce(known.row_hash = wanted.hash, false) as is_same
        from unnest(%s::text[], %s::bytea[]) as wanted (anchor, hash)
        join {table} as known on known.source = %s and known.anchor = wanted.anchor"""
    ).format(table=sql.Identifier(table))
    async with connection.cursor(row_factory=class_row(KnownRow)) as cursor:
        await cursor.execute(statement, (list(hashes), list(hashes.values()), source))
        return {row.anchor: row for row in await cursor.fetchall()}
