"""Count the accounts that changed in the applications on each of the last days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import daily_counts as store
from lockstep.storage import jobs

DAYS = 14
CHANGED = ("updated", "enabled", "linked")
REMOVED = ("disabled", "deleted")


@dataclass(frozen=True, slots=True)
class DayActivity:
    """Numbers of accounts that changed on one day in UTC. *changed* counts accounts that were updated, enabled or linked; *removed* counts
    accounts that were disabled or deleted.
    """

    day: date
    created: int
    changed: int
    removed: int
    failed: int


@needs(Permission.APPLICATIONS_READ, app="app", filters=True)
async def daily_activity(context: Context, *, app: str = "", days: int = DAYS) -> Sequence[DayActivity]:
    """Return the activity on each of the last *days* days including today, oldest day first. Without *app*, the accounts of all
    applications that the caller may read are counted.
    """
    today = context.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    async with context.reading() as connection:
        wanted = [
            row.id
            for row in await jobs.read_jobs(connection)
            if app in ("", row.app_name) and context.actor.may(Permission.APPLICATIONS_READ, row.app)
        ]
        known = {one.day: one.counts for one in await store.daily_counts(connection, wanted, since=first)}
    return [_day(first + timedelta(days=place), known) for place in range(days)]


@needs(Permission.APPLICATIONS_READ, filters=True)
async def activity_of_each(context: Context, *, days: int = DAYS) -> Mapping[str, Sequence[int]]:
    """Return the number of accounts that were written on each day, for each application that the caller may read. The keys are the names of
    the applications. Each list of numbers covers the last *days* days including today, oldest day first.
    """
    today = context.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    async with context.reading() as connection:
        rows = [
            row for row in await jobs.read_jobs(connection) if context.actor.may(Permission.APPLICATIONS_READ, row.app)
        ]
        written = await store.daily_writes(
            connection, [row.id for row in rows], ("created", *CHANGED, *REMOVED), since=first
        )
    numbers = {(job, day): number for job, day, number in written}
    dates = [first + timedelta(days=place) for place in range(days)]
    return {row.app_name: [numbers.get((row.id, day), 0) for day in dates] for row in rows}


def _day(day: date, known: Mapping[date, Mapping[str, int]]) -> DayActivity:
    counts = known.get(day, {})

    def of(*names: str) -> int:
        return sum(counts.get(name, 0) for name in names)

    return DayActivity(day, of("created"), of(*CHANGED), of(*REMOVED), of("failed"))
