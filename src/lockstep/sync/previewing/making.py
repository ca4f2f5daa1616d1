"""Make a preview of a whole application, slice by slice.

Nothing is written except the preview: the application is opened for reading only, and no lock or transaction is kept from one slice to the
next. If somebody stops the preview, or if another process takes it over, the process that was making the preview notices this the next time
it reports progress, and then stops.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import psycopg
import structlog

from lockstep.configuration.rules import ObjectMapping, Scope
from lockstep.errors import Kind, LockstepError
from lockstep.ports import Answer, TargetError, Verdict
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import guarded_writes, preview_objects, previews, touched
from lockstep.storage.previews import ClaimedPreview, PreviewState
from lockstep.sync.cycle.frame import frame_of
from lockstep.sync.planning.unique_values import ImaginedClaims
from lockstep.sync.previewing.listing import PreviewEnded, list_accounts
from lockstep.sync.previewing.planning import PlannedObject, SlicePlanner
from lockstep.sync.previewing.reading import PacedReader
from lockstep.sync.previewing.risks import RiskCollector, effects_held
from lockstep.sync.services import Job, Services
from lockstep.sync.turns import DATABASE_LOST

SLICE = 200
MOST_UNREAD = 50  # objects for which the application did not answer; then the preview fails
KEPT = 5  # previews of each application
BEAT_SECONDS = 2.0
LOST_AFTER = timedelta(seconds=60)  # without a beat
LISTING, PLANNING = "accounts", "objects"
_OF_DATA = ("21", "22", "23", "42", "54")  # classes of SQLSTATE that a repetition does not cure
_KINDS = {Verdict.UNAUTHORIZED: Kind.UNAUTHORIZED, Verdict.THROTTLED: Kind.THROTTLED}

log = structlog.get_logger()


async def make_preview(services: Services, claimed: ClaimedPreview) -> None:
    """Make the preview and record its result or its error. Records nothing if the preview is stopped or taken over. If this process ends,
    the preview is returned to the queue.
    """
    try:
        async with _beating(services, claimed):
            await _make(services, claimed)
    except PreviewEnded:
        return
    except asyncio.CancelledError:
        with suppress(*DATABASE_LOST):
            async with services.pool.connection() as connection:
                await previews.give_back(connection, claimed)
        raise
    except (LockstepError, TargetError) as failed:
        error = failed if isinstance(failed, LockstepError) else _as_error(failed.answer)
        await _fail(services, claimed, error)
    except Exception as fault:
        if isinstance(fault, DATABASE_LOST) and not _is_of_data(fault):
            raise  # nothing can be recorded now; the preview begins again when another process takes it over
        log.exception("preview_failed", preview=claimed.id, job=claimed.job)
        text = f"The preview ended because of a bug ({type(fault).__name__})"
        await _fail(services, claimed, LockstepError(Kind.INTERNAL, text, next_step="Report it"))


async def _make(services: Services, claimed: ClaimedPreview) -> None:
    async with services.pool.connection() as connection:
        job = await services.read_job(connection, claimed.job)
        mappings = [one for one in job.configuration.objects if one.enabled]
        numbers = {one.source: await _count(connection, job, one) for one in mappings}
        is_all_due = not job.row.started or (await frame_of(connection, job.id)).needs_preparation
        counts = await guarded_writes.guarded_counts(connection, job.id, cycle=None, besides=())
    reader = PacedReader(services, await services.open_reader(job), services.turns(job))
    await _report(services, claimed, phase=LISTING, total=sum(numbers.values()))
    listed = {
        one.source
        for one in mappings
        if numbers[one.source]
        and await list_accounts(services.pool, claimed, one, reader, asked_for=numbers[one.source])
    }
    await _report(services, claimed, phase=PLANNING)
    planner = SlicePlanner(
        services, job, claimed, reader, ImaginedClaims(services.pool, job.id), frozenset(listed), counts, is_all_due
    )
    risks, shown, unread = RiskCollector(job.configuration, counts), Counter[str](), 0
    for mapping in mappings:
        async for ids in _slices(services, job, mapping):
            planned = await planner.plan(mapping.source, ids)
            unread += sum(one.is_unread for one in planned)
            if unread > MOST_UNREAD:
                raise _unreadable(job, planned)
            risks.add(planned)
            _count_shown(shown, planned)
            await _save(services, claimed, planned, reader.requests, shown)
    await _finish(services, claimed, risks, shown)


async def _finish(services: Services, claimed: ClaimedPreview, risks: RiskCollector, shown: Counter[str]) -> None:
    held = risks.held()
    async with services.pool.connection() as connection:
        await preview_objects.renew_statistics(connection)
    async with transaction(services.pool) as connection:
        shown["held"] += await preview_objects.hold(connection, claimed.id, effects_held(held)) if held else 0
        if not await previews.save_progress(connection, claimed, counts=shown):
            raise PreviewEnded
        earlier = await previews.complete_before(connection, claimed.job, claimed.id)
        difference = await preview_objects.difference(connection, claimed.id, earlier) if earlier else None
        found = [one.as_json() for one in risks.risks()]
        await previews.save_end(connection, claimed, PreviewState.DONE, risks=found, difference=difference)
        await previews.remove_all_but_newest(connection, claimed.job, most=KEPT)


async def _slices(services: Services, job: Job, mapping: ObjectMapping) -> AsyncIterator[Sequence[str]]:
    """Yield the ids of the objects that a full cycle evaluates, one slice at a time."""
    after = ""
    while True:
        async with services.pool.connection() as connection:
            ids = await touched.page_of_concerned(
                connection, job.id, job.row.app, mapping.source.value, everybody=_everybody(job), after=after, limit=SLICE
            )  # fmt: skip
        if ids:
            yield ids
        if len(ids) < SLICE:
            return
        after = ids[-1]


async def _save(
    services: Services,
    claimed: ClaimedPreview,
    planned: Sequence[PlannedObject],
    requests: int,
    shown: Counter[str],
) -> None:
    async with transaction(services.pool) as connection:
        if not await previews.save_progress(connection, claimed, done=len(planned), requests=requests, counts=shown):
            raise PreviewEnded
        await preview_objects.add(connection, claimed.id, [one.shown for one in planned])


def _count_shown(shown: Counter[str], planned: Sequence[PlannedObject]) -> None:
    for one in planned:
        shown[one.shown.action] += 1
        shown["held"] += one.shown.is_held
        shown["due"] += one.shown.is_due and one.shown.is_write


async def _report(services: Services, claimed: ClaimedPreview, *, phase: str, total: int | None = None) -> None:
    async with services.pool.connection() as connection:
        if not await previews.save_progress(connection, claimed, phase=phase, total=total):
            raise PreviewEnded


@asynccontextmanager
async def _beating(services: Services, claimed: ClaimedPreview) -> AsyncIterator[None]:
    """While the block runs, report regularly that the preview is still being made. Raises PreviewEnded if the preview was stopped or taken
    over.
    """
    task = asyncio.current_task()
    is_over = is_made = False

    async def beat() -> None:
        nonlocal is_over
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(*DATABASE_LOST):
                async with services.pool.connection() as connection:
                    if not await previews.save_progress(connection, claimed):
                        break
        is_over = True
        if task is not None and not is_made:
            task.cancel()

    beating = asyncio.create_task(beat(), name=f"preview {claimed.id}")
    try:
        yield
    except asyncio.CancelledError:
        if not is_over:
            raise
        if task is not None:
            task.uncancel()
        raise PreviewEnded from None
    finally:
        is_made = True
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


def _is_of_data(fault: Exception) -> bool:
    """Whether PostgreSQL refused a statement because of the values in it. If so, it would refuse the same statement again."""
    return isinstance(fault, psycopg.Error) and (fault.sqlstate or "")[:2] in _OF_DATA


async def _fail(services: Services, claimed: ClaimedPreview, error: LockstepError) -> None:
    async with transaction(services.pool) as connection:
        told = {
            "kind": error.kind.value,
            "code": error.code,
            "detail": error.detail,
            "why": error.why,
            "nextStep": error.next_step,
        }
        await previews.save_end(connection, claimed, PreviewState.FAILED, error=told)
        await previews.remove_all_but_newest(connection, claimed.job, most=KEPT)


def _unreadable(job: Job, planned: Sequence[PlannedObject]) -> LockstepError:
    last = next(one.shown for one in reversed(planned) if one.is_unread)
    return LockstepError(
        Kind.UNREACHABLE,
        f"More than {MOST_UNREAD} objects could not be read from {job.row.app_display_name}. The last answer: {last.reason}",
        next_step=last.next_step or f"Test the connection: lockstep creds test {job.row.app_name}",
    )


def _as_error(answer: Answer) -> LockstepError:
    kind = _KINDS.get(answer.verdict, Kind.UNREACHABLE)
    return LockstepError(kind, answer.detail, next_step=answer.next_step, code=answer.code)


async def _count(connection: Connection, job: Job, mapping: ObjectMapping) -> int:
    return await touched.count_concerned(
        connection, job.id, job.row.app, mapping.source.value, everybody=_everybody(job)
    )


def _everybody(job: Job) -> bool:
    return job.configuration.scope is Scope.ALL
