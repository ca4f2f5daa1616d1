"""A cycle ends while somebody restarts the job."""

from __future__ import annotations

import asyncio

from lockstep.postgres.pool import transaction
from lockstep.storage import cycles, jobs
from lockstep.sync.cycle import frame
from tests.support.sync_world import World
from tests.support.waiting import until


async def test_end_of_a_cycle_and_a_restart_lock_in_the_same_order(world: World) -> None:
    await world.start()
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    await world.rows("update cycle set phase = 'write' where state = 'running' returning 1")

    async def closing_waits() -> bool:
        return bool(
            await world.value(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            )
        )

    async with transaction(world.pool) as connection:
        await jobs.lock_job(connection, world.job)
        closing = asyncio.create_task(frame.close(world.services, job))
        await until(closing_waits)
        await cycles.cancel(connection, world.job, state="cancelled")
    await closing

    assert await world.value("select state from cycle") == "cancelled"
