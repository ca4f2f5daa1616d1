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
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, config_versions
from lockstep.storage.config_versions import VersionRow as VersionRow

PAGE = 100
LONGEST_COMMENT = 1_000  # characters
ACTIVITY = "Comment on configuration version"


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


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def comment_on_version(context: Context, app: str, version: int, comment: str) -> None:
    """Replace the comment on a version by *comment*; "" removes it. Raises LockstepError for an unknown version and for a comment that is
    too long.
    """
    text = checked_comment(comment)
    async with context.recording() as connection:
        row = await job_row(connection, app)
        before = await config_versions.write_comment(connection, row.id, version, text) if 0 < version < 2**31 else None
        if before is None:
            raise _unknown(app, version)
        if before != text:
            await audit_log.append(
                connection,
                actor=context.actor.name,
                activity=ACTIVITY,
                target=row.app_name,
                before={"version": version, "comment": before},
                after={"version": version, "comment": text},
            )


def checked_comment(comment: str) -> str:
    """Return *comment* in one line, without spaces around it. Raises LockstepError if it is too long."""
    text = " ".join(comment.split())
    if len(text) > LONGEST_COMMENT:
        raise invalid(
            f"The comment has {len(text):,} characters",
            why=f"At most {LONGEST_COMMENT:,} are stored",
            next_step="Shorten it, or refer to a document that contains the details",
        )
    return text


async def _document(connection: Connection, app: str, job: str, version: int) -> ConfigDocument:
    config = {} if version == 0 else await config_versions.read_version(connection, job, version)
    if config is None:
        raise _unknown(app, version)
    return ConfigDocument(DocumentKind.APPLICATION, app, {"provisioning": provisioning_spec(config, status="off")})


def _unknown(app: str, version: int) -> LockstepError:
    return not_found(
        f"The configuration of {app} has no version {version}", next_step=f"See: lockstep config history {app}"
    )
