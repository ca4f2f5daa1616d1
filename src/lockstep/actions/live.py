"""Live events, which tell the open pages and API clients of this process that something has changed. They come from PostgreSQL over one
LISTEN connection.

An event says which data a listener should read again. Events are kept for a while, so a listener that was disconnected can continue after
the last event that it saw. If that is impossible, because too many events followed or the connection to PostgreSQL was lost, the listener
receives a `reset` event and must read everything again.

Listeners must not slow a cycle down. A busy cycle records outcomes many times a second, but its progress is passed on only once a second.
After a delivery, the hub collects events for a moment, which is longer if there are more listeners. It then delivers all of them at once,
and equal events only once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import orjson
import psycopg
import structlog

from lockstep.postgres.pool import Pool
from lockstep.storage.notices import CHANNEL
from lockstep.storage.notices import Topic as Topic

RESET = "reset"
KEPT = 1000  # events kept for listeners that return
MOST_WAITING = 256  # events a listener may be behind before it is closed
PROGRESS_SECONDS = 1.0  # shortest time between two progress events of a job
DELIVERY_SECONDS = 60e-6  # CPU seconds of a delivery to one listener, measured with `bench/live.py`
DELIVERY_SHARE = 0.005  # share of one core for delivering events to all listeners
READING_SHARE = 0.015  # share of one core for all open pages that reload their parts
READING_SECONDS = (1.0, 180.0)  # shortest and longest time between two reloads of a page
_FIRST_READING = 0.01  # CPU seconds, until one is measured
_NEW_READING = 0.2  # weight of a new measurement
_RETRY_SECONDS = (0.2, 1.0, 5.0)
_APPLICATION_NAME = "lockstep-live"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """A notice that something changed. *topic* is a `Topic` or `RESET`. *job* and *name* say which job or object changed; both are "" if
    the notice concerns no particular one.
    """

    era: str  # distinguishes events of other processes and of earlier runs
    number: int  # counts the events of the era
    topic: str
    job: str = ""
    name: str = ""

    @property
    def id(self) -> str:
        return f"{self.era}-{self.number}"

    @property
    def application(self) -> str:
        """Return the id of the application, which is the last part of the job's id; "" if the event concerns no application."""
        return self.job.rpartition(".")[2]


Wanted = Callable[[LiveEvent], bool]


@dataclass(eq=False, slots=True)
class Listener:
    """One open page or client. Each step of an iteration waits for events, and then yields all events that have arrived. The iteration ends
    if the listener reads too slowly and is disconnected.
    """

    wanted: Wanted
    most_waiting: int
    joined_at: int = 0  # the number of the latest event when the listener joined
    _waiting: list[LiveEvent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    is_cut: bool = False

    def give(self, events: Sequence[LiveEvent]) -> bool:
        """Queue the events that the listener wants. If a single delivery has more of them than the queue holds, the listener receives a
        reset instead. Returns False if the listener was too far behind and is now disconnected.
        """
        wanted = [event for event in events if event.topic == RESET or self.wanted(event)]
        if len(wanted) > self.most_waiting:  # not the fault of a slow listener
            wanted = [LiveEvent(wanted[-1].era, wanted[-1].number, RESET)]
        if len(self._waiting) + len(wanted) > self.most_waiting:
            self.cut()
            return False
        if wanted:
            self._waiting.extend(wanted)
            self._news.set()
        return True

    def cut(self) -> None:
        self.is_cut = True
        self._waiting.clear()
        self._news.set()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> tuple[LiveEvent, ...]:
        while not self._waiting:
            if self.is_cut:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        waiting, self._waiting = tuple(self._waiting), []
        return waiting


class LiveHub:
    """The hub that delivers the notices of the database to the listeners of this process. A server opens the hub with `live_hub`."""

    def __init__(
        self, *, kept: int = KEPT, most_waiting: int = MOST_WAITING, progress_seconds: float = PROGRESS_SECONDS
    ) -> None:
        self._era = secrets.token_hex(4)
        self._number = 0
        self._collected: dict[tuple[str, str, str], LiveEvent] = {}  # not delivered yet, in the order of their numbers
        self._delivery: asyncio.TimerHandle | None = (
            None  # of the collected events; None if the next event is delivered at once
        )
        self._recent: deque[LiveEvent] = deque(maxlen=kept)
        self._listeners: set[Listener] = set()
        self._most_waiting = most_waiting
        self._progress_seconds = progress_seconds
        self._told: dict[str, bool] = {}  # jobs with a recent progress event, and whether there was more progress since
        self._reading_cost = _FIRST_READING
        self.connected = asyncio.Event()

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def delivery_pause(self) -> float:
        """Return how many seconds pass between two deliveries, so that all listeners together use at most DELIVERY_SHARE of a core."""
        return len(self) * DELIVERY_SECONDS / DELIVERY_SHARE

    @property
    def reading_pause(self) -> float:
        """Return how many seconds a page should wait, on average, between two readings of its parts.

        The pause grows with the number of listeners and with the cost of a reading, so that all listeners together use at most
        READING_SHARE of a core.
        """
        least, most = READING_SECONDS
        return min(max(len(self) * self._reading_cost / READING_SHARE, least), most)

    def note_readings(self, count: int, cpu_seconds: float) -> None:
        """Update the estimated cost of a reading: *count* readings took *cpu_seconds* of CPU time together."""
        self._reading_cost += _NEW_READING * (cpu_seconds / count - self._reading_cost)

    @property
    def latest(self) -> str:
        """Return the id of the latest event. Ask for this id before reading the database. A listener can then receive every event that came
        after the reading began.
        """
        return f"{self._era}-{self._number}"

    @contextmanager
    def listening(self, *, after: str = "", wanted: Wanted = lambda _: True) -> Iterator[Listener]:
        """Return a listener that exists for the duration of the block. *after* is the id of the last event that the listener saw before it
        was disconnected.
        """
        one = Listener(wanted, self._most_waiting, joined_at=self._number)
        one.give(self._missed(after))
        self._listeners.add(one)
        try:
            yield one
        finally:
            self._listeners.discard(one)

    def hear(self, topic: str, *, job: str = "", name: str = "") -> None:
        """Publish a received notice at once. Only notices of progress may be delayed: shortly after one of them, further notices of the
        same job's progress are collected, and are soon published as one notice.
        """
        if topic != Topic.PROGRESS:
            self.publish(topic, job=job, name=name)
        elif job in self._told:
            self._told[job] = True
        else:
            self._told[job] = False
            asyncio.get_running_loop().call_later(self._progress_seconds, self._told_before, job)
            self.publish(topic, job=job, name=name)

    def _told_before(self, job: str) -> None:
        if self._told.pop(job):
            self.hear(Topic.PROGRESS, job=job)

    def publish(self, topic: str, *, job: str = "", name: str = "") -> None:
        """Deliver an event to every listener that wants events of its kind: at once, or with the other events that are being collected."""
        self._number += 1
        event = LiveEvent(self._era, self._number, topic, job, name)
        self._recent.append(event)
        self._collected.pop(subject := (topic, job, name), None)
        self._collected[subject] = event
        if self._delivery is None:
            self._deliver()

    def _deliver(self) -> None:
        """Deliver the collected events. Then collect the following events for `delivery_pause` seconds."""
        self._delivery = None
        if not self._collected or not self._listeners:
            self._collected.clear()
            return
        news, self._collected = list(self._collected.values()), {}
        for one in list(self._listeners):
            if not one.give([event for event in news if event.number > one.joined_at]):
                log.info("slow_listener_cut", waiting=self._most_waiting)
                self._listeners.discard(one)
        self._delivery = asyncio.get_running_loop().call_later(self.delivery_pause, self._deliver)

    def end(self) -> None:
        """End all listeners. Called when the process stops."""
        if self._delivery is not None:
            self._delivery.cancel()
        for one in self._listeners:
            one.cut()

    def _missed(self, after: str) -> list[LiveEvent]:
        if not after:
            return []
        era, _, number = after.partition("-")
        if era == self._era and number.isascii() and number.isdigit() and int(number) <= self._number:
            missed = [event for event in self._recent if event.number > int(number)]
            # Half of the queue stays free for events that happen while the listener reads these.
            if len(missed) == self._number - int(number) and len(missed) <= self._most_waiting // 2:
                return missed
        return [LiveEvent(self._era, self._number, RESET)]


@asynccontextmanager
async def live_hub(pool: Pool, *, kept: int = KEPT, most_waiting: int = MOST_WAITING) -> AsyncIterator[LiveHub]:
    """Return the hub of this process. Use it in `async with`: during the block, the hub is connected to PostgreSQL and reconnects
    automatically.
    """
    hub = LiveHub(kept=kept, most_waiting=most_waiting)
    task = asyncio.create_task(_follow(hub, pool), name="live events")
    try:
        yield hub
    finally:
        hub.end()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow(hub: LiveHub, pool: Pool) -> None:
    """Receive notices until cancelled. Notices that were sent while there was no connection are lost, so every new connection begins with a
    reset.
    """
    failures = 0
    while True:
        try:
            async with await _connect(pool) as connection:
                await connection.execute(f"listen {CHANNEL}")
                hub.publish(RESET)
                hub.connected.set()
                failures = 0
                async for notice in connection.notifies():
                    _pass_on(hub, notice.payload)
        except (psycopg.Error, OSError) as lost:
            hub.connected.clear()
            log.warning("live_events_disconnected", reason=type(lost).__name__)
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1


async def _connect(pool: Pool) -> psycopg.AsyncConnection[tuple[object, ...]]:
    options = pool.kwargs if isinstance(pool.kwargs, dict) else {}
    return await psycopg.AsyncConnection.connect(
        str(pool.conninfo), **options | {"application_name": _APPLICATION_NAME}
    )


def _pass_on(hub: LiveHub, payload: str) -> None:
    try:
        told = orjson.loads(payload)
        hub.hear(str(told["topic"]), job=str(told.get("job", "")), name=str(told.get("name", "")))
    except (orjson.JSONDecodeError, KeyError, TypeError):  # a notification of another program on our channel
        log.warning("unknown_notice")
