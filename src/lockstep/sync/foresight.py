"""What waits behind a write that the guards look at: planned ahead, without the application, before the first of many is sent.

A change that marks a department is a burst. Its objects are judged together, by what all of them would do, for as long as they are
under way: those that are held meanwhile count on, or the last ones of a burst would pass for harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.engine.records import Lane, ObjectKind, Plan
from lockstep.engine.safeguards import Tally, tally_of
from lockstep.storage import queue_ahead
from lockstep.storage.queue_ahead import Waiting
from lockstep.sync import planner
from lockstep.sync.services import Job, Services

PAGE = 500


@dataclass(slots=True)
class Burst:
    """Objects that were marked together, as far as they were read together."""

    total: Tally
    passed: Tally


class Foresight:
    """One drain's view ahead."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bursts: dict[tuple[str, str], Burst] = {}
        self._seen: dict[int, int] = {}  # by lane, the newest mark that was planned ahead
        self._count: dict[int, int] = {}  # by lane, how many wait that were not; forgotten with every slice

    def new_slice(self) -> None:
        self._count.clear()

    def waiting(self, plan: Plan) -> Tally | None:
        """What the others of its burst would do; None where *plan* is of no burst that was read."""
        burst = self._bursts.get((plan.kind.value, plan.source_id))
        return None if burst is None else burst.total - burst.passed - tally_of(plan)

    def decided(self, plan: Plan, *, passed: bool) -> None:
        burst = self._bursts.pop((plan.kind.value, plan.source_id), None)
        if burst is not None and passed:
            burst.passed += tally_of(plan)

    async def at_most(self, job: Job, lane: int) -> Tally:
        """An upper bound of what waits, from a count alone."""
        lane = _lanes(lane)
        if lane not in self._count:
            async with self._services.pool.connection() as connection:
                self._count[lane] = await queue_ahead.count_waiting(
                    connection, job.id, up_to_lane=lane, after=self._seen.get(lane, 0)
                )
        count = self._count[lane]
        return Tally(count, count, count)

    async def read(self, job: Job, lane: int) -> None:
        """Plan what waits and was not planned ahead yet, as one burst."""
        lane = _lanes(lane)
        burst = Burst(Tally(), Tally())
        while True:
            async with self._services.pool.connection() as connection:
                page = await queue_ahead.read_waiting(
                    connection, job.id, up_to_lane=lane, after=self._seen.get(lane, 0), limit=PAGE
                )
            if page:
                self._seen[lane] = page[-1].version
                await self._plan(job, page, burst)
            if len(page) < PAGE:
                break
        self._count[lane] = 0

    async def _plan(self, job: Job, page: Sequence[Waiting], burst: Burst) -> None:
        moment = self._services.moment()
        for kind in ObjectKind:
            ids = [one.source_id for one in page if one.kind == kind.value]
            if not ids:
                continue
            async with self._services.pool.connection() as connection:
                known = await planner.load(connection, job, kind, ids)
            for source_id in known.objects:
                try:
                    prepared = planner.prepare_one(known, job, source_id, moment, look=False)
                    planned = planner.plan_from_index(known, prepared)
                except Exception:  # noqa: S112  # told when its own turn comes
                    continue
                tally = tally_of(planned.plan) if planned is not None else Tally()
                if tally:
                    burst.total += tally
                    self._bursts[kind.value, source_id] = burst


def _lanes(lane: int) -> int:
    """How far back to look: a leaver among leavers, so that one does not wait until everybody else was planned."""
    return lane if lane == Lane.LEAVERS.number else Lane.RECONCILE.number
