"""Simulate the passing of time: every recorded time is moved into the past, so nobody waits.

A day of sweeps, drains and scheduled cycles then takes only as long as their work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from lockstep.postgres.pool import Pool, transaction
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.services import Services, Times
from lockstep.sync.turns import Clock
from lockstep.sync.worker.tasks import run_schedule
from tests.support.sync_world import World

SWEEP = timedelta(seconds=10)  # pause when there is nothing to wait for
# Pauses as in production, which no test waits for. Between the cycles there is time to see what happens without one.
IN_NO_TIME = Times(longest_wait_seconds=0.0, search_lag_seconds=0.01, cycle_interval=timedelta(days=1))

# When the job can continue, and the first thing to do then.
_SECONDS = """
select extract(epoch from least(
    greatest(
        (select min(not_before) from dirty where not_before < 'infinity' and not_before > '-infinity'),
        (select max(not_before) from target_state),
        case when quarantine ->> 'reason' = 'EncounteredQuarantineException' then (quarantine ->> 'nextAttempt')::timestamptz end
    ),
    next_cycle_at
) - now()) from job where id = %s
"""


async def pass_time(world: World, by: timedelta) -> None:
    async with transaction(world.pool) as connection:
        for statement in (
            "update dirty set not_before = not_before - %(by)s, first_failed_at = first_failed_at - %(by)s",
            "update target_state set not_before = not_before - %(by)s, tokens_at = tokens_at - %(by)s",
            "update operation set planned_at = planned_at - %(by)s",
            """update job set next_cycle_at = next_cycle_at - %(by)s, last_probe_at = last_probe_at - %(by)s,
                quarantine = jsonb_set(quarantine, '{nextAttempt}',
                    to_jsonb((quarantine ->> 'nextAttempt')::timestamptz - %(by)s::interval))""",
        ):
            await connection.execute(statement, {"by": by})


@dataclass
class PassingClock:
    """A clock on which a wait takes no real time. The application's request budget refills as if the time had passed."""

    pool: Pool
    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        async with transaction(self.pool) as connection:
            await connection.execute(
                "update target_state set tokens_at = tokens_at - %s * interval '1 second'", (seconds,)
            )

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.sleep)


async def new_process(world: World, times: Times = IN_NO_TIME) -> None:
    """Run the schedule and one drain as a new process does, with nothing in memory."""
    services = Services(world.pool, world.services.vault, world.services.opener, world.drive.wake, times=times)
    await run_schedule(services, world.drive)
    await drain_job(services, world.drive, world.job)


async def live(world: World, how_long: timedelta, count: Callable[[], int], *, most: int) -> list[timedelta]:
    """Let *how_long* pass; returns the time of each request that *count* counts. Ends early after more than *most* requests."""
    now, came = timedelta(0), list[timedelta]()
    while now < how_long and len(came) <= most:
        before = count()
        await new_process(world)
        came += [now] * (count() - before)
        seconds = await world.value(_SECONDS, world.job)
        step = max(SWEEP, timedelta(seconds=float(seconds or 0) + 0.01))
        await pass_time(world, step)
        now += step
    return came
