"""The content of the pages about an application's provisioning, except its status: the remaining time of a cycle, groups of failures, one
cycle, and the progress of the setup.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import read_job
from lockstep.actions.permissions import Permission
from lockstep.actions.status import Cycle, JobStatus, status_of
from lockstep.actions.switching_on import is_untried
from lockstep.configuration.rules import Scope
from lockstep.configuration.source_names import ROLES
from lockstep.engine.decisions.retry import GIVE_UP_AFTER
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import assignments, credentials, failure_groups, people, previews
from lockstep.storage.failure_groups import FailureGroup as FailureGroup
from lockstep.storage.people import PersonFilter
from lockstep.sync.services import Job

_ENOUGH_DONE = 20  # objects; with fewer, the remaining time would be a guess
_SPREAD = 0.35  # of the expected time, in both directions


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The estimated remaining time of the running cycle. *per_second* is the average number of objects per second so far."""

    shortest: timedelta
    likely: timedelta
    longest: timedelta
    per_second: float


@dataclass(frozen=True, slots=True)
class MappedKind:
    """One mapping in a list of mappings."""

    kind: str
    name: str
    is_enabled: bool
    attributes: int
    filters: int


@dataclass(frozen=True, slots=True)
class SetupProgress:
    """The progress of the setup of the application with the name *app*. *assigned* is the number of people in scope if the scope is
    "assigned". *everybody* is the number of people in scope if the scope is "all".
    """

    id: str
    app: str
    display_name: str
    is_connected: bool
    is_tested: bool
    syncs_all: bool
    assigned: int
    everybody: int
    is_started: bool
    is_on: bool
    mappings: tuple[MappedKind, ...]
    is_previewed: bool = False  # a preview of everyone was made, and is kept
    maps_roles: bool = False  # a mapping uses the role of the assignment
    is_untried: bool = False  # switching on shows a preview first

    @property
    def in_scope(self) -> int:
        return self.everybody if self.syncs_all else self.assigned

    @property
    def is_mapped(self) -> bool:
        return any(one.is_enabled and one.attributes for one in self.mappings)


@dataclass(frozen=True, slots=True)
class ProvisioningOverview:
    """The overview of one application's provisioning."""

    status: JobStatus
    setup: SetupProgress
    failures: tuple[FailureGroup, ...]
    time_left: TimeLeft | None
    gives_up_at: datetime | None  # when objects that fail in quarantine are no longer retried


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_setup(context: Context, app: str, *, with_people: bool = True) -> SetupProgress:
    """Return how far the setup of the application has progressed. Without *with_people*, people are not counted, and the numbers of people
    are 0.
    """
    async with context.reading() as connection:
        return await _setup(connection, await read_job(context, connection, app), with_people=with_people)


async def _setup(connection: Connection, job: Job, *, with_people: bool) -> SetupProgress:
    async with pipeline(connection):
        credential, is_previewed = await asyncio.gather(
            credentials.read_credential(connection, job.row.app), previews.has_complete_preview(connection, job.id)
        )
        assigned, everybody = await _numbers_of_people(connection, job) if with_people else (0, 0)
    probes = (credential.test_result or {}).get("probes", []) if credential else []
    return SetupProgress(
        id=job.row.app,
        app=job.row.app_name,
        display_name=job.row.app_display_name,
        is_connected=credential is not None and credential.has_secret,
        is_tested=bool(probes) and all(one.get("passed") for one in probes if one.get("tried", True)),
        syncs_all=job.configuration.scope is Scope.ALL,
        assigned=assigned,
        everybody=everybody,
        is_started=job.row.started,
        is_on=job.row.is_on,
        mappings=tuple(
            MappedKind(one.source.value, one.name, one.enabled, len(one.attributes), len(one.scoping_filters))
            for one in job.configuration.objects
        ),
        is_previewed=is_previewed,
        maps_roles=any(
            ROLES in attribute.dependencies for one in job.configuration.objects for attribute in one.attributes
        ),
        is_untried=await is_untried(connection, job.row),
    )


async def _numbers_of_people(connection: Connection, job: Job) -> tuple[int, int]:
    (_, assigned), everybody = await asyncio.gather(
        assignments.count_assigned(connection, job.row.app), people.count_people(connection, PersonFilter())
    )
    return assigned, everybody


@needs(Permission.APPLICATIONS_READ, app="app")
async def provisioning_overview(context: Context, app: str) -> ProvisioningOverview:
    """Return the content of the overview, read in one transaction. People are counted only for an application that was never started,
    because only its overview shows the setup.
    """
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        setup = await _setup(connection, job, with_people=not job.row.started and not job.row.is_on)
        status = await status_of(connection, job.row)
        groups = await failure_groups.failure_groups(connection, [job.id])
    began = (status.quarantine or {}).get("currentBegan")
    return ProvisioningOverview(
        status=status,
        setup=setup,
        failures=tuple(groups),
        time_left=time_left(status.running, context.now()),
        gives_up_at=datetime.fromisoformat(began) + GIVE_UP_AFTER if began else None,
    )


def time_left(cycle: Cycle | None, now: datetime) -> TimeLeft | None:
    """Return the time that *cycle* still needs at its average rate so far. Returns None if there is no cycle, if its total is not known
    from the start, or as long as too few objects have been processed for an estimate.
    """
    if cycle is None or not cycle.has_fixed_total or cycle.done < _ENOUGH_DONE:
        return None
    speed = cycle.done / max((now - cycle.started_at).total_seconds(), 0.001)
    likely = max(cycle.total - cycle.done, 0) / speed
    return TimeLeft(
        timedelta(seconds=likely * (1 - _SPREAD)),
        timedelta(seconds=likely),
        timedelta(seconds=likely * (1 + _SPREAD)),
        speed,
    )
