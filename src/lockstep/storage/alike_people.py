"""Count people in groups, so that they need not be read one by one. The people of a group have the same values in all attributes that a
scoping filter reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class AlikePeople:
    """People with the same values. *linked* holds the user principal names of those with a live account."""

    is_assigned: bool
    account_enabled: bool
    attributes: Mapping[str, Any]
    count: int
    linked: Sequence[str]


async def alike_people(
    connection: Connection, job: str, app: str, names: Sequence[str], *, everybody: bool
) -> list[AlikePeople]:
    """Group all people outside the recycle bin by the values of the attributes *names*.

    If *everybody* is false, unassigned people are grouped as if all these attributes were empty.
    """
    pairs = [sql.SQL("{0}, person.attributes -> {0}").format(sql.Literal(name)) for name in names]
    query = sql.SQL(
        """with assigned as (select distinct object_id as id from effective_assignment where app = %(app)s and kind = 'User'),
            linked as (select source_id as id from link where job = %(job)s and kind = 'User' and state = 'live')
        select assigned.id is not null as is_assigned, person.account_enabled,
            case when %(everybody)s or assigned.id is not null then jsonb_strip_nulls(jsonb_build_object({values}))
                else '{{}}' end as attributes,
            count(*), coalesce(array_agg(person.user_principal_name) filter (where linked.id is not null), '{{}}') as linked
        from person left join assigned on assigned.id = person.id left join linked on linked.id = person.id
        where person.deleted_at is null group by 1, 2, 3"""
    ).format(values=sql.SQL(", ").join(pairs))
    async with connection.cursor(row_factory=class_row(AlikePeople)) as cursor:
        await cursor.execute(query, {"app": app, "job": job, "everybody": everybody})
        return await cursor.fetchall()
