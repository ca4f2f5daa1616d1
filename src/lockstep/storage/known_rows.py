"""Look up which objects of the directory belong to the rows of a source. The same statements serve people and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class KnownRow:
    """The object that belongs to an anchor of a source. *is_same* is true if the row has not changed since the last import."""

    anchor: str
    id: str
    is_same: bool


async def known_rows(
    connection: Connection, table: Literal["person", "grp"], source: str, hashes: Mapping[str, bytes]
) -> dict[str, KnownRow]:
    """Return objects of *source* by anchor, including those in the recycle bin. *hashes* maps each wanted anchor to the hash of its row in
    the source.
    """
    statement = sql.SQL(
        """select known.anchor, known.id::text, coalesce(known.row_hash = wanted.hash, false) as is_same
        from unnest(%s::text[], %s::bytea[]) as wanted (anchor, hash)
        join {table} as known on known.source = %s and known.anchor = wanted.anchor"""
    ).format(table=sql.Identifier(table))
    async with connection.cursor(row_factory=class_row(KnownRow)) as cursor:
        await cursor.execute(statement, (list(hashes), list(hashes.values()), source))
        return {row.anchor: row for row in await cursor.fetchall()}
