"""Held writes, with what an administrator needs to decide about them: what each write would do, to whom and why, and how many similar
writes are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody
from lockstep.engine.plans import GuardCode
from lockstep.storage.held_operations import HeldOperation, held_operations
from lockstep.wording import counted

MAPPING = "mapping"  # a mapping disables the account although nobody left
# One word for the reason of a hold, if it is not the reason why somebody loses access.
_REASONS = {
    GuardCode.GRANTS: "privilege",
    GuardCode.RENAMES: "renamed",
    GuardCode.EMPTIED: "emptied",
    GuardCode.MATCH: "match",
    GuardCode.FORMER_OWNER: "rehired",
}
_LEFT = ("unassigned", "filtered", "disabled", "deleted", "purged", "lost", "unmapped")
REASONS = (*_LEFT, MAPPING, *_REASONS.values())


@dataclass(frozen=True, slots=True)
class HeldWrite:
    """One held write. *guard* is the guard that held it, and *held_by* says why the guard asks for a decision. *reason* is the cause of the
    write, one of `REASONS`; *why* says in a sentence how that cause applies to this person.
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


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_held(
    context: Context,
    app: str,
    *,
    users: Sequence[str] = (),
    reasons: Sequence[str] = (),
    first: int | None = None,
    rejected: bool = False,
) -> list[HeldWrite]:
    """Return the writes that wait for a decision, oldest first. *users* and *reasons* select some of them, and *first* limits their number.
    With *rejected*, returns the writes that an administrator has rejected instead; those are not sent.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        ids = {(await find_anybody(connection, name)).id for name in users}
        found = [_held(one) for one in await held_operations(connection, row.id, rejected=rejected)]
    wanted = [one for one in found if (not users or one.source_id in ids) and (not reasons or one.reason in reasons)]
    return wanted[:first]


def summary(held: Sequence[HeldWrite]) -> list[str]:
    """Describe held writes in one sentence for each guard, with the number of objects, the operation, the limit and the reasons."""
    lines = []
    for guard in GuardCode:
        alike = [one for one in held if one.guard is guard]
        if alike:
            counts = Counter(one.reason for one in alike).most_common()
            limit = next((one.limit for one in reversed(alike) if one.limit), "")
            of = ", ".join(
                f"{number:,} {'by the mapping' if reason == MAPPING else reason}" for reason, number in counts
            )
            of = f": {of}" if guard is GuardCode.LOSSES else ""
            lines.append(f"{counted(len(alike), 'account')} would {_together(guard, alike)}{of}.{limit}")
    return lines


def what_is_held(one: HeldOperation) -> str:
    """Describe as a verb phrase what a held write would do to the account: "disable", "get the role Admin"."""
    match one.guard:
        case GuardCode.GRANTS | GuardCode.RENAMES | GuardCode.EMPTIED:
            return str(one.error.get("details", {}).get("what", one.action))
        case GuardCode.MATCH:
            return "be linked to an account with more privileges"
        case GuardCode.FORMER_OWNER:
            return "take over the account of somebody else who was deleted"
        case GuardCode.LOSSES:
            return "switch off" if one.action in ("update", "enable") else one.action


def _held(one: HeldOperation) -> HeldWrite:
    error = dict(one.error)
    cause = str(error.get("cause", ""))
    reason = _REASONS.get(one.guard) or (cause if cause in _LEFT else MAPPING)
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
        reason=reason,
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


def _together(guard: GuardCode, alike: Sequence[HeldWrite]) -> str:
    if guard is GuardCode.LOSSES:
        return "be disabled or deleted"
    if guard is GuardCode.MATCH:
        return "be linked to people with fewer privileges"
    if guard is GuardCode.FORMER_OWNER:
        return "be taken over from deleted people who were somebody else"
    words = {one.what for one in alike}
    if len(words) == 1:
        return next(iter(words))
    return "gain privileges" if guard is GuardCode.GRANTS else "change"
