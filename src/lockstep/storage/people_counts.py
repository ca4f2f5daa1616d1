"""The number of people in each state, and the names of the departments, for the filters of a list."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg import sql

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.people import PersonFilter, conditions_of


@dataclass(frozen=True, slots=True)
class PersonCounts:
    """The numbers of matching people by state. *live* counts people outside the recycle bin."""

    live: int
    enabled: int
    disabled: int
    deleted: int


async def count_states(connection: Connection, wanted: PersonFilter) -> PersonCounts:
    """Count the matching people in each state, reading the table once. The state and the page in *wanted* are ignored."""
    conditions, parameters = conditions_of(replace(wanted, is_deleted=None, is_enabled=None, after=""))
    query = sql.SQL(
        """select count(*) filter (where deleted_at is null), count(*) filter (where deleted_at is null and account_enabled),
            count(*) filter (where deleted_at is null and not account_enabled), count(*) filter (where deleted_at is not null)
        from person where {}"""
    ).format(sql.SQL(" and ").join(conditions))
    return PersonCounts(*await only_row(await connection.execute(query, parameters)))


async def departments(connection: Connection) -> list[str]:
    """Return the departments of all people outside the recycle bin, sorted by name."""
    cursor = await connection.execute(
        """select min(department) from (select attributes->>'department' as department from person where deleted_at is null) as named
        where department <> '' group by lower(department) order by lower(department)"""
    )
    return [row[0] for row in await cursor.fetchall()]
