"""Held writes, with the facts that an administrator needs for a decision: the effect of each write, the affected person, the reason, and
the number of similar writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody
from lockstep.engine.plans import GuardCode
from lockstep.postgres.pool import Connection
from lockstep.storage import held_operations
from lockstep.storage.held_operations import CAUSES, MAPPING, OF_GUARD, HeldFilter, HeldOperation
from lockstep.wording import counted

REASONS = (*CAUSES, MAPPING, *OF_GUARD.values())
PAGE = 100
_MOST_NAMED = 20  # in an entry of the audit log


@dataclass(frozen=True, slots=True)
class HeldWrite:
    """One held write. *guard* is the guard that held it, and *held_by* says why the guard asks for a decision. *reason* is the cause of the
    write, one of `REASONS`. *why* is a sentence that explains the cause for this person.
    """

    id: str
    kind: str
    source_id: str
    name: str
    account: str
    action: str
    guard: GuardCode
    reason: str
    what: str
    why: str
    held_by: str
    limit: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """Held writes with the same guard, the same reason and, for some guards, the same effect *what*. *limit* is a sentence about the limit
    of the guard; "" if it has none.
    """

    guard: GuardCode
    reason: str
    what: str
    count: int
    limit: str


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_held(
    context: Context,
    app: str,
    *,
    users: Sequence[str] = (),
    reasons: Sequence[str] = (),
    search: str = "",
    rejected: bool = False,
    after: str = "",
    limit: int = PAGE,
) -> list[HeldWrite]:
    """Return one page of the writes that wait for a decision, oldest first. With *rejected*, return the rejected writes instead, which are
    not sent.

    *users*, *reasons* and *search* (a part of the name) restrict the list. *after* is the id of the last write on the previous page.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        objects = [(await find_anybody(connection, name)).id for name in users] if users else None
        wanted = HeldFilter(objects, reasons=reasons, search=search, rejected=rejected)
        found = await held_operations.held_operations(connection, row.id, wanted, after=after, limit=limit)
    return [_held(one) for one in found]


@needs(Permission.APPLICATIONS_READ, app="app")
async def held_ids(
    context: Context,
    app: str,
    *,
    ids: Sequence[str] | None = None,
    reasons: Sequence[str] = (),
    search: str = "",
    rejected: bool = False,
) -> list[str]:
    """Return the ids of all writes that `list_held` would return, on all pages. If *ids* is given, all other ids are left out."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        wanted = HeldFilter(ids=ids, reasons=reasons, search=search, rejected=rejected)
        return await held_operations.held_ids(connection, row.id, wanted)


@needs(Permission.APPLICATIONS_READ, app="app")
async def count_held(
    context: Context, app: str, *, reasons: Sequence[str] = (), search: str = "", rejected: bool = False
) -> list[HeldGroup]:
    """Count the writes that `list_held` would return on all its pages, by guard, reason and effect."""
    async with context.reading() as connection:
        row = await job_row(connection, app)
        wanted = HeldFilter(reasons=reasons, search=search, rejected=rejected)
        found = await held_operations.count_held(connection, row.id, wanted)
    return [HeldGroup(one.guard, one.reason, one.what, one.count, _limit(dict(one.details))) for one in found]


def groups_of(held: Sequence[HeldWrite]) -> list[HeldGroup]:
    """Return the held writes in groups, one for each combination of guard, reason and effect. *held* must be sorted, with the newest write
    last.
    """
    found: dict[tuple[GuardCode, str, str], HeldGroup] = {}
    for one in held:
        key = (one.guard, one.reason, one.what)
        before = found.pop(key, None)
        limit = one.limit or (before.limit if before else "")
        found[key] = HeldGroup(*key, (before.count if before else 0) + 1, limit)
    return list(found.values())


def summary(groups: Sequence[HeldGroup]) -> list[str]:
    """Describe held writes: one sentence for each guard, with the number of accounts, the effect of the writes and the limit of the guard.
    The sentence for the guard `LOSSES` also contains the reasons.
    """
    lines = []
    for guard in GuardCode:
        alike = [one for one in groups if one.guard is guard]
        if alike:
            counts: Counter[str] = Counter()
            for one in alike:
                counts[one.reason] += one.count
            limit = next((one.limit for one in reversed(alike) if one.limit), "")
            of = ", ".join(
                f"{number:,} {'by the mapping' if reason == MAPPING else reason}"
                for reason, number in counts.most_common()
            )
            of = f": {of}" if guard is GuardCode.LOSSES else ""
            lines.append(f"{counted(counts.total(), 'account')} would {_together(guard, alike)}{of}.{limit}")
    return lines


def what_is_held(one: HeldOperation) -> str:
    """Describe the effect of a held write on the account as a verb phrase: "disable", "get the role Admin"."""
    match one.guard:
        case GuardCode.GRANTS | GuardCode.RENAMES | GuardCode.EMPTIED:
            return str(one.error.get("details", {}).get("what", one.action))
        case GuardCode.MATCH:
            return "be linked to an account with more privileges"
        case GuardCode.FORMER_OWNER:
            return "take over the account of a different person who was deleted"
        case GuardCode.LOSSES:
            return "switch off" if one.action in ("update", "enable") else one.action


def _held(one: HeldOperation) -> HeldWrite:
    error = dict(one.error)
    details = error.get("details", {})
    sentence = str(error.get("reason") or error.get("message") or one.guard.value)
    return HeldWrite(
        id=one.id,
        kind=one.kind,
        source_id=one.source_id,
        name=one.display or str(error.get("display", "")) or one.source_id,
        account=one.target_id,
        action=one.action,
        guard=one.guard,
        reason=one.reason,
        what=what_is_held(one),
        why=str(error.get("why", "")),
        held_by=sentence,
        limit=_limit(details),
        since=one.planned_at,
    )


def _limit(details: dict[str, str]) -> str:
    window = details.get("window", "at once")
    if "threshold" in details:
        return f" The limit is {int(details['threshold']):,} {window}."
    if "thresholdPercent" in details:
        of = f" of {int(details['of']):,}" if "of" in details else ""
        return f" The limit is {details['thresholdPercent']}%{of} {window}."
    return ""


def _together(guard: GuardCode, alike: Sequence[HeldGroup]) -> str:
    if guard is GuardCode.LOSSES:
        return "be disabled or deleted"
    if guard is GuardCode.MATCH:
        return "be linked to people with fewer privileges"
    if guard is GuardCode.FORMER_OWNER:
        return "be taken over from other people who were deleted"
    words = {one.what for one in alike}
    if len(words) == 1:
        return next(iter(words))
    return "gain privileges" if guard is GuardCode.GRANTS else "change"


async def facts_about(connection: Connection, job: str, decided: Sequence[str]) -> dict[str, Any]:
    """Return facts for the audit log about decided writes: the number of writes for each reason, and the names of the first objects.
    *decided* has the ids of the writes.
    """
    wanted = HeldFilter(ids=decided, is_decided=True)
    reasons: Counter[str] = Counter()
    for one in await held_operations.count_held(connection, job, wanted):
        reasons[one.reason] += one.count
    first = await held_operations.held_operations(connection, job, wanted, limit=_MOST_NAMED)
    names = [one.display or str(one.error.get("display") or one.source_id) for one in first]
    return {"reasons": dict(reasons), "names": names + ["..."] * (reasons.total() > len(names))}
