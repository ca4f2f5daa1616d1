"""Test Connection: try what is stored, step by step, and remember what was found.

A connection that is good ends the wait of a job that was stopped because it was not: it tries again at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockstep.actions.context import CREDENTIALS_WRITE, Context, audit
from lockstep.actions.jobs import new_services, read_job, require_credentials
from lockstep.ports import Probe, TargetSettings
from lockstep.storage import credentials, jobs
from lockstep.sync.connections import read_target_settings
from lockstep.sync.services import Job, Services


async def test_connection(context: Context, app: str) -> Sequence[Probe]:
    """Every probe of the stored tenant URL and token, in order; the connection is good when all that were tried passed.

    Raises LockstepError while there are no credentials. Nothing is written to the application.
    """
    services = new_services(context)
    job, settings = await settings_of_target(context, services, app)
    probes = await services.opener.test_connection(settings)
    async with context.changing(CREDENTIALS_WRITE) as edit:
        await credentials.save_test_result(edit.connection, job.row.app, {"probes": [as_row(one) for one in probes]})
        is_good = bool(probes) and all(one.passed for one in probes if one.tried)
        waited = is_good and await jobs.end_connection_wait(edit.connection, job.id)
    if waited:
        await context.after_commit([job.id])
    return probes


async def test_deeply(context: Context, app: str) -> Sequence[Probe]:
    """Everything that provisioning would send to the application, in accounts made for it and deleted again.

    It writes to the application, so somebody has to have asked for it. Raises LockstepError where it cannot be reached.
    """
    services = new_services(context)
    job, settings = await settings_of_target(context, services, app)
    async with context.changing(CREDENTIALS_WRITE) as edit:
        await audit(edit, "Test connection deeply", job.row.app_name)
    return await services.opener.test_deeply(settings)


async def settings_of_target(context: Context, services: Services, app: str) -> tuple[Job, TargetSettings]:
    """The job of *app*, and all that opening it needs. Raises LockstepError while there are no credentials."""
    async with context.reading(CREDENTIALS_WRITE) as connection:
        job = await read_job(context, connection, app)
        await require_credentials(connection, job.row)
        settings = await read_target_settings(
            connection, job.row, job.configuration, context.vault, deadline_seconds=services.times.deadline_seconds
        )
    return job, settings


def as_row(probe: Probe) -> dict[str, Any]:
    """A probe for machines; its exchange is redacted already and not kept."""
    return {
        "name": probe.name,
        "passed": probe.passed,
        "sentence": probe.sentence,
        "remedy": probe.remedy,
        "seconds": round(probe.seconds, 4),
    }
