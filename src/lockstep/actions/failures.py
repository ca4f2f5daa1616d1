"""The objects that fail at present, in all applications. Failures with the same error form one group, so that an administrator examines and
retries each cause once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import failure_groups, jobs
from lockstep.storage.failure_groups import FailureGroup


@dataclass(frozen=True, slots=True)
class FailingApplication:
    """One application in which at least one object fails. *groups* contains the failures, grouped by error; the largest group is first."""

    id: str
    name: str
    display_name: str
    groups: Sequence[FailureGroup]

    @property
    def count(self) -> int:
        return sum(one.count for one in self.groups)


@needs(Permission.APPLICATIONS_READ, filters=True)
async def list_failing(context: Context) -> list[FailingApplication]:
    """Return the applications that the caller may read and in which an object fails at present. The application with the most failures
    comes first.
    """
    async with context.reading() as connection:
        rows = await jobs.read_jobs(connection)
        visible = [row for row in rows if context.actor.may(Permission.APPLICATIONS_READ, row.app)]
        groups: dict[str, list[FailureGroup]] = {}
        for one in await failure_groups.failure_groups(connection, [row.id for row in visible]):
            groups.setdefault(one.job, []).append(one)
    found = [
        FailingApplication(row.app, row.app_name, row.app_display_name, groups[row.id])
        for row in visible
        if row.id in groups
    ]
    return sorted(found, key=lambda one: -one.count)
