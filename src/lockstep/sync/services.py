"""The resources that synchronization shares in one process: the pool, the vault, access to applications, and the caches.

All code in this process that works on a job shares one target until the job's settings change. The opener owns the connections.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lockstep.configuration.rules import JobConfiguration
from lockstep.configuration.template import Template
from lockstep.directory.intake import AfterCommit
from lockstep.engine.decisions.kept import Unkept, with_unkept
from lockstep.engine.decisions.patience import FIRST_PAUSE
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind
from lockstep.errors import not_found
from lockstep.ports import Target, TargetOpener, TargetReader, TargetSettings
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import jobs
from lockstep.storage.outbound_places import list_places
from lockstep.sync.compiled import CompiledConfigurations
from lockstep.sync.connections import read_target_settings
from lockstep.sync.turns import Clock, SharedTurns
from lockstep.vault import Vault


@dataclass(frozen=True, slots=True)
class Job:
    """A job as one claim uses it: its row, and its current configuration in compiled form."""

    row: jobs.JobRow
    configuration: JobConfiguration

    @property
    def id(self) -> str:
        return self.row.id


def unkept_of(row: jobs.JobRow) -> list[Unkept]:
    """Return the attributes that the application leaves out of its responses, in the form that the engine needs."""
    return [Unkept(ObjectKind(one["kind"]), one["path"], one["mapping"], one["answers"]) for one in row.unkept]


SEARCH_LAG_SECONDS = 0.5  # some applications find a new account only after a moment


@dataclass(frozen=True, slots=True)
class Times:
    """The intervals and time limits of synchronization."""

    cycle_interval: timedelta = timedelta(minutes=40)
    probe_interval: timedelta = timedelta(hours=1)
    deadline_seconds: float = 10.0  # for one request to an application
    lease_margin_seconds: float = 10.0
    lease_renewal_seconds: float = 5.0
    ambiguous_wait: timedelta = timedelta(seconds=1)
    late_arrival_seconds: float = 20.0  # how long a create without a response may still reach the application
    search_lag_seconds: float = SEARCH_LAG_SECONDS  # how long to wait before a search without a result counts
    longest_wait_seconds: float = 60.0
    first_pause: timedelta = FIRST_PAUSE  # the first pause if an application does not respond; later ones are longer


@dataclass
class Services:
    """Everything that the drain, on-demand runs and actions share in one process.

    All workers use the clock of the database: each time a job is read, the difference to this machine's clock is measured.
    """

    pool: Pool
    vault: Vault
    opener: TargetOpener
    wake: AfterCommit
    times: Times = field(default_factory=Times)
    clock: Clock = field(default_factory=Clock)  # for the turns of requests
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    template_of: Callable[[str], Template | None] = field(default=lambda name: None)  # finds a template in the gallery
    configurations: CompiledConfigurations = field(default_factory=CompiledConfigurations)
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    drains: dict[str, asyncio.Event] = field(
        default_factory=dict
    )  # the drains that run in this process, with the event that wakes each
    machine_time: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _off_by: timedelta = timedelta(0)  # how far this machine's clock is ahead of the database's
    _targets: dict[str, tuple[Target, TargetSettings]] = field(default_factory=dict)
    _turns: dict[str, SharedTurns] = field(default_factory=dict)

    async def read_job(self, connection: Connection, job: str) -> Job:
        """Read the job with its current configuration. Raises LockstepError if it does not exist."""
        row = await jobs.read_job(connection, job)
        if row is None:
            raise not_found(
                f"There is no provisioning job {job}", next_step="List the applications: lockstep apps list"
            )
        if row.read_at is not None:
            self._off_by = self.machine_time() - row.read_at
        return await self.compiled(connection, row)

    async def compiled(self, connection: Connection, row: jobs.JobRow) -> Job:
        """Return the job of *row* with its configuration. A configuration is compiled only once."""
        roles = await jobs.roles_of_application(connection, row.app)
        configuration = self.configurations.compiled(row, roles, vault=self.vault, template_of=self.template_of)
        return Job(row, with_unkept(configuration, unkept_of(row)) if row.unkept else configuration)

    async def open_target(self, job: Job) -> tuple[Target, TargetSettings]:
        """Return the application of *job*, opened once for each version of its settings.

        Raises LockstepError if there are no credentials.
        """
        settings = await self._settings_of(job)
        known = self._targets.get(job.id)
        if known is None or known[1] != settings:
            known = self._targets[job.id] = (self.opener.open(settings, self.turns(job)), settings)
        return known

    async def open_reader(self, job: Job) -> TargetReader:
        """Return a reader of the application of *job*, for previews. Its client refuses every request that could write.

        Raises LockstepError if there are no credentials.
        """
        settings = replace(await self._settings_of(job), reads_only=True)
        return self.opener.open(settings, self.turns(job))

    def turns(self, job: Job) -> SharedTurns:
        """Return the turns for requests to the application of *job*. All senders in this process share these turns."""
        rate = job.configuration.limits.requests_per_second
        turns = self._turns.get(job.id)
        if turns is None:
            turns = self._turns[job.id] = SharedTurns(self.pool, job.id, rate, self.clock)
        turns.rate = rate
        return turns

    async def _settings_of(self, job: Job) -> TargetSettings:
        async with self.pool.connection() as connection:
            settings = await read_target_settings(
                connection,
                job.row,
                job.configuration,
                self.vault,
                deadline_seconds=self.times.deadline_seconds,
            )
            # A new private address wakes the jobs that wait for it, so this process must know the address.
            self.opener.allow([one.entry for one in await list_places(connection)])
        return settings

    def moment(self) -> Moment:
        """Return the present time with a fresh seed."""
        return Moment(self.now(), secrets.token_bytes(16))

    def now(self) -> datetime:
        """Return the time of the database: this machine's time, corrected by the difference that was measured when a job was last read."""
        return self.machine_time() - self._off_by
