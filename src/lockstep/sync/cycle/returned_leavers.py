"""Notice leavers whose accounts are active again, because the application was restored from a backup or somebody enabled them there.

A restore undoes the most recent writes. Each scheduled cycle therefore reads the accounts that were disabled most recently. If one of them
is active again, the accounts of all leavers are read.
"""

from __future__ import annotations

import structlog

from lockstep.engine.records import Action, Lane, LinkState
from lockstep.postgres.pool import Connection, transaction
from lockstep.storage import dirty_marks, leavers
from lockstep.storage.dirty import LEAVER_CHECK_MARK, NEWEST_LEAVER_MARK
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Job, Services

log = structlog.get_logger()

NEWEST = 3  # more than one, because an administrator of the application may have corrected one of them


async def mark_newest(connection: Connection, job: str) -> None:
    """Mark the leavers whose accounts were disabled most recently, so that these accounts are read. The next call of `mark_all` then marks
    all leavers again.
    """
    await leavers.allow_check(connection, job)
    for kind, ids in (await leavers.disabled_last(connection, job, limit=NEWEST)).items():
        await dirty_marks.mark(connection, job, kind, ids, lane=Lane.RECONCILE, reason=NEWEST_LEAVER_MARK)


async def mark_all(services: Services, job: Job) -> None:
    """Mark all leavers, so that each of their accounts is read. Leavers that are already marked for such a check are left out. Does nothing
    if `mark_all` has already marked leavers since the last call of `mark_newest`.
    """
    checked = (NEWEST_LEAVER_MARK, LEAVER_CHECK_MARK)
    async with transaction(services.pool) as connection:
        if not await leavers.begin_check(connection, job.id):
            return
        for kind, ids in (await leavers.disabled(connection, job.id, besides=checked)).items():
            marked = await dirty_marks.mark(
                connection, job.id, kind, ids, lane=Lane.RECONCILE, reason=LEAVER_CHECK_MARK
            )
            log.warning("leaver_active_again", job=job.id, kind=kind, checked=marked)


def is_active_again(planned: PlanResult) -> bool:
    """Whether *planned* disables an account that had been disabled before. Somebody must have enabled the account in the meantime."""
    link = planned.prepared.link
    return link is not None and link.state is LinkState.DISABLED and planned.plan.action is Action.DISABLE
