"""Decide which create operations are sent together in a bulk request, and how many of them such a request contains (decision 0060)."""

from __future__ import annotations

from math import ceil

from lockstep.engine.records import Action
from lockstep.engine.rules.configuration import MOST_CREATES_PER_REQUEST, Limits
from lockstep.ports import Target
from lockstep.sync.drain.work import WorkQueue, Write

FIRST_SIZE = 16
LONGEST_SECONDS = 1.0


class Sharing:
    """The creates of one drain that share requests. *senders* is the number of requests that are sent at the same time.

    A bulk request contains as many creates as the application can probably carry out within `LONGEST_SECONDS`. If fewer objects wait than
    there are senders, each create is sent alone, because single requests are answered sooner. Writes other than creates are always sent
    alone, so that the write of a leaver never waits for the result of another object's write.
    """

    def __init__(self, target: Target, senders: int) -> None:
        self._target = target
        self._senders = senders
        self._size = FIRST_SIZE

    async def with_others(self, work: Write, queue: WorkQueue, limits: Limits) -> list[Write]:
        """Return *work* and the creates from *queue* that are sent in the same request. The first call may ask the application for its
        limits.
        """
        allowed = limits.creates_per_request or MOST_CREATES_PER_REQUEST
        plan = work.planned.plan
        if plan.action is not Action.CREATE or allowed == 1 or len(queue) < self._senders:
            return [work]
        most = min(await self._target.creates_at_once(), self._size, allowed)
        waiting = len(queue) + 1
        size = ceil(waiting / ceil(waiting / most))  # equal parts, so that no few remain to be sent alone
        others = queue.take_next(
            size - 1,
            accepts=lambda one: (
                isinstance(one, Write) and (one.planned.plan.action, one.planned.plan.kind) == (plan.action, plan.kind)
            ),
        )
        return [work, *(one for one in others if isinstance(one, Write))]

    def note(self, count: int, seconds: float) -> None:
        """Record that a request with *count* creates took *seconds*."""
        if count > 1 or self._size == 1:  # a slow moment must not end bulk requests
            fitting = int(count * LONGEST_SECONDS / max(seconds, 0.001))
            self._size = max(1, min(fitting, 2 * self._size, MOST_CREATES_PER_REQUEST))
