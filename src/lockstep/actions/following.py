"""Follow a cycle until it ends, and do its work in this process if no worker runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services
from lockstep.actions.permissions import Permission
from lockstep.actions.status import show_cycle
from lockstep.errors import Kind, LockstepError, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import cycles, jobs, target_state
from lockstep.storage.cycles import Cycle
from lockstep.storage.jobs import JobRow
from lockstep.sync.cycle.judging import is_attempt_due, is_held
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drive import Drive

_POLL_SECONDS = 0.1
_HELP_AGAIN_SECONDS = 1.0
_WORKER_SILENT_SECONDS = 15.0


@needs(Permission.APPLICATIONS_READ, app="app")
async def follow_cycle(context: Context, app: str, number: int, *, helps: bool = True) -> AsyncIterator[Cycle]:
    """Yield the application's cycle with this *number* whenever the cycle has changed, as `follow` does. If *helps* is false and no worker
    is running, reports that the cycle waits for a worker.
    """
    cycle = await show_cycle(context, app, number)
    if not helps:
        async with context.reading() as connection:
            is_alone = not await jobs.has_live_worker(connection, silent_seconds=_WORKER_SILENT_SECONDS)
        if is_alone:
            context.say("No worker is running, so the cycle waits. Start one on the server's machine: lockstep worker")
    async with aclosing(follow(context, cycle, helps=helps)) as states:
        async for state in states:
            yield state


@needs(Permission.APPLICATIONS_READ, filters=True)
async def follow(context: Context, cycle: Cycle, *, helps: bool = True) -> AsyncGenerator[Cycle, None]:
    """Yield the cycle whenever it has changed, until it has ended.

    If *helps* is true and no worker has sent a heartbeat lately, this process does the work itself. Raises LockstepError if the job is
    paused or in quarantine, because the cycle does not end then.
    """
    async with context.reading() as connection:
        row = await jobs.read_job(connection, cycle.job)
    if row is not None and not context.actor.may(Permission.APPLICATIONS_READ, row.app):
        raise not_found(f"Unknown cycle {cycle.id}")
    helper: asyncio.Task[None] | None = None
    helped_at = 0.0
    last: Cycle | None = None
    told = ""
    try:
        while True:
            async with context.pool.connection() as connection:
                # The job first: the end of a cycle that applies a preview is no reason to report that provisioning is off.
                row = await jobs.read_job(connection, cycle.job)
                now = await cycles.read_cycle(connection, cycle.id)
                if now is None:
                    raise not_found(f"Unknown cycle {cycle.id}")
                if now != last:
                    last = now
                    yield now
                if now.ended_at is not None:
                    return
                _require_running(row)
                told = await _tell_of_trouble(context, connection, cycle.job, told)
                is_alone = not await jobs.has_live_worker(connection, silent_seconds=_WORKER_SILENT_SECONDS)
            is_idle = helper is None or (helper.done() and time.monotonic() - helped_at > _HELP_AGAIN_SECONDS)
            if helps and is_alone and is_idle:
                if helper is not None:
                    helper.result()
                helped_at = time.monotonic()
                helper = asyncio.create_task(_drain_here(context, cycle.job))
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        if helper is not None:
            helper.cancel()
            await asyncio.gather(helper, return_exceptions=True)


def _require_running(row: JobRow | None) -> None:
    if row is None or not row.may_work:
        raise LockstepError(Kind.CONFLICT, "Provisioning was switched off, so the cycle stopped")
    # An attempt that is due decides whether quarantine continues.
    if is_held(row.quarantine) and row.read_at is not None and not is_attempt_due(row.quarantine, row.read_at):
        error = (row.quarantine or {}).get("error", {})
        raise LockstepError(
            Kind.HELD,
            f"Provisioning of {row.app_display_name} is in quarantine: {error.get('message', '')}",
            next_step=str(error.get("nextStep") or f"Correct the cause, then: lockstep start {row.app_name}"),
            code=str((row.quarantine or {}).get("reason", "")),
        )


async def _tell_of_trouble(context: Context, connection: Connection, job: str, told: str) -> str:
    """If the application does not respond, report to the user what is wrong. *told* is the message that was reported last; the same message
    is not reported twice. Returns the message that has now been reported last.
    """
    state = await target_state.read_state(connection, job)
    message = str((state.trouble or {}).get("message", ""))
    if message and message != told:
        context.say(f"{message}. Lockstep retries at increasing intervals.")
    return message or told


async def _drain_here(context: Context, job: str) -> None:
    services = new_services(context)
    await drain_job(services, Drive(pool=context.pool), job)
