"""Read the job of an application, and open the services that contact applications. Used by all actions on provisioning."""

from __future__ import annotations

from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.configuration.template import Template
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import credentials, jobs
from lockstep.storage.jobs import JobRow
from lockstep.sync.services import Job, Services


async def job_row(connection: Connection, app: str) -> JobRow:
    """Return the job of the application *app*. Raises LockstepError, with suggestions, if there is no such application."""
    row = await jobs.find_job(connection, app)
    if row is None:
        found = await find_application(connection, app)
        raise LockstepError(Kind.INTERNAL, f"{found.name} has no provisioning job")
    return row


async def read_job(context: Context, connection: Connection, app: str) -> Job:
    """Return the job with its compiled configuration."""
    row = await job_row(connection, app)
    return await new_services(context).compiled(connection, row)


def new_services(context: Context) -> Services:
    """Build the services through which one action contacts applications. Raises LockstepError if this process cannot contact any
    application.
    """

    def template_of(name: str) -> Template | None:
        return context.gallery.template(name) if name in context.gallery.names() else None

    if context.opener is None:
        raise LockstepError(Kind.INTERNAL, "This process cannot reach applications")
    return Services(
        context.pool,
        context.vault,
        context.opener,
        context.after_commit,
        template_of=template_of,
        configurations=context.configurations,
    )


async def require_credentials(connection: Connection, row: JobRow) -> None:
    """Raise LockstepError unless a tenant URL and a token are stored."""
    credential = await credentials.read_credential(connection, row.app)
    if credential is None or not credential.has_secret:
        raise LockstepError(
            Kind.UNAUTHORIZED,
            f"{row.app_display_name} has no credentials",
            next_step=f"Set them: lockstep creds set {row.app_name} --tenant-url URL --token-stdin",
            code="NoCredentials",
        )
