"""The waiting objects in the dirty set: when they are due, for which jobs, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


async def seconds_until_due(connection: Connection, job: str) -> float | None:
    """Return the seconds until an object of *job* can be claimed, or 0 if one can be claimed now. Returns None if no object becomes due
    within two minutes.
    """
    cursor = await connection.execute(
        """select case when min(due) <= now() then 0 else extract(epoch from min(due) - now()) end
        from dirty, greatest(not_before, coalesce(lease_until, '-infinity')) as due
        where job = %s and not_before < 'infinity' and not_before < now() + interval '2 minutes'""",
        (job,),
    )
    seconds = (await only_row(cursor))[0]
    return None if seconds is None else max(0.0, float(seconds))


@dataclass(frozen=True, slots=True)
class Backlog:
    """The numbers of a job's waiting objects, by what they wait for.

    *escrowed* counts failed objects, whether they will be retried or were given up. *leavers* counts the escrowed objects whose access
    should have ended. *scheduled* counts people without an account who may get one on a future date. *slowed* counts objects that a
    quarantine postponed before they had failed. *waiting* counts all other objects, but not those that become due only when something
    changes or a person decides.

    *leased* counts the objects that are being processed now. The other numbers may include them.
    """

    waiting: int
    escrowed: int
    scheduled: int
    slowed: int
    leavers: int
    leased: int


NO_BACKLOG = Backlog(0, 0, 0, 0, 0, 0)


async def backlogs(connection: Connection, jobs: Sequence[str]) -> dict[str, Backlog]:
    """Return the backlog of each of *jobs*."""
    cursor = await connection.execute(
        """select job, count(*) filter (where failures = 0 and not_before < 'infinity' and not is_scheduled and not is_slowed),
            count(*) filter (where failures > 0), count(*) filter (where is_scheduled),
            count(*) filter (where is_slowed and failures = 0), count(*) filter (where failures > 0 and lane = 1),
            count(*) filter (where lease_until > now())
        from dirty,
            lateral (select not_before > now() and coalesce(resume ->> 'stage' = 'scheduled', false) as is_scheduled,
                not_before > now() and coalesce(resume ? 'isSlowed', false) as is_slowed) as why
        where job = any(%s) group by job""",
        (list(jobs),),
    )
    found = {row[0]: Backlog(*row[1:]) for row in await cursor.fetchall()}
    return {job: found.get(job, NO_BACKLOG) for job in jobs}


async def jobs_with_due_work(connection: Connection) -> list[str]:
    """Return the jobs that have work. A job has work if one of its objects can be claimed within 30 seconds, or if a running cycle must
    still be prepared or ended. Only jobs that are switched on or apply a preview are returned.

    A job in quarantine because of its connection (EncounteredQuarantineException) is left out until its next attempt.
    """
    cursor = await connection.execute(
        """select id from job
        where started and (status = 'on'
                or exists (select from cycle where cycle.job = job.id and state = 'running' and preview is not null))
            and (quarantine is null or (quarantine ->> 'nextAttempt')::timestamptz <= now()
                or quarantine ->> 'reason' <> 'EncounteredQuarantineException')
            and (
                exists (select from dirty where dirty.job = job.id
                    and not_before <= now() + interval '30 seconds' and (lease_until is null or lease_until < now()))
                -- A running cycle needs work even without dirty rows: to mark its objects, or to end.
                or exists (select from cycle where cycle.job = job.id and state = 'running' and kind <> 'onDemand')
            )"""
    )
    return [row[0] for row in await cursor.fetchall()]
