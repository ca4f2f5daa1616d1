"""Hold a plan back where too much would happen at once: disables and deletes, privileged values given, attributes emptied.

Counted in three windows (this cycle, one hour, one day), because cycles of one object would never reach a limit per cycle. The
percentage counts only from a few operations on, or a start with two people would be held. A match with an account of more power is
held whatever the counts. What waits behind a plan counts with it, so that of a department unassigned by mistake nobody goes, and not
everybody up to the limit. A hold stops only the plan it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lockstep.engine.configuration import JobConfiguration
from lockstep.engine.records import Account, Action, Plan, Reason, Step, StepStatus, StepType


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened in one window, in objects: disables and deletes, grants of privilege, emptied attributes."""

    destructive: int = 0
    grants: int = 0
    empties: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.destructive + other.destructive, self.grants + other.grants, self.empties + other.empties)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.destructive - other.destructive, self.grants - other.grants, self.empties - other.empties)

    def __bool__(self) -> bool:
        return bool(self.destructive or self.grants or self.empties)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was let through. *waiting* will want to be next; *live_links*, when the window began, is what percentages are of."""

    cycle: Tally = field(default_factory=Tally)
    hour: Tally = field(default_factory=Tally)
    day: Tally = field(default_factory=Tally)
    live_links: int = 0
    waiting: Tally = field(default_factory=Tally)

    def windows(self) -> Iterator[tuple[str, Tally]]:
        yield "this cycle", self.cycle
        yield "the last hour", self.hour
        yield "the last 24 hours", self.day

    def with_plan(self, plan: Plan) -> Counts:
        """The counts after *plan* was let through."""
        if not plan.action.writes:
            return self
        return replace(self, cycle=_after(self.cycle, plan), hour=_after(self.hour, plan), day=_after(self.day, plan))


@dataclass(frozen=True, slots=True)
class _Guard:
    """One limit: what it counts, how much of it is allowed, and how a hold is told."""

    code: str
    what: str
    count: int | None
    percent: int | None
    percent_from: int


def hold_or_release(plan: Plan, counts: Counts, configuration: JobConfiguration, *, approved: bool = False) -> Plan:
    """*plan*, or the same plan held for approval. *approved*: somebody has decided already."""
    if approved:
        return plan
    if plan.claims_privileged and plan.link_to is not None:
        return held(plan, _privileged_match(plan.link_to))
    if not plan.action.writes:
        return plan
    for guard, waiting, tallies in _guards(plan, counts, configuration):
        for window, before in tallies:
            reason = _exceeds(guard, before, waiting, window, counts.live_links)
            if reason is not None:
                return held(plan, reason)
    return plan


def held(plan: Plan, reason: Reason) -> Plan:
    """*plan* kept back for a person's approval; nothing is written, and the link stays as it is (its state is not said)."""
    step = Step("EntrySynchronizationHold", StepType.PROCESSING, StepStatus.WARNING, reason.text, reason.details)
    return replace(
        plan,
        action=Action.HELD,
        held_action=plan.action,
        reasons=(reason, *plan.reasons),
        steps=(*plan.steps, step),
        link_state=None,
    )


def _privileged_match(account: Account) -> Reason:
    return Reason(
        "PrivilegedMatch",
        f'Held for approval: the account "{account.display}" ({account.id}) matches, but has more power in the application than '
        "this person is assigned.",
        {"targetId": account.id},
        "Approve it if the account is this person's, or give the person that role.",
    )


def _guards(
    plan: Plan, counts: Counts, configuration: JobConfiguration
) -> Iterator[tuple[_Guard, int, list[tuple[str, int]]]]:
    deletions, guards = configuration.deletions, configuration.guards
    if plan.action.is_destructive:
        guard = _Guard(
            "TooManyDeletes",
            "accounts disabled or deleted",
            deletions.threshold,
            deletions.threshold_percent if deletions.threshold is not None else None,
            deletions.percent_from,
        )
        yield guard, counts.waiting.destructive, [(name, tally.destructive) for name, tally in counts.windows()]
        return
    # Among new accounts there is nothing to compare with: only the number counts.
    percent = None if plan.action is Action.CREATE else guards.percent
    if plan.grants:
        guard = _Guard(
            "TooManyGrants", "privileged values given", guards.privilege_grants, percent, deletions.percent_from
        )
        yield guard, counts.waiting.grants, [(name, tally.grants) for name, tally in counts.windows()]
    if plan.empties:
        guard = _Guard(
            "TooManyEmptied", "accounts that lose a value", guards.emptied_attributes, percent, deletions.percent_from
        )
        yield guard, counts.waiting.empties, [(name, tally.empties) for name, tally in counts.windows()]


def _exceeds(guard: _Guard, before: int, waiting: int, window: str, live_links: int) -> Reason | None:
    number = before + 1 + waiting
    one = f"with this one and {waiting:,} more that wait" if waiting else "with this one"
    details = {"window": window, "count": str(number), "liveLinks": str(live_links)}
    next_step = "Approve it, or correct what causes it: lockstep deletes list APP"
    if guard.count is not None and number > guard.count:
        text = f"Held for approval: {one} {number:,} {guard.what} in {window}, {guard.count:,} are allowed."
        return Reason(guard.code, text, {**details, "threshold": str(guard.count)}, next_step)
    if guard.percent is not None and number >= guard.percent_from and number * 100 > guard.percent * live_links:
        text = (
            f"Held for approval: {one} {number:,} {guard.what} in {window}, more than {guard.percent} % "
            f"of {live_links:,} linked accounts."
        )
        return Reason(guard.code, text, {**details, "thresholdPercent": str(guard.percent)}, next_step)
    return None


def tally_of(plan: Plan) -> Tally:
    """What *plan* is to the guards; nothing for most plans."""
    if not plan.action.writes:
        return Tally()
    return Tally(int(plan.action.is_destructive), int(plan.grants), int(plan.empties))


def _after(tally: Tally, plan: Plan) -> Tally:
    return tally + tally_of(plan)
