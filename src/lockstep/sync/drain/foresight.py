"""Before a guarded write is sent, plan the objects that are queued behind it, without asking the application.

Objects that one change has marked, such as a whole department, form a burst. Until the last object of the burst is decided, each object is
judged by the combined effects of the whole burst. Objects that are already held still count; otherwise the last objects of a burst would
look harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lockstep.engine.decisions.matching import NO_MATCH
from lockstep.engine.decisions.plan import NextQuestion, PreparedObject, make_plan, wanted
from lockstep.engine.decisions.rejections import keep_rejected
from lockstep.engine.decisions.safeguards import Tally, tally_of
from lockstep.engine.plans import Plan
from lockstep.engine.records import Lane, LinkState, ObjectKind
from lockstep.storage import queue_ahead, target_index
from lockstep.storage.dirty import Claim
from lockstep.storage.queue_ahead import WaitingObject
from lockstep.sync.planning import planner
from lockstep.sync.planning.index_reader import SlicePages, read_index
from lockstep.sync.planning.planner import NotKnown, PlanResult, SliceFacts
from lockstep.sync.services import Job, Services

PAGE = 500
# Enough new accounts to estimate how many of them gain a privilege, without planning every object of a first cycle twice.
MOST_NEW_AHEAD = 2_000


@dataclass(slots=True)
class Burst:
    """The combined effects of objects that were read from the queue together. *total* has the effects of all these objects; *passed* has
    the effects of those that were let through so far.
    """

    total: Tally = field(default_factory=Tally)
    passed: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Queue:
    """A part of the queue: the objects in the lanes up to *up_to_lane*. It has only objects with an account if *linked* is true, otherwise
    only objects without one.
    """

    up_to_lane: int
    linked: bool

    @classmethod
    def behind(cls, claim: Claim, prepared: PreparedObject) -> Queue:
        """Return the part of the queue that is planned ahead together with *prepared*. For a leaver, this part contains only leavers, so
        that the leaver need not wait for the plans of all other objects.
        """
        linked = prepared.link is not None and prepared.link.state in (LinkState.LIVE, LinkState.DISABLED)
        return cls(claim.lane if claim.lane == Lane.LEAVERS.number else Lane.RECONCILE.number, linked)


class Foresight:
    """The plans that one drain has made in advance for objects in its queue."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bursts: dict[tuple[str, str], Burst] = {}
        self._seen: dict[Queue, int] = {}  # version of the newest mark that was planned ahead
        self._count: dict[Queue, int] = {}  # how many queued objects are not planned ahead yet; cleared for every slice

    def new_slice(self) -> None:
        self._count.clear()

    def waiting(self, plan: Plan) -> Tally | None:
        """Return the combined effects of those objects in the burst that have not been let through yet. The burst is the one to which
        *plan* belongs; the object of *plan* itself is not counted. Held objects are included.

        Returns None if *plan* belongs to no burst.
        """
        burst = self._bursts.get((plan.kind.value, plan.source_id))
        return None if burst is None else burst.total - burst.passed - tally_of(plan)

    def decided(self, plan: Plan, *, passed: bool) -> None:
        self.leaves(plan.kind.value, plan.source_id, tally_of(plan) if passed else None)

    def leaves(self, kind: str, source_id: str, passed: Tally | None) -> None:
        """Remove an object from its burst. *passed* has the effects of its write, or is None if the write was not let through."""
        burst = self._bursts.pop((kind, source_id), None)
        if burst is not None and passed is not None:
            burst.passed += passed

    async def at_most(self, job: Job, queue: Queue) -> Tally:
        """Return an upper bound for the effects of the queued objects, computed from their number alone."""
        if queue not in self._count:
            async with self._services.pool.connection() as connection:
                self._count[queue] = await queue_ahead.count_waiting(
                    connection, job.id, up_to_lane=queue.up_to_lane, linked=queue.linked, after=self._seen.get(queue, 0)
                )
        count = self._count[queue]
        return Tally.at_most(count, new=0 if queue.linked else count)

    async def read(self, job: Job, queue: Queue, *, cycle: int | None) -> None:
        """Plan the queued objects that have not been planned ahead yet, and treat them as one burst. If the objects in *queue* have no
        account, only about `MOST_NEW_AHEAD` of them are planned.
        """
        burst, read = Burst(), 0
        while queue.linked or read < MOST_NEW_AHEAD:
            async with self._services.pool.connection() as connection:
                page = await queue_ahead.read_waiting(
                    connection,
                    job.id,
                    up_to_lane=queue.up_to_lane,
                    linked=queue.linked,
                    after=self._seen.get(queue, 0),
                    limit=PAGE,
                )
            read += len(page)
            if page:
                self._seen[queue] = page[-1].version
                await self._plan(job, page, burst, cycle)
            if len(page) < PAGE:
                break
        self._count.pop(queue, None)

    async def _plan(self, job: Job, page: Sequence[WaitingObject], burst: Burst, cycle: int | None) -> None:
        moment = self._services.moment()
        for kind in ObjectKind:
            ids = [one.source_id for one in page if one.kind == kind.value]
            if not ids:
                continue
            async with self._services.pool.connection() as connection:
                index_of = await target_index.complete_kinds(connection, job.id, cycle=cycle)
                known = await planner.load(connection, job, kind, ids, index_of=index_of)
                prepared = []
                for source_id in known.objects:
                    try:
                        prepared.append(planner.prepare_one(known, job, source_id, moment, look=False))
                    except Exception:  # noqa: S112  # reported when its own turn comes
                        continue
                pages = await read_index(connection, job, known, prepared, cycle)
            for one in prepared:
                try:
                    planned = await _foreseen(pages, one)
                except Exception:  # noqa: S112  # reported when its own turn comes
                    continue
                if planned is not None and _is_rejected(known, planned.plan):
                    continue
                tally = tally_of(planned.plan) if planned is not None else Tally()
                if tally or tally.creates:
                    burst.total += tally
                    self._bursts[kind.value, one.obj.id] = burst


def _is_rejected(known: SliceFacts, plan: Plan) -> bool:
    """Whether *plan* is not sent because an administrator rejected it."""
    rejection = known.rejected.get(plan.source_id)
    return rejection is not None and keep_rejected(plan, rejection, app="") is not None


async def _foreseen(pages: SlicePages, prepared: PreparedObject) -> PlanResult | None:
    """Return the plan, as far as it can be made without the application. An object that still needs a match counts as a new account."""
    try:
        return await pages.plan(prepared)
    except NotKnown:
        if wanted(prepared) is not NextQuestion.MATCH:
            return None
        return PlanResult(make_plan(prepared, match=NO_MATCH), prepared)
