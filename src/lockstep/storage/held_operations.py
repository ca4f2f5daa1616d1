"""Read the writes that a guard holds or an administrator rejected, with everything that an administrator needs for a decision."""

# ruff: noqa: S608  # statements are built from constants of this module and of the guards

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.engine.plans import GuardCode
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.patterns import part_of
from lockstep.storage.rejections import STANDS

MAPPING = "mapping"  # a mapping disables the account although the person has not left
# The cause of a hold by each guard, in one word. A loss of access has one of CAUSES instead.
OF_GUARD = {
    GuardCode.GRANTS: "privilege",
    GuardCode.RENAMES: "renamed",
    GuardCode.EMPTIED: "emptied",
    GuardCode.MATCH: "match",
    GuardCode.FORMER_OWNER: "rehired",
}
CAUSES = ("unassigned", "filtered", "disabled", "deleted", "purged", "lost", "unmapped")
_SAYS_WHAT = (GuardCode.GRANTS, GuardCode.RENAMES, GuardCode.EMPTIED)  # their details say what a write would do


@dataclass(frozen=True, slots=True)
class HeldOperation:
    """A write that waits for a decision. *reason* names the cause of the write, or of the hold, in one word."""

    id: str
    kind: str
    source_id: str
    display: str
    target_id: str
    action: str
    error: Mapping[str, Any]
    planned_at: datetime
    reason: str

    @property
    def guard(self) -> GuardCode:
        """The guard that holds the write back."""
        return GuardCode(self.error.get("guard", GuardCode.LOSSES))


@dataclass(frozen=True, slots=True)
class HeldCount:
    """The number of writes that one guard holds for the same reason and with the same effect. Only some of these writes state the limit in
    their details; *details* come from the newest one that does.
    """

    guard: GuardCode
    reason: str
    what: str
    count: int
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """The conditions for the held writes to read. A field that is None or empty matches all.

    If *rejected* is true, writes whose rejection is in force are read instead of held writes. If *is_decided* is true, exactly the writes
    in *ids* are read, whether or not they are still held.
    """

    objects: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    reasons: Sequence[str] = ()
    search: str = ""
    rejected: bool = False
    is_decided: bool = False


async def jobs_that_hold(
    connection: Connection, jobs: Sequence[str], kind: ObjectKind, source_id: str
) -> frozenset[str]:
    """Return the jobs in *jobs* that hold a write of this object for a decision."""
    cursor = await connection.execute(
        "select job from operation where state = 'held' and job = any(%s) and kind = %s and source_id = %s",
        (list(jobs), kind, source_id),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


def _cases(values: Mapping[GuardCode, str]) -> str:
    return " ".join(f"when '{guard.value}' then '{word}'" for guard, word in values.items())


_CAUSES = ", ".join(f"'{cause}'" for cause in CAUSES)
_WHATS = ", ".join(f"'{guard.value}'" for guard in _SAYS_WHAT)
_HELD = f"""with newest as (
    select distinct on (kind, source_id) * from operation
    where job = %(job)s and {{which}} and (%(objects)s::uuid[] is null or source_id = any(%(objects)s::uuid[]))
    order by kind, source_id, settled_at desc),
named as (
    select newest.id::text, newest.kind, newest.source_id::text, coalesce(link.display, '') as display, newest.target_id, newest.action,
        coalesce(newest.error, '{{{{}}}}') as error, newest.planned_at,
        coalesce(newest.error->>'guard', '{GuardCode.LOSSES.value}') as guard,
        case newest.error->>'guard' {_cases(OF_GUARD)} else
            case when newest.error->>'cause' in ({_CAUSES}) then newest.error->>'cause' else '{MAPPING}' end end as reason,
        coalesce(nullif(link.display, ''), nullif(newest.error->>'display', ''), newest.source_id::text) as name
    from newest
    left join link on link.job = newest.job and link.kind = newest.kind and link.source_id = newest.source_id),
held as (
    select * from named
    where (%(ids)s::text[] is null or id = any(%(ids)s::text[])) and (%(reasons)s::text[] = '{{{{}}}}' or reason = any(%(reasons)s::text[]))
        and (%(search)s = '' or name ilike %(like)s))
"""


def _values(job: str, wanted: HeldFilter) -> dict[str, Any]:
    return {
        "job": job,
        "objects": None if wanted.objects is None else list(wanted.objects),
        "ids": None if wanted.ids is None else [one.lower() for one in wanted.ids],
        "reasons": list(wanted.reasons),
        "search": wanted.search,
        "like": part_of(wanted.search),
    }


def _held(wanted: HeldFilter) -> str:
    if wanted.is_decided:
        return _HELD.format(which="id = any(%(ids)s::uuid[])")
    return _HELD.format(which=STANDS if wanted.rejected else "state = 'held'")


async def held_operations(
    connection: Connection, job: str, wanted: HeldFilter, *, after: str = "", limit: int | None = None
) -> list[HeldOperation]:
    """Return held writes, oldest first. *after* is the id of the last write on the previous page."""
    values = _values(job, wanted) | {"after": after or None, "limit": limit}
    async with connection.cursor(row_factory=class_row(HeldOperation)) as cursor:
        await cursor.execute(
            _held(wanted)
            + """select id, kind, source_id, display, target_id, action, error, planned_at, reason from held
            where %(after)s::text is null
                or (planned_at, id) > (select planned_at, operation.id::text from operation where operation.id::text = lower(%(after)s))
            order by planned_at, id limit %(limit)s""",
            values,
        )
        return await cursor.fetchall()


async def held_ids(connection: Connection, job: str, wanted: HeldFilter) -> list[str]:
    """Return the ids of held writes, oldest first."""
    cursor = await connection.execute(
        _held(wanted) + "select id from held order by planned_at, id", _values(job, wanted)
    )
    return [row[0] for row in await cursor.fetchall()]


async def count_held(connection: Connection, job: str, wanted: HeldFilter) -> list[HeldCount]:
    """Count held writes by guard, reason and effect. The counts are ordered by the time at which their newest write was planned."""
    cursor = await connection.execute(
        _held(wanted)
        + f"""select guard, reason, case when guard in ({_WHATS}) then coalesce(error->'details'->>'what', action) else '' end as what,
            count(*), (array_agg(error->'details' order by planned_at desc, id desc)
                filter (where error->'details' ?| array['threshold', 'thresholdPercent']))[1]
        from held group by 1, 2, 3 order by max(planned_at)""",
        _values(job, wanted),
    )
    return [HeldCount(GuardCode(row[0]), row[1], row[2], row[3], row[4] or {}) for row in await cursor.fetchall()]
