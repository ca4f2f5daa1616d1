"""Name the cause of a write in a few words: a person's action, the directory, the scope, the configuration, or drift. Pure.

The plan knows why the account must change; the marks of the object say why it was evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockstep.engine.plans import Plan

SYSTEM = "system"
# Causes that the plan states for people who lose access.
_LOST: Mapping[str, str] = {
    "unassigned": "left the scope: no longer assigned",
    "filtered": "left the scope: the scoping filters",
    "disabled": "disabled in the directory",
    "deleted": "deleted in the directory",
    "purged": "purged from the directory",
    "lost": "the account no longer exists in the application",
    "unmapped": "the mapping for these objects is disabled",
}
# Causes that are derived from the marks of the object, most specific first.
_MARKS: Mapping[str, str] = {
    "created": "new in the directory",
    "restored": "restored in the directory",
    "enabled": "enabled in the directory",
    "assigned": "assigned",
    "unassigned": "an assignment ended",
    "manager": "the manager changed",
    "members": "members changed",
    "changed": "changed in the directory",
    "configuration": "the configuration changed",
    "reviewDue": "a date was reached",
    "initialCycle": "full cycle",
    "newestLeaver": "check of disabled accounts",
    "leaverCheck": "check of disabled accounts",
}


def cause_of(plan: Plan, marks: Sequence[str], *, initiated_by: str) -> str:
    """Return the cause, or "" if it is unknown."""
    if initiated_by != SYSTEM:
        return f"provisioned on demand by {initiated_by}"
    cause = _cause(plan, marks)
    return f"{cause}; approved by an administrator".removeprefix("; ") if "approved" in marks else cause


def _cause(plan: Plan, marks: Sequence[str]) -> str:
    if plan.cause in _LOST:
        return _LOST[plan.cause]
    if plan.reports_drift:
        return "changed in the application"
    return next((words for mark, words in _MARKS.items() if mark in marks), "")
