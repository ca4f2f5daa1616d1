"""Collect the risks that a preview shows: writes that guards would hold, objects that cannot be provisioned, and effects on
many accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.engine.decisions.effects import Effect
from lockstep.engine.decisions.safeguards import Counts, Tally, hold_or_release, tally_of
from lockstep.engine.plans import GuardCode, Plan
from lockstep.engine.records import Action, Reason
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.sync.previewing.planning import DRIFT, PRIVILEGED, PlannedObject
from lockstep.wording import counted

MANY_PERCENT = 20  # of the linked accounts
MANY = 10  # accounts that lose the same attribute
# The guards that count, each with the effect that it limits and the words for what would happen.
GUARDED_EFFECTS = {
    GuardCode.LOSSES: (Effect.LOSES_ACCESS, "would be disabled or deleted"),
    GuardCode.GRANTS: (Effect.GAINS_PRIVILEGE, "would gain a privileged value"),
    GuardCode.EMPTIED: (Effect.LOSES_VALUE, "would lose a value"),
    GuardCode.RENAMES: (Effect.RENAMED, "would get a different matching value"),
}


@dataclass(frozen=True, slots=True)
class PreviewRisk:
    """One risk. *effect* or *action* selects the objects that it concerns; at most one of the two is set."""

    code: str
    text: str
    count: int
    is_high: bool
    effect: str = ""
    action: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "text": self.text,
            "count": self.count,
            "isHigh": self.is_high,
            "effect": self.effect,
            "action": self.action,
        }


@dataclass(slots=True)
class RiskCollector:
    """Sums up the effects of all plans of one preview. Uses the same amount of memory for any number of objects."""

    configuration: JobConfiguration
    counts: Counts
    total: Tally = field(default_factory=Tally)
    actions: Counter[str] = field(default_factory=Counter)
    emptied: Counter[str] = field(default_factory=Counter)
    privileged: int = 0
    doubtful: int = 0
    drifted: int = 0
    examples: dict[GuardCode, Plan] = field(default_factory=dict)  # one plan for each guard that counts

    def add(self, planned: Iterable[PlannedObject]) -> None:
        for one in planned:
            self.actions[one.shown.action] += 1
            self.drifted += DRIFT in one.shown.effects
            if one.plan is not None:
                self._add(one.plan, is_privileged=PRIVILEGED in one.shown.effects)

    def _add(self, plan: Plan, *, is_privileged: bool) -> None:
        tally = tally_of(plan)
        self.total += tally
        self.privileged += is_privileged
        self.doubtful += plan.needs_approval
        self.emptied.update(change.path for change in plan.changes if change.new is None and plan.action.writes)
        for guard in GUARDED_EFFECTS:
            if tally.of(guard) and guard not in self.examples:
                self.examples[guard] = plan

    def held(self) -> dict[GuardCode, Reason]:
        """Return the guards that would hold writes because there are too many such writes, each guard with its reason."""
        found = {}
        for guard, plan in self.examples.items():
            waiting = self.total - tally_of(plan)
            # The other effects of the example are judged by their own example.
            alone = Tally(
                **{_FIELDS[guard]: waiting.of(guard)} | {"creates": waiting.creates, "new_grants": waiting.new_grants}
            )
            checked = hold_or_release(plan, replace(self.counts, waiting=alone), self.configuration)
            if checked.action is Action.HELD and checked.held_by is guard:
                found[guard] = checked.reason
        return found

    def risks(self) -> list[PreviewRisk]:
        """Return the risks, most severe first."""
        held = self.held()
        found = [self._guarded(guard, held.get(guard)) for guard in GUARDED_EFFECTS if self.total.of(guard)]
        found += self._privileged()
        found += self._share()
        found += [
            PreviewRisk(
                "Emptied", f"{path} would be emptied in {counted(number, 'account')}.", number, is_high=True,
                effect=Effect.LOSES_VALUE.value,
            )
            for path, number in self.emptied.most_common()
            if number >= MANY
        ]  # fmt: skip
        if refused := self.actions[Action.REFUSE.value]:
            text = f"{counted(refused, 'object')} cannot be provisioned."
            found.append(PreviewRisk("Cannot", text, refused, is_high=True, action=Action.REFUSE.value))
        if self.drifted:
            text = f"{counted(self.drifted, 'account')} would keep values that were changed in the application, because of a drift rule."
            found.append(PreviewRisk("Drift", text, self.drifted, is_high=False, effect=DRIFT))
        return sorted(found, key=lambda one: not one.is_high)

    def _guarded(self, guard: GuardCode, reason: Reason | None) -> PreviewRisk:
        effect, would = GUARDED_EFFECTS[guard]
        number = self.total.of(guard)
        what = f"{counted(number, 'account')} {would}"
        if reason is None:
            limit = _limit_of(guard, self.configuration)
            text = f"{what}. {f'The limit is {limit:,}.' if limit is not None else 'No limit is set.'}"
            return PreviewRisk(guard.value, text, number, is_high=False, effect=effect.value)
        limit_text = _limit_text(reason.details)
        text = f"{what}, and {limit_text}. Lockstep holds these writes until somebody approves them."
        return PreviewRisk(guard.value, text, number, is_high=True, effect=effect.value)

    def _privileged(self) -> list[PreviewRisk]:
        found = []
        if self.privileged:
            text = f"{counted(self.privileged, 'account')} with a privileged role would be disabled or deleted."
            found.append(PreviewRisk("Privileged", text, self.privileged, is_high=True, effect=PRIVILEGED))
        if self.doubtful:
            text = f"{counted(self.doubtful, 'match')} may be with another person's account. Lockstep holds them for approval."
            found.append(PreviewRisk("DoubtfulMatch", text, self.doubtful, is_high=True, action="held"))
        return found

    def _share(self) -> list[PreviewRisk]:
        changed = sum(self.actions[one.value] for one in (Action.UPDATE, Action.ENABLE, Action.DISABLE, Action.DELETE))
        linked = self.counts.live_links
        if changed < MANY or changed * 100 <= MANY_PERCENT * linked:
            return []
        percent = round(changed * 100 / linked) if linked else 100
        text = f"{changed:,} of {counted(linked, 'linked account')} would change ({percent}%)."
        return [PreviewRisk("Share", text, changed, is_high=True, action="writes")]


_FIELDS = {
    GuardCode.LOSSES: "losses",
    GuardCode.GRANTS: "grants",
    GuardCode.EMPTIED: "empties",
    GuardCode.RENAMES: "renames",
}


def effects_held(held: Iterable[GuardCode]) -> list[str]:
    """Return the effects that the guards in *held* limit. Objects with such an effect are held."""
    return [GUARDED_EFFECTS[guard][0].value for guard in held]


def _limit_of(guard: GuardCode, configuration: JobConfiguration) -> int | None:
    guards = configuration.guards
    return {
        GuardCode.LOSSES: configuration.deletions.threshold,
        GuardCode.GRANTS: guards.privilege_grants,
        GuardCode.EMPTIED: guards.emptied_attributes,
        GuardCode.RENAMES: guards.matching_values,
    }[guard]


def _limit_text(details: Mapping[str, str]) -> str:
    if "threshold" in details:
        return f"the limit is {int(details['threshold']):,}"
    return f"the limit is {details['thresholdPercent']}% of {counted(int(details['of']), 'account')}"
