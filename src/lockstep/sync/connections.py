"""The connection of a job to its application: the stored tenant URL and token, and the request rate that its configuration allows.

The token stays sealed until the target builds a header.
"""

from __future__ import annotations

from lockstep.configuration.authentication import Authentication, AuthenticationMethod
from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.records import ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.ports import TargetSettings
from lockstep.postgres.pool import Connection
from lockstep.storage.credentials import sealed_credential
from lockstep.storage.jobs import JobRow
from lockstep.vault import Secret, Vault

TOKEN = "secretToken"  # noqa: S105  # what the vault's envelope says it is for


async def read_target_settings(
    connection: Connection, job: JobRow, configuration: JobConfiguration, vault: Vault, *, deadline_seconds: float
) -> TargetSettings:
    """Return everything needed to connect to the application. Raises LockstepError if no credentials are stored."""
    stored = await sealed_credential(connection, job.app)
    if stored is None:
        raise LockstepError(
            Kind.UNAUTHORIZED,
            f"{job.app_display_name} has no credentials",
            next_step=f"Set them: lockstep creds set {job.app_name} --tenant-url URL --token-stdin",
            code="NoCredentials",
        )
    secret = vault.open(stored.secret, purpose=TOKEN, name=job.app, shown=job.app_name)
    authentication = Authentication(
        AuthenticationMethod(stored.authentication), stored.client_id, stored.token_url, stored.scope
    )
    return target_settings(
        job, configuration, stored.tenant_url, secret, deadline_seconds=deadline_seconds, authentication=authentication
    )


def target_settings(
    job: JobRow, configuration: JobConfiguration, tenant_url: str, secret: Secret, *, deadline_seconds: float,
    authentication: Authentication,
) -> TargetSettings:  # fmt: skip
    """Build the same settings as `read_target_settings`, but with the given URL, secret and authentication, which need not be stored."""
    users = configuration.mapping_for(ObjectKind.USER)
    matching = users.matching[0].target if users and users.matching else "userName"
    limits = configuration.limits
    return TargetSettings(
        app=job.app_name,
        display_name=job.app_display_name,
        tenant_url=tenant_url,
        secret=secret,
        authentication=authentication,
        matching_attribute=matching,
        deadline_seconds=deadline_seconds,
        requests_per_second=limits.requests_per_second,
        concurrency=limits.concurrency or 16,
        kinds=tuple(mapping.source for mapping in configuration.objects if mapping.enabled),
        redacted_paths=_redacted_paths(configuration),
    )


def _redacted_paths(configuration: JobConfiguration) -> frozenset[str]:
    """Return the target paths that must not appear in recorded exchanges."""
    return frozenset(one.target for mapping in configuration.objects for one in mapping.attributes if one.is_redacted)
