"""Test Connection: probe the stored credentials step by step, and store the result.

After a successful test, a job that had stopped because its connection was broken tries again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.credentials import (
    CredentialView,
    authentication_of,
    check_secret,
    checked_authentication,
    checked_url,
    origin,
    refuse_other_use,
    set_credentials,
)
from lockstep.actions.jobs import job_row, new_services, read_job, require_credentials
from lockstep.actions.permissions import Permission
from lockstep.configuration.authentication import Authentication
from lockstep.errors import Kind, LockstepError, invalid
from lockstep.ports import Probe, TargetSettings
from lockstep.postgres.pool import Connection
from lockstep.storage import credentials, jobs
from lockstep.sync.connections import read_target_settings, target_settings
from lockstep.sync.services import Job, Services
from lockstep.vault import SECRET_UNREADABLE, Secret


@needs(Permission.CONNECTION_TEST, app="app")
async def test_connection(context: Context, app: str) -> Sequence[Probe]:
    """Run the probes in order with the stored tenant URL and token. The connection works if every probe that ran has passed.

    Raises LockstepError if no credentials are stored. Writes nothing to the application.
    """
    context.refuse_rehearsal()
    services = new_services(context)
    job, settings = await settings_of_target(context, services, app)
    probes = await services.opener.test_connection(settings)
    async with context.changing() as edit:
        await credentials.save_test_result(edit.connection, job.row.app, {"probes": [as_row(one) for one in probes]})
        is_good = bool(probes) and all(one.passed for one in probes if one.tried)
        waited = is_good and await jobs.end_connection_wait(edit.connection, job.id)
    if waited:
        await context.after_commit([job.id])
    return probes


@needs(Permission.CREDENTIALS_WRITE, app="app")
async def try_credentials(
    context: Context, app: str, *, tenant_url: str | None = None, secret_token: Secret | None = None,
    authentication: Authentication | None = None,
) -> Sequence[Probe]:  # fmt: skip
    """Run the probes with the given tenant URL and token; for a value that is not given, use the stored one. Stores nothing. Raises
    LockstepError if a URL or token is neither given nor stored, or if the stored token would be sent to a different origin.
    """
    context.refuse_rehearsal()
    services = new_services(context)
    _, settings, _ = await _candidates(context, services, app, tenant_url, secret_token, authentication)
    if settings is None:
        raise invalid(
            "A token is needed for the test",
            why="The stored token belongs to another server",
            next_step="Enter the secret token, then test again",
        )
    return await services.opener.test_connection(settings)


@needs(Permission.CREDENTIALS_WRITE, app="app")
async def set_tested_credentials(
    context: Context,
    app: str,
    *,
    tenant_url: str | None = None,
    secret_token: Secret | None = None,
    authentication: Authentication | None = None,
    must_work: bool = False,
    agree: Callable[[Probe], None],
) -> CredentialView:
    """Store the tenant URL, the secret, the authentication method, or several of these. The new credentials are tested first if a token is
    stored already or *must_work* is true.

    If the new credentials fail while the stored ones work, *agree* is called before anything is stored; it can refuse by raising an error.
    Raises LockstepError if the URL or the token is invalid. With *must_work*, also raises LockstepError if the new credentials fail.
    """
    context.refuse_rehearsal()
    services = new_services(context)
    replaces, new, stored = await _candidates(context, services, app, tenant_url, secret_token, authentication)
    probes: Sequence[Probe] = ()
    if new is not None and (must_work or replaces):
        probes = await services.opener.test_connection(new)
        failed = first_failure(probes)
        if failed is not None and must_work:
            kind = Kind.UNAUTHORIZED if failed.name == "Authentication" else Kind.UNREACHABLE
            raise LockstepError(
                kind,
                f"The new credentials do not work; nothing was stored: {failed.sentence}",
                next_step=failed.remedy,
            )
        if failed is not None and stored is not None and await _works(services, stored):
            agree(failed)
    elif must_work:
        raise invalid(
            "A token is needed for the test",
            next_step="Enter it with --token-stdin; the stored token belongs to another server",
        )
    view = await set_credentials(
        context, app, tenant_url=tenant_url, secret_token=secret_token, authentication=authentication
    )
    if probes:
        async with context.changing() as edit:
            row = await job_row(edit.connection, app)
            await credentials.save_test_result(edit.connection, row.app, {"probes": [as_row(one) for one in probes]})
    return view


async def _candidates(
    context: Context, services: Services, app: str, tenant_url: str | None, secret_token: Secret | None,
    authentication: Authentication | None,
) -> tuple[bool, TargetSettings | None, TargetSettings | None]:  # fmt: skip
    """Return three values: whether a readable token is stored, the target settings with the new credentials, and the target settings with
    the stored credentials.

    The settings with the new credentials are None if these are incomplete. The settings with the stored credentials are None if no readable
    token is stored. Raises LockstepError if the new credentials are invalid, or if the stored token would be used for another
    authentication method.
    """
    url = checked_url(tenant_url) if tenant_url is not None else None
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        row = await credentials.read_credential(connection, job.row.app)
        method = authentication_of(row) if authentication is None else checked_authentication(authentication)
        if secret_token:
            check_secret(secret_token, method)
        elif row is not None and row.has_secret:
            refuse_other_use(authentication_of(row), method)
        stored = None
        if row is not None and row.has_secret:
            stored = await _stored_settings(context, connection, job, services.times.deadline_seconds)
    new_url = url or (row.tenant_url if row is not None else "")
    secret = secret_token or None
    if secret is None and stored is not None and origin(stored.tenant_url) == origin(new_url):
        secret = stored.secret
    if not new_url or secret is None:
        return stored is not None, None, stored
    deadline = services.times.deadline_seconds
    return (
        stored is not None,
        target_settings(job.row, job.configuration, new_url, secret, deadline_seconds=deadline, authentication=method),
        stored,
    )


async def _stored_settings(
    context: Context, connection: Connection, job: Job, deadline_seconds: float
) -> TargetSettings | None:
    """Return the target settings with the stored token. Returns None if the key cannot decrypt the token. No error is raised then, so that
    an administrator can enter a new token.
    """
    try:
        return await read_target_settings(
            connection, job.row, job.configuration, context.vault, deadline_seconds=deadline_seconds
        )
    except LockstepError as error:
        if error.code != SECRET_UNREADABLE:
            raise
        return None


async def _works(services: Services, settings: TargetSettings) -> bool:
    return first_failure(await services.opener.test_connection(settings)) is None


def first_failure(probes: Sequence[Probe]) -> Probe | None:
    """Return the first probe that failed; None if every probe that ran has passed."""
    return next((probe for probe in probes if probe.tried and not probe.passed), None)


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def test_deeply(context: Context, app: str) -> Sequence[Probe]:
    """Run Test Connection, and then every kind of request that provisioning would send. The requests concern accounts that are created for
    this test and deleted again.

    The test writes to the application, so run it only on an administrator's request. Raises LockstepError if no credentials are stored.
    """
    context.refuse_rehearsal()
    services = new_services(context)
    job, settings = await settings_of_target(context, services, app)
    async with context.changing() as edit:
        await audit(edit, "Test connection deeply", job.row.app_name)
    return await services.opener.test_deeply(settings)


async def settings_of_target(context: Context, services: Services, app: str) -> tuple[Job, TargetSettings]:
    """Return the job of *app*, and the settings with which to open the application. Raises LockstepError if no credentials are stored."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        await require_credentials(connection, job.row)
        settings = await read_target_settings(
            connection, job.row, job.configuration, context.vault, deadline_seconds=services.times.deadline_seconds
        )
    return job, settings


def as_row(probe: Probe) -> dict[str, Any]:
    """Return a probe as JSON to be stored. Leaves out the HTTP exchange of the probe."""
    return {
        "name": probe.name,
        "passed": probe.passed,
        "sentence": probe.sentence,
        "remedy": probe.remedy,
        "seconds": round(probe.seconds, 4),
        "tried": probe.tried,
    }
