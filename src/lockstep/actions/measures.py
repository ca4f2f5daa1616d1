"""Monitoring figures for all applications. The figures name no person, and reading them changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.status import WORKER_SILENT_SECONDS
from lockstep.postgres.pool import Connection
from lockstep.storage import jobs, measures, operations, outbound_places, sources
from lockstep.storage.jobs import JobRow
from lockstep.storage.measures import WaitingCounts, WrittenTally

STATES = ("not_started", "paused", "quarantined", "active")
_STATEMENT_SECONDS = 5.0
_RESULTS = {"success": "success", "failure": "failure", "warning": "held"}
# Exposed as 0 from the start, because Prometheus sees no increase in a counter that starts at 1.
_AWAITED = tuple(
    (action, result) for action in ("create", "update", "disable", "delete") for result in ("success", "failure")
)


class Measures:
    """The reader of the monitoring figures. Each call of `read` reads them from the database. Counting of writes starts when `begin` is
    called.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tally = WrittenTally()

    async def begin(self) -> None:
        self._context.actor.require(Permission.APPLICATIONS_READ)
        async with self._context.reading() as connection:
            await self._tally.begin(connection)

    async def read(self) -> list[Metric]:
        """Return all metric families that are read from the database. Raises database errors unchanged."""
        self._context.actor.require(Permission.APPLICATIONS_READ)
        async with self._context.reading() as connection:
            return await _measured(connection, self._tally)


async def _measured(connection: Connection, tally: WrittenTally) -> list[Metric]:
    await measures.limit_statements(connection, seconds=_STATEMENT_SECONDS)
    rows = await jobs.read_jobs(connection)
    names = {row.id: row.app_name for row in rows}
    found: list[Metric] = [_states(rows)]
    found += _waits(names, await measures.waiting(connection))
    found += await _undecided(connection, rows)
    found += _unreachable(names, await measures.troubled(connection))
    found += _links(names, await measures.linked(connection))
    found += _cycles(names, await measures.last_cycles(connection))
    found += await _workers(connection)
    found += await _sources(connection)
    found.append(await _places(connection))
    found.append(_written(names, await tally.read(connection)))
    return found


def _state(row: JobRow) -> str:
    if row.quarantine is not None:
        return "quarantined"
    if row.is_on:
        return "active"
    return "paused" if row.started else "not_started"


def _gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"lockstep_{name}", help_text, labels=labels)


def _states(rows: Sequence[JobRow]) -> Metric:
    family = _gauge("job_state", "1 for the current provisioning state of an application", "application", "state")
    for row in rows:
        for state in STATES:
            family.add_metric([row.app_name, state], int(_state(row) == state))
    return family


def _waits(names: Mapping[str, str], waiting: Sequence[WaitingCounts]) -> list[Metric]:
    by_job = {one.job: one for one in waiting}
    changes = _gauge("changes_waiting", "Objects with a change that was not attempted yet", "application")
    oldest = _gauge(
        "changes_waiting_oldest_seconds", "Age of the oldest change that was not attempted yet", "application"
    )
    failing = _gauge("objects_failing", "Objects that failed and will be retried", "application")
    leavers = _gauge("leavers_waiting", "People who lose access but whose account is not updated yet", "application")
    longest = _gauge(
        "leavers_waiting_oldest_seconds",
        "Longest wait among people who lose access but whose account is not updated yet",
        "application",
    )
    for job, name in names.items():
        one = by_job.get(job, WaitingCounts(job, 0, 0.0, 0, 0, 0.0))
        changes.add_metric([name], one.changes)
        oldest.add_metric([name], one.oldest_change)
        failing.add_metric([name], one.failing)
        leavers.add_metric([name], one.leavers)
        longest.add_metric([name], one.oldest_leaver)
    return [changes, oldest, failing, leavers, longest]


async def _undecided(connection: Connection, rows: Sequence[JobRow]) -> list[Metric]:
    held = _gauge("operations_held", "Writes that wait for approval", "application")
    rejected = _gauge("operations_rejected", "Writes that were rejected but are still planned", "application")
    unanswered = _gauge("creates_unanswered", "Create requests that got no response", "application")
    undecided = await operations.count_undecided(connection, [row.id for row in rows])
    for row in rows:
        counts = undecided[row.id]
        held.add_metric([row.app_name], counts.held)
        rejected.add_metric([row.app_name], counts.rejected)
        unanswered.add_metric([row.app_name], counts.maybe_created)
    return [held, rejected, unanswered]


def _unreachable(names: Mapping[str, str], troubled: frozenset[str]) -> list[Metric]:
    family = _gauge("application_unreachable", "1 while an application gives no usable responses", "application")
    for job, name in names.items():
        family.add_metric([name], int(job in troubled))
    return [family]


def _links(names: Mapping[str, str], linked: Sequence[tuple[str, str, str, int]]) -> list[Metric]:
    family = _gauge("linked_accounts", "Accounts that Lockstep manages", "application", "kind", "state")
    for job, kind, state, count in linked:
        if job in names:
            family.add_metric([names[job], kind, state], count)
    return [family]


def _cycles(names: Mapping[str, str], ended: Sequence[tuple[str, str, float]]) -> list[Metric]:
    family = _gauge(
        "cycle_last_end_timestamp_seconds", "Time at which a cycle last ended with this result", "application", "result"
    )
    for job, state, at in ended:
        if job in names:
            family.add_metric([names[job], state], at)
    return [family]


async def _workers(connection: Connection) -> list[Metric]:
    alive, last = await measures.workers(connection, silent_seconds=WORKER_SILENT_SECONDS)
    count = _gauge(
        "worker_queues_alive", f"Queues of workers with a heartbeat in the last {WORKER_SILENT_SECONDS:.0f} s"
    )
    count.add_metric([], alive)
    heartbeat = _gauge("worker_last_heartbeat_timestamp_seconds", "The last heartbeat of any worker")
    if last is not None:
        heartbeat.add_metric([], last)
    return [count, heartbeat]


async def _sources(connection: Connection) -> list[Metric]:
    family = _gauge("source_failing", "1 if the last import of a source failed", "source")
    for one in await sources.list_sources(connection):
        family.add_metric([one.name], int(bool((one.watermark or {}).get("failure"))))
    return [family]


async def _places(connection: Connection) -> Metric:
    family = _gauge("outbound_places", "Entries in the outbound list")
    family.add_metric([], len(await outbound_places.list_places(connection)))
    return family


def _written(names: Mapping[str, str], counts: Mapping[tuple[str, str, str], int]) -> Metric:
    family = CounterMetricFamily(
        "lockstep_objects_written", "Objects in the provisioning log, by action and result",
        labels=["application", "action", "result"],
    )  # fmt: skip
    shown: dict[tuple[str, str, str], int] = {(name, *one): 0 for name in names.values() for one in _AWAITED}
    for (job, action, status), count in counts.items():
        if job in names and status in _RESULTS:
            shown[names[job], action, _RESULTS[status]] = count
    for labels, count in shown.items():
        family.add_metric(list(labels), count)
    return family
