"""An overview of all applications: the state of each, what failed in the last day, and what needs an administrator's attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, Level, failing_sources
from lockstep.actions.jobs import job_row
from lockstep.actions.outgoing_mail import examine_mail
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.certificates import Expiry, expiring_certificates
from lockstep.actions.status import JobStatus, statuses_of
from lockstep.actions.status_labels import StatusLabel, label_of
from lockstep.postgres.pool import Connection
from lockstep.storage import administrators, application_sso, jobs, provisioning_log
from lockstep.storage.jobs import JobRow
from lockstep.storage.provisioning_log import LogFilter, LogRow

_DAY = timedelta(days=1)
_NEEDS_NOBODY = frozenset({StatusLabel.NOT_CONFIGURED, StatusLabel.READY, StatusLabel.PAUSED})


@dataclass(frozen=True, slots=True)
class AppOverview:
    """One application. *failures* counts failed changes of the last 24 hours. *owners* are e-mail addresses. *signs_on* is true if a
    single sign-on method is selected.
    """

    id: str
    status: JobStatus
    label: StatusLabel
    failures: int
    owners: tuple[str, ...]
    signs_on: bool = False

    @property
    def needs_attention(self) -> bool:
        """Whether an administrator has to act. False for an application that was never switched on or that an administrator paused."""
        return self.status.headline.exit_code != 0 and self.label not in _NEEDS_NOBODY

    @property
    def users(self) -> int:
        return self.status.links.get("User", 0)

    @property
    def is_on(self) -> bool:
        return self.status.is_on


@dataclass(frozen=True, slots=True)
class Overview:
    """The content of the first page. *sources* are the sources that could not be read. *recent* are the newest changes, newest first.

    *certificates* lists the signing certificates that have expired or expire soon. *mail* lists the problems with sending mail.
    """

    apps: Sequence[AppOverview]
    sources: Sequence[HealthFinding]
    recent: Sequence[LogRow]
    certificates: Sequence[Expiry] = ()
    mail: Sequence[HealthFinding] = ()

    @property
    def urgent(self) -> list[AppOverview]:
        return [app for app in self.apps if app.needs_attention]


@needs(Permission.APPLICATIONS_READ, filters=True)
async def list_overview(context: Context) -> list[AppOverview]:
    """Return the applications that the caller may see, sorted by name."""
    async with context.reading() as connection:
        rows = await jobs.read_jobs(connection)
        visible = [row for row in rows if context.actor.may(Permission.APPLICATIONS_READ, row.app)]
        return await _overviews(connection, visible)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_overview(context: Context, app: str) -> AppOverview:
    """Return one application. Raises LockstepError, with suggestions, if it does not exist."""
    async with context.reading() as connection:
        return (await _overviews(connection, [await job_row(connection, app)]))[0]


async def _overviews(connection: Connection, rows: Sequence[JobRow]) -> list[AppOverview]:
    failures = await provisioning_log.count_failures(connection, [row.id for row in rows], since=_DAY)
    owners = await administrators.owners_of(connection, [row.app for row in rows])
    statuses = await statuses_of(connection, rows)
    signing_on = await application_sso.signing_on(connection, [row.app for row in rows])
    return [
        AppOverview(
            row.app, status, label_of(status), failures.get(row.id, 0), owners.get(row.app, ()), row.app in signing_on
        )
        for row, status in zip(rows, statuses, strict=True)
    ]


@needs(Permission.APPLICATIONS_READ, filters=True)
async def overview(context: Context, *, recent: int = 8) -> Overview:
    """Return the content of the first page."""
    apps = await list_overview(context)
    async with context.reading() as connection:
        newest = await provisioning_log.read_log(connection, LogFilter(), limit=recent * 4)
        visible = {app.id for app in apps}
        shown = [row for row in newest if row.app in visible and row.status != "skipped"][:recent]
    mail = await examine_mail(context) if context.actor.may(Permission.MAIL_READ) else []
    wrong = [one for one in mail if one.level is Level.FAIL]
    return Overview(apps, await failing_sources(context), shown, await expiring_certificates(context), wrong)
