"""Count the recent writes in the journal that the guards limit. These are unapproved writes that end access, give privileges, empty values
or rename accounts.

Workers journal such writes one after the other, under a lock. A worker that counts under the same lock therefore misses no write, and all
later writes have a later time than the count.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from lockstep.engine.decisions.safeguards import Counts, Tally
from lockstep.postgres.pool import Connection
from lockstep.storage import locks
from lockstep.storage.batches import only_row
from lockstep.storage.journal import JournalEntry

_GUARDED = "(action in ('disable', 'delete') or ends_access or grants or empties or renames)"
_COUNTS = "state in ('planned', 'confirmed', 'ambiguous') and decision is null"


def is_guarded(entry: JournalEntry) -> bool:
    """Whether guards count *entry*. Approved writes do not count."""
    has_effect = entry.ends_access or entry.grants or entry.empties or entry.renames
    return entry.decision is None and (has_effect or entry.action in ("disable", "delete"))


async def lock_for_count(connection: Connection, job: str) -> datetime:
    """Wait for workers that are journalling guarded writes of *job*, and prevent new ones until this transaction ends. Returns the present
    time of the database. Every write that is journalled afterwards has a later time.
    """
    await locks.lock_count_of_guarded_writes(connection, job)
    at: datetime = (await only_row(await connection.execute("select clock_timestamp()")))[0]
    return at


async def has_guarded_since(connection: Connection, job: str, since: datetime, *, besides: Collection[int]) -> bool:
    """Whether an attempt other than those in *besides* has journalled a guarded write since *since*."""
    cursor = await connection.execute(
        f"""select exists (select from operation
            where job = %s and {_COUNTS} and {_GUARDED} and planned_at > %s and attempt <> all(%s::bigint[]))""",  # noqa: S608
        (job, since, list(besides)),
    )
    return bool((await only_row(cursor))[0])


async def guarded_counts(connection: Connection, job: str, *, cycle: int | None, besides: Collection[int]) -> Counts:
    """Return the counts that the guards need. The unapproved writes are counted for *cycle*, for the last hour and for the last 24 hours.
    Writes of the attempts in *besides* are left out.

    The number of links is counted too, including links that ended within the last 24 hours.
    """
    cursor = await connection.execute(
        f"""select part.name, sum(losses) as losses, sum(grants) as grants, sum(empties) as empties, sum(renames) as renames,
            sum(creates) as creates, sum(new_grants) as new_grants
        from (
            select (action in ('disable', 'delete') or ends_access)::integer as losses, grants::integer, empties::integer,
                renames::integer, (action = 'create')::integer as creates,
                (grants and action = 'create')::integer as new_grants,
                planned_at > now() - interval '1 hour' as in_hour, coalesce(cycle = %(cycle)s, false) as in_cycle
            from operation
            where job = %(job)s and {_COUNTS} and (action = 'create' or {_GUARDED})
                and planned_at > now() - interval '24 hours' and attempt <> all(%(besides)s::bigint[])
        ) as guarded,
        lateral (values ('cycle', in_cycle), ('hour', in_hour), ('day', true)) as part (name, counts)
        where part.counts group by part.name""",  # noqa: S608
        {"job": job, "cycle": cycle, "besides": list(besides)},
    )
    effects = [column.name for column in cursor.description or ()][1:]
    found = {
        str(name): Tally(**dict(zip(effects, map(int, numbers), strict=True)))
        for name, *numbers in await cursor.fetchall()
    }
    live = await connection.execute(
        """select count(*) from link where job = %s and state in ('live', 'disabled', 'tombstone')
            and (state <> 'tombstone' or coalesce(gone_at, updated_at) > now() - interval '24 hours')""",
        (job,),
    )
    cycle_tally, hour, day = (found.get(name, Tally()) for name in ("cycle", "hour", "day"))
    return Counts(cycle_tally, hour, day, int((await only_row(live))[0]))
