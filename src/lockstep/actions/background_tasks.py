"""Operations that continue after their request was answered. The caller who started an operation can read its progress and, for a day after
its end, its result or error.

An operation runs in the process that accepted it. If that process dies, the operation counts as failed. No other process continues it,
because only the caller knows whether it is still wanted.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context, Progress
from lockstep.errors import Kind, LockstepError, conflict, not_found
from lockstep.storage import background_tasks as store
from lockstep.storage.background_tasks import TaskRow as TaskRow
from lockstep.storage.batches import as_id

KEPT = timedelta(days=1)
MOST_AT_ONCE = 8  # in one process
_LOST = timedelta(minutes=1)  # without a heartbeat
_BEAT_SECONDS = 0.5
TaskWork = Callable[[Context], Awaitable[Mapping[str, Any]]]
Explain = Callable[[Exception], Mapping[str, Any]]
log = structlog.get_logger("lockstep.tasks")


@dataclass(frozen=True, slots=True)
class TaskName:
    """The description of an operation. *kind* and *target* say what is done and to which object. *resource* is the address at which the
    result can be read.
    """

    kind: str
    target: str
    resource: str


class BackgroundTasks:
    """The operations that this process is running."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(_finished(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def require_room(self) -> None:
        """Raise LockstepError if the process is already running the maximum number of operations."""
        if len(self._running) >= MOST_AT_ONCE:
            raise LockstepError(
                Kind.THROTTLED,
                f"The server is already running {MOST_AT_ONCE} operations",
                next_step="Try again in a moment",
            )

    async def stop(self) -> None:
        """Interrupt the operations, and wait until each has recorded that it was interrupted."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


@asynccontextmanager
async def background_tasks() -> AsyncIterator[BackgroundTasks]:
    """Provide the background tasks of a server. When the block ends, running tasks are interrupted."""
    tasks = BackgroundTasks()
    try:
        yield tasks
    finally:
        await tasks.stop()


@open_to_all
async def begin_task(
    context: Context, tasks: BackgroundTasks, name: TaskName, work: TaskWork, *, explain: Explain
) -> TaskRow:
    """Start *work* with the permissions of the caller, and return without waiting for it. If the work fails, *explain* converts the error
    to the form in which it is shown. Raises LockstepError if the process is already running the maximum number of operations.
    """
    tasks.require_room()
    task = str(uuid.uuid4())
    async with context.recording() as connection:
        await store.insert(
            connection, task, kind=name.kind, target=name.target, resource=name.resource, actor=context.actor.name
        )
    tasks.begin(lambda: _run(context, task, work, explain))
    return await show_task(context, task, explain=explain)


@open_to_all
async def show_task(context: Context, task: str, *, explain: Explain) -> TaskRow:
    """Return an operation of the caller. Raises LockstepError if it is unknown, was started by another caller, or ended more than a day
    ago.
    """
    async with context.reading() as connection:
        found = await store.read(connection, task, actor=context.actor.name) if as_id(task) else None
    if found is None:
        raise not_found(
            f"There is no operation {task}",
            next_step="Operations are kept for a day, and only the caller who started one can see it",
        )
    if found.ended_at is None and found.beat_at < context.now() - _LOST:
        return replace(found, ended_at=found.beat_at, error=explain(_interrupted()))
    return found


async def _finished(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def _run(context: Context, task: str, work: TaskWork, explain: Explain) -> None:
    seen: list[Progress] = []

    def note(progress: Progress) -> None:
        seen[:] = [progress]

    beating = asyncio.create_task(_beat(context, task, seen))
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    try:
        result = await work(replace(context, on_progress=note))
    except asyncio.CancelledError:
        error = explain(_interrupted())
    except Exception as fault:
        error = explain(fault)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    async with context.recording() as connection:
        await store.save_end(connection, task, result=result, error=error)


async def _beat(context: Context, task: str, seen: list[Progress]) -> None:
    """Record the progress at intervals, until cancelled. Each record also shows that the process of the operation is alive."""
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        phase, done, fraction = (str(seen[0].kind), seen[0].read, seen[0].fraction) if seen else ("", 0, None)
        try:
            async with context.recording() as connection:
                await store.save_progress(connection, task, phase=phase, done=done, fraction=fraction)
        except Exception as failed:  # the task itself reports problems with the database
            log.warning("progress_not_saved", fault=type(failed).__name__)


def _interrupted() -> LockstepError:
    return conflict(
        "The server stopped before this operation finished",
        why="The changes made up to that point are kept",
        next_step="Repeat the request",
    )
