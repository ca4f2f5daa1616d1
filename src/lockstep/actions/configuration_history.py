"""The versions of an application's configuration, and the differences between them."""

from __future__ import annotations

from lockstep.actions.access import needs
from lockstep.actions.configuration_state import provisioning_spec
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.change import ConfigChange
from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.errors import not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import config_versions
from lockstep.storage.config_versions import VersionRow as VersionRow

PAGE = 100


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_versions(
    context: Context, app: str, *, below: int | None = None, limit: int = PAGE
) -> list[VersionRow]:  # fmt: skip
    """Return one page of the versions, newest first. The newest version of all is in force. *below* is the number of the last version on
    the previous page. Raises LockstepError for an unknown application.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        return await config_versions.list_versions(connection, row.id, below=below, limit=limit)


@needs(Permission.APPLICATIONS_READ, app="app")
async def compare_versions(context: Context, app: str, old: int, new: int) -> tuple[ConfigChange, ...]:
    """Return the changes from version *old* to version *new*. Version 0 is the empty configuration. Raises LockstepError for an unknown
    version.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        after = await _document(connection, app, row.id, new)
        before = await _document(connection, app, row.id, old)
    # "off" in both, because a version does not say whether provisioning is on.
    return difference(after, before.spec, prune=True).changes


async def _document(connection: Connection, app: str, job: str, version: int) -> ConfigDocument:
    config = {} if version == 0 else await config_versions.read_version(connection, job, version)
    if config is None:
        raise not_found(
            f"The configuration of {app} has no version {version}", next_step=f"See: lockstep config history {app}"
        )
    return ConfigDocument(DocumentKind.APPLICATION, app, {"provisioning": provisioning_spec(config, status="off")})
