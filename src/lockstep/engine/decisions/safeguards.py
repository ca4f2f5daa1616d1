"""Hold plans for approval if too many accounts would lose access, gain privileges, lose values or be renamed at once.

The effect of a change counts, not its action: a disable, a deletion and an update of `active` all end access. Effects are counted in three
windows (this cycle, one hour, one day), because many small cycles would never reach a limit per cycle. Percentages apply only if a minimum
number of operations have the effect. Without this minimum, a job that starts with two people would be held.

A match is held regardless of the counts if the account has more privileges than the object should have, or if the account belonged to
another, deleted person.

Queued plans count too. If, for example, a department that exceeds the limit is unassigned by mistake, all of its plans are held, and not
only those beyond the limit. A held plan does not delay other plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import add, attrgetter, sub

from lockstep.engine.plans import GuardCode, Plan, Step, StepStatus, StepType
from lockstep.engine.records import Account, Action, Reason
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.wording import counted

_DECIDE = "Approve it, or correct the cause: lockstep deletes list APP"


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of objects with each effect in one window. *new_grants* counts grants to new accounts."""

    losses: int = 0
    grants: int = 0
    empties: int = 0
    renames: int = 0
    creates: int = 0
    new_grants: int = 0

    @classmethod
    def at_most(cls, count: int, *, new: int) -> Tally:
        """Return an upper limit for the effects of *count* objects, as if each object had every effect. *new* is the number of those
        objects that have no account yet.
        """
        return cls(**{one.name: count for one in fields(cls)} | {"creates": new, "new_grants": new})

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(add, _numbers(self), _numbers(other)))

    def __sub__(self, other: Tally) -> Tally:
        return Tally(*map(sub, _numbers(self), _numbers(other)))

    def __bool__(self) -> bool:
        """Whether the tally has an effect that a guard limits. Creating accounts is not such an effect."""
        return bool(self.losses or self.grants or self.empties or self.renames)

    def larger(self, other: Tally) -> Tally:
        """Return a tally with the larger of the two numbers for each effect."""
        return Tally(*map(max, _numbers(self), _numbers(other)))

    def of(self, code: GuardCode) -> int:
        """Return the number of objects that have the effect limited by the guard with this *code*."""
        match code:
            case GuardCode.LOSSES:
                return self.losses
            case GuardCode.GRANTS:
                return self.grants
            case GuardCode.EMPTIED:
                return self.empties
            case GuardCode.RENAMES:
                return self.renames
            case GuardCode.MATCH | GuardCode.FORMER_OWNER:
                return 0


_numbers = attrgetter(*(one.name for one in fields(Tally)))  # reads all fields, in their order


@dataclass(frozen=True, slots=True)
class Counts:
    """The effects of the writes that were let through, by window. *waiting* has the effects of the objects that are still in the queue.

    Percentages refer to *live_links*, counted when the window began.
    """

    cycle: Tally = field(default_factory=Tally)
    hour: Tally = field(default_factory=Tally)
    day: Tally = field(default_factory=Tally)
    live_links: int = 0
    waiting: Tally = field(default_factory=Tally)

    def windows(self) -> Iterator[tuple[str, Tally]]:
        yield "in this cycle", self.cycle
        yield "within an hour", self.hour
        yield "within 24 hours", self.day

    def plus(self, tally: Tally) -> Counts:
        """Return the counts with *tally* added. *tally* has the effects of the plans that were let through."""
        return replace(self, cycle=self.cycle + tally, hour=self.hour + tally, day=self.day + tally)

    def with_creates(self, *, cycle: int, hour: int, day: int) -> Counts:
        """Return counts in which each window has at least the given number of created accounts. Lower numbers are raised."""
        windows = zip((self.cycle, self.hour, self.day), (cycle, hour, day), strict=True)
        in_cycle, in_hour, in_day = (window.larger(Tally(creates=creates)) for window, creates in windows)
        return replace(self, cycle=in_cycle, hour=in_hour, day=in_day)

    def without(self, tally: Tally) -> Counts:
        """Return the counts minus *tally*. *tally* contains the effects of an object that was counted before and is now tried again."""
        windows = (self.cycle, self.hour, self.day)
        cycle, hour, day = ((window - tally).larger(Tally()) for window in windows)
        return replace(self, cycle=cycle, hour=hour, day=day)


@dataclass(frozen=True, slots=True)
class _Guard:
    """A limit: the number of accounts that it allows, and the words for the effect on them."""

    limits: GuardCode
    what: str
    count: int | None
    percent: int | None


def hold_or_release(plan: Plan, counts: Counts, configuration: JobConfiguration, *, approved: bool = False) -> Plan:
    """Return *plan*, either unchanged or held for approval. *approved* is true if an administrator has already approved the plan."""
    if approved:
        return plan
    if plan.needs_approval and plan.link_to is not None:
        return _held_match(plan, plan.link_to)
    for guard in _guards(plan, configuration):
        for window, before in counts.windows():
            reason = _exceeds(guard, plan, before, counts, window, configuration.deletions.percent_from)
            if reason is not None:
                whole = {**reason.details, "what": _joined(_concerned(plan))}
                return held(plan, guard.limits, replace(reason, details=whole))
    return plan


def held(plan: Plan, guard: GuardCode, reason: Reason) -> Plan:
    """Return *plan* held for approval under *guard*, so that nothing is written. *link_state* becomes None: the link keeps its state."""
    step = Step("EntrySynchronizationHold", StepType.PROCESSING, StepStatus.WARNING, reason.text, reason.details)
    return replace(
        plan,
        action=Action.HELD,
        held_action=plan.action,
        held_by=guard,
        reasons=(reason, *plan.reasons),
        steps=(*plan.steps, step),
        link_state=None,
    )


def hold_undecided(plan: Plan, guard: GuardCode, sentence: str, details: Mapping[str, str]) -> Plan | None:
    """Return *plan* held for approval, because *guard* already holds an earlier plan of the same object. Returns None if *plan* lacks the
    effect of *guard*.

    The administrator then decides about the new plan. If the plan also has an effect that a more severe guard limits, that guard holds the
    plan, and the reason mentions this.
    """
    concerned = _concerned(plan)
    if guard not in concerned:
        return None
    first, what = next(iter(concerned)), _joined(concerned)
    if first is guard and plan.needs_approval and plan.link_to is not None:
        return _held_match(plan, plan.link_to)  # the earlier sentence may name another account
    if first is not guard:
        sentence, details = (
            f"Held for approval: an earlier write to this account is still waiting for a decision, and the account would now {what}.",
            {},
        )
    return held(plan, first, Reason(first.value, sentence, {**details, "what": what}, _DECIDE))


def tally_of(plan: Plan) -> Tally:
    """Count the effects of *plan* for which guards exist. Most plans have none."""
    if not plan.action.writes:
        return Tally()
    is_new = plan.action is Action.CREATE
    return Tally(
        losses=int(plan.ends_access),
        grants=int(bool(plan.grants)),
        empties=int(plan.empties),
        renames=int(bool(plan.renames)),
        creates=int(is_new),
        new_grants=int(is_new and bool(plan.grants)),
    )


def hold_regardless(plan: Plan, because: str) -> Plan:
    """Return *plan* held for approval, regardless of the counts. *because* is the reason, as a clause. The plan must have an effect that a
    guard limits.
    """
    concerned = _concerned(plan)
    now = _joined(concerned)
    sentence = f"Held for approval: {because}, and now the account would {now}."
    first = next(iter(concerned))
    return held(plan, first, Reason(first.value, sentence, {"what": now}, _DECIDE))


def _concerned(plan: Plan) -> dict[GuardCode, str]:
    """Return the guards that apply to *plan*, most severe first, each with a phrase for the effect on the account."""
    tally = tally_of(plan)
    found = {GuardCode.MATCH: "be linked to a person with fewer privileges"} if plan.claims_privileged else {}
    if plan.claims_anothers:
        found[GuardCode.FORMER_OWNER] = f"be taken over from {plan.takes_over_from}"
    if tally.losses:
        found[GuardCode.LOSSES] = "be disabled or deleted"
    if tally.grants:
        found[GuardCode.GRANTS] = f"get {' and '.join(plan.grants)}"
    if tally.empties:
        found[GuardCode.EMPTIED] = "lose a value"
    if tally.renames:
        found[GuardCode.RENAMES] = f"get a different {' and a different '.join(plan.renames)}"
    return found


def _joined(concerned: Mapping[GuardCode, str]) -> str:
    return " and ".join(concerned.values())


def _held_match(plan: Plan, account: Account) -> Plan:
    """Return *plan* held for approval, because *account*, which it would link, may not belong to the object."""
    what = _joined(_concerned(plan))
    if plan.claims_privileged:
        return held(plan, GuardCode.MATCH, _privileged_match(account, what=what))
    return held(plan, GuardCode.FORMER_OWNER, _strangers_match(account, plan.takes_over_from, what=what))


def _privileged_match(account: Account, *, what: str) -> Reason:
    return Reason(
        GuardCode.MATCH.value,
        f'Held for approval: the account "{account.display}" ({account.id}) matches, but has more privileges in the application than '
        "this person is assigned.",
        {"targetId": account.id, "what": what},
        "Approve it if the account belongs to this person, or assign that role to the person.",
    )


def _strangers_match(account: Account, former: str, *, what: str) -> Reason:
    return Reason(
        GuardCode.FORMER_OWNER.value,
        f'Held for approval: the account "{account.display}" ({account.id}) matches, but belonged to "{former}", who has been deleted and '
        "had another employee id.",
        {"targetId": account.id, "formerOwner": former, "what": what},
        "Approve it if both are the same person. Otherwise rename or delete the account in the application: the person then gets a "
        "separate account.",
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
    number = (before + now + waiting).of(guard.limits)
    if guard.count is not None and number > guard.count:
        return _reason(guard, number, waiting, window, f"the limit is {guard.count:,}", {"threshold": str(guard.count)})
    if guard.percent is None:
        return None
    part, of, named = number, counts.live_links, "linked accounts"
    if guard.limits is GuardCode.GRANTS and now.creates:
        # Compare grants to new accounts with new accounts: at the first start there are no others.
        part = (before + now + waiting).new_grants
        of, named = (before + now + waiting).creates, "new accounts"
    if part < percent_from or part * 100 <= guard.percent * of:
        return None
    limit = f"the limit is {guard.percent}% of {of:,} {named}"
    return _reason(guard, part, waiting, window, limit, {"thresholdPercent": str(guard.percent), "of": str(of)})


def _reason(guard: _Guard, number: int, waiting: Tally, window: str, limit: str, details: dict[str, str]) -> Reason:
    others = waiting.of(guard.limits)
    one = f"with this one and {others:,} more waiting" if others else "with this one"
    return Reason(
        guard.limits.value,
        f"Held for approval: {one}, {counted(number, 'account')} would {guard.what} {window}; {limit}.",
        {"window": window, "count": str(number), **details},
        _DECIDE,
    )
