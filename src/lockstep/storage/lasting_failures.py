"""The facts about a job that the job's notifications report: the reasons of lasting failures, and the number of held writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class LastingReason:
    """Objects of one job that have been failing for some time with the same error. *reason* and *next_step* come from one of the objects.
    *names* are the names and identifiers of that object.
    """

    code: str
    count: int
    reason: str
    next_step: str
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class HeldTotal:
    """The number of a job's writes that wait for a decision. *losses* counts the writes that disable or delete an account. *newest_at* is
    None if no write waits.
    """

    total: int
    losses: int
    newest_at: datetime | None


async def read_reasons(connection: Connection, job: str, *, lasting: timedelta) -> list[LastingReason]:
    """Return the reasons of all objects that have failed for longer than *lasting*, most frequent first. Objects with a held write do not
    count.
    """
    async with connection.cursor(row_factory=class_row(LastingReason)) as cursor:
        await cursor.execute(
            """select coalesce(last_error ->> 'code', '') as code, count(*)::int as count,
                coalesce((array_agg(last_error ->> 'reason' order by dirty.source_id))[1], '') as reason,
                coalesce((array_agg(last_error ->> 'nextStep' order by dirty.source_id))[1], '') as next_step,
                array_remove((array_agg(link.display order by dirty.source_id))[1:1]
                    || (array_agg(link.target_id order by dirty.source_id))[1:1]
                    || (array_agg(person.user_principal_name order by dirty.source_id))[1:1]
                    || (array_agg(person.attributes ->> 'displayName' order by dirty.source_id))[1:1]
                    || (array_agg(person.attributes ->> 'givenName' order by dirty.source_id))[1:1]
                    || (array_agg(person.attributes ->> 'surname' order by dirty.source_id))[1:1]
                    || (array_agg(grp.display_name order by dirty.source_id))[1:1], null) as names
            from dirty
            left join link on link.job = dirty.job and link.kind = dirty.kind and link.source_id = dirty.source_id
            left join person on dirty.kind = 'User' and person.id = dirty.source_id
            left join grp on dirty.kind = 'Group' and grp.id = dirty.source_id
            where dirty.job = %s and failures > 0 and first_failed_at < now() - %s::interval
                and not exists (select from operation where operation.job = dirty.job and operation.kind = dirty.kind
                    and operation.source_id = dirty.source_id and operation.state = 'held')
            group by 1 order by 2 desc, 1""",
            (job, lasting),
        )
        return await cursor.fetchall()


async def count_held(connection: Connection, job: str) -> HeldTotal:
    cursor = await connection.execute(
        """select count(*), count(*) filter (where action in ('disable', 'delete')), max(planned_at)
        from operation where job = %s and state = 'held'""",
        (job,),
    )
    return HeldTotal(*await only_row(cursor))
