"""Hold a plan back where too much would happen at once: access ended, power given, values emptied, accounts renamed.

What counts is what a change *does*, not what it is called: an account is switched off by a disable, by an update that says so and by a
deletion. Counted in three windows (this cycle, one hour, one day), because cycles of one object would never reach a limit per cycle. The
percentage counts only from a few operations on, or a start with two people would be held. A match with an account of more power is
held whatever the counts. What waits behind a plan counts with it, so that of a department unassigned by mistake nobody goes, and not
everybody up to the limit. A hold stops only the plan it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import add, attrgetter, sub

from lockstep.engine.records import Account, Action, Plan, Reason, Step, StepStatus, StepType
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.wording import counted

_DECIDE = "Approve it, or correct what causes it: lockstep deletes list APP"


class GuardCode(StrEnum):
    """What a guard limits; the code of its reason."""

    LOSSES = "TooManyDeletes"  # accounts disabled, switched off or deleted
    GRANTS = "TooManyGrants"  # accounts that get a privileged value
    EMPTIED = "TooManyEmptied"  # accounts that lose a value
    RENAMES = "TooManyRenames"  # accounts whose matching value changes
    MATCH = "PrivilegedMatch"  # an account of more power is about to be linked


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened in one window, in objects. *new_grants* are those of the grants that come with a new account."""

    losses: int = 0
    grants: int = 0
    empties: int = 0
    renames: int = 0
    creates: int = 0
    new_grants: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(add, _numbers(self), _numbers(other)))

    def __sub__(self, other: Tally) -> Tally:
        return Tally(*map(sub, _numbers(self), _numbers(other)))

    def __bool__(self) -> bool:
        """Whether a guard limits any of it; a new account as such is limited by none."""
        return bool(self.losses or self.grants or self.empties or self.renames)

    def larger(self, other: Tally) -> Tally:
        """The larger number of each."""
        return Tally(*map(max, _numbers(self), _numbers(other)))

    def of(self, code: GuardCode) -> int:
        """The number that the guard with *code* limits."""
        match code:
            case GuardCode.LOSSES:
                return self.losses
            case GuardCode.GRANTS:
                return self.grants
            case GuardCode.EMPTIED:
                return self.empties
            case GuardCode.RENAMES:
                return self.renames
            case GuardCode.MATCH:
                return 0


_numbers = attrgetter(*(one.name for one in fields(Tally)))  # in the order of the fields


@dataclass(frozen=True, slots=True)
class Counts:
    """What was let through. *waiting* will want to be next; *live_links*, when the window began, is what percentages are of."""

    cycle: Tally = field(default_factory=Tally)
    hour: Tally = field(default_factory=Tally)
    day: Tally = field(default_factory=Tally)
    live_links: int = 0
    waiting: Tally = field(default_factory=Tally)

    def windows(self) -> Iterator[tuple[str, Tally]]:
        yield "in this cycle", self.cycle
        yield "within an hour", self.hour
        yield "within 24 hours", self.day

    def with_plan(self, plan: Plan) -> Counts:
        """The counts after *plan* was let through."""
        tally = tally_of(plan)
        return replace(self, cycle=self.cycle + tally, hour=self.hour + tally, day=self.day + tally)

    def without(self, tally: Tally) -> Counts:
        """The counts before *tally* was let through: its object is tried again."""
        windows = (self.cycle, self.hour, self.day)
        cycle, hour, day = ((window - tally).larger(Tally()) for window in windows)
        return replace(self, cycle=cycle, hour=hour, day=day)


@dataclass(frozen=True, slots=True)
class _Guard:
    """One limit: how much is allowed, and what would happen to the accounts, as a hold tells it."""

    code: GuardCode
    what: str
    count: int | None
    percent: int | None


def hold_or_release(plan: Plan, counts: Counts, configuration: JobConfiguration, *, approved: bool = False) -> Plan:
    """*plan*, or the same plan held for approval. *approved*: somebody has decided already."""
    if approved:
        return plan
    if plan.claims_privileged and plan.link_to is not None:
        return held(plan, _privileged_match(plan.link_to, what=_in_words(_concerned(plan))))
    for guard in _guards(plan, configuration):
        for window, before in counts.windows():
            reason = _exceeds(guard, plan, before, counts, window, configuration.deletions.percent_from)
            if reason is not None:
                whole = {**reason.details, "what": _in_words(_concerned(plan))}
                return held(plan, replace(reason, details=whole))
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


def hold_undecided(plan: Plan, code: str, sentence: str, details: Mapping[str, str]) -> Plan | None:
    """*plan* held as its object already is, by the guard with *code*; None where that guard has nothing to say about it.

    Somebody will decide about what is planned now: where that is more than what was held, the reason says so.
    """
    concerned = _concerned(plan)
    if code not in {one.value for one in concerned}:
        return None
    first, what = next(iter(concerned)), _in_words(concerned)
    if first.value != code:
        sentence, details = f"Held for approval: it waits for a decision already, and the account would now {what}.", {}
    return held(plan, Reason(first.value, sentence, {**details, "what": what}, _DECIDE))


def tally_of(plan: Plan) -> Tally:
    """What *plan* is to the guards; nothing for most plans."""
    if not plan.action.writes:
        return Tally()
    is_new = plan.action is Action.CREATE
    return Tally(
        int(plan.ends_access),
        int(bool(plan.grants)),
        int(plan.empties),
        int(bool(plan.renames)),
        int(is_new),
        int(is_new and bool(plan.grants)),
    )


def hold_unapproved(plan: Plan, action: str, what: str) -> Plan:
    """*plan* where somebody approved *what* by *action*, and it does that and no more; otherwise the same held.

    Between a decision and its sending the mapping may change, or the person: an approval is no pass for what came later.
    """
    concerned = _concerned(plan)
    deletes_instead = plan.action is Action.DELETE and action != plan.action.value
    if not concerned or (_in_words(concerned) == what and not deletes_instead):
        return plan
    return hold_anew(plan, "something else was approved")


def hold_anew(plan: Plan, because: str) -> Plan:
    """*plan*, which a guard minds, held whatever the counts are: *because* of what somebody decided about another write."""
    concerned = _concerned(plan)
    now = _in_words(concerned)
    sentence = f"Held for approval: {because}, and now the account would {now}."
    return held(plan, Reason(next(iter(concerned)).value, sentence, {"what": now}, _DECIDE))


def _concerned(plan: Plan) -> dict[GuardCode, str]:
    """The guards that have anything to say about *plan*, the worst first, and what would happen to the account."""
    tally = tally_of(plan)
    found = {GuardCode.MATCH: "be linked to somebody with less power"} if plan.claims_privileged else {}
    if tally.losses:
        found[GuardCode.LOSSES] = "be disabled or deleted"
    if tally.grants:
        found[GuardCode.GRANTS] = f"get {' and '.join(plan.grants)}"
    if tally.empties:
        found[GuardCode.EMPTIED] = "lose a value"
    if tally.renames:
        found[GuardCode.RENAMES] = f"get another {' and another '.join(plan.renames)}"
    return found


def _in_words(concerned: Mapping[GuardCode, str]) -> str:
    return " and ".join(concerned.values())


def _privileged_match(account: Account, *, what: str) -> Reason:
    return Reason(
        GuardCode.MATCH.value,
        f'Held for approval: the account "{account.display}" ({account.id}) matches, but has more power in the application than '
        "this person is assigned.",
        {"targetId": account.id, "what": what},
        "Approve it if the account is this person's, or give the person that role.",
    )


def _guards(plan: Plan, configuration: JobConfiguration) -> Iterator[_Guard]:
    deletions, guards = configuration.deletions, configuration.guards
    loss_percent = deletions.threshold_percent if deletions.threshold is not None else None
    limits = {
        GuardCode.LOSSES: (deletions.threshold, loss_percent),
        GuardCode.GRANTS: (guards.privilege_grants, guards.percent),
        GuardCode.EMPTIED: (guards.emptied_attributes, guards.percent),
        GuardCode.RENAMES: (guards.matching_values, guards.percent),
    }
    for code, what in _concerned(plan).items():
        if code in limits:
            yield _Guard(code, what, *limits[code])


def _exceeds(guard: _Guard, plan: Plan, before: Tally, counts: Counts, window: str, percent_from: int) -> Reason | None:
    now, waiting = tally_of(plan), counts.waiting
    number = (before + now + waiting).of(guard.code)
    if guard.count is not None and number > guard.count:
        return _reason(guard, number, waiting, window, f"the limit is {guard.count:,}", {"threshold": str(guard.count)})
    if guard.percent is None:
        return None
    part, of, named = number, counts.live_links, "linked accounts"
    if guard.code is GuardCode.GRANTS and now.creates:
        # New accounts are compared with new accounts: at a first start there are no others.
        part = (before + now + waiting).new_grants
        of, named = (before + now + waiting).creates, "new accounts"
    if part < percent_from or part * 100 <= guard.percent * of:
        return None
    limit = f"the limit is {guard.percent}% of {of:,} {named}"
    return _reason(guard, part, waiting, window, limit, {"thresholdPercent": str(guard.percent), "of": str(of)})


def _reason(guard: _Guard, number: int, waiting: Tally, window: str, limit: str, details: dict[str, str]) -> Reason:
    others = waiting.of(guard.code)
    one = f"with this one and {others:,} more waiting" if others else "with this one"
    return Reason(
        guard.code.value,
        f"Held for approval: {one}, {counted(number, 'account')} would {guard.what} {window}; {limit}.",
        {"window": window, "count": str(number), **details},
        _DECIDE,
    )
