"""The versions of an application's configuration that have been in force, with their authors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of the configuration. *activity* says what the author did, in the terms of the audit log. *comment* is
    "" if nobody has commented on the version.
    """

    version: int
    created_at: datetime
    author: str
    activity: str
    comment: str


async def list_versions(connection: Connection, job: str, *, below: int | None, limit: int) -> list[VersionRow]:
    """Return one page of the versions, newest first. *below* is the last version on the previous page."""
    cursor = await connection.execute(
        """select version, created_at, author, activity, comment from config_version where job = %s and version < coalesce(%s, 2147483647)
        order by version desc limit %s""",
        (job, below, limit),
    )
    return [VersionRow(*row) for row in await cursor.fetchall()]


async def read_version(connection: Connection, job: str, version: int) -> Mapping[str, Any] | None:
    cursor = await connection.execute(
        "select config from config_version where job = %s and version = %s", (job, version)
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def last_worked_with(connection: Connection, job: str) -> Mapping[str, Any] | None:
    """Return the newest configuration that *job* has worked with: the one that was in force when provisioning was switched off, or that of
    the newest cycle. Returns None if the job has never worked. A version that was saved while provisioning was off does not count, nor does
    an on-demand run.
    """
    cursor = await connection.execute(
        """select config from config_version where job = %(job)s and version = greatest(
            (select max(old.version) from config_version as old join job on job.id = old.job
                where old.job = %(job)s and old.created_at < job.paused_at and job.started),
            (select max(cycle.config_version) from cycle where cycle.job = %(job)s and cycle.kind <> 'onDemand'))""",
        {"job": job},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def write_comment(connection: Connection, job: str, version: int, comment: str) -> str | None:
    """Replace the comment on a version. Returns the former comment, or None if there is no such version."""
    cursor = await connection.execute(
        """update config_version as now set comment = %s from config_version as before
        where now.job = %s and now.version = %s and before.job = now.job and before.version = now.version
        returning before.comment""",
        (comment, job, version),
    )
    row = await cursor.fetchone()
    return row[0] if row else None
