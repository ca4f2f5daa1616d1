"""Decide membership of a dynamic group: its rule is a list of scoping filters over people's attributes.

Filters are OR-ed, clauses AND-ed, as in a scope. Whoever is deleted is nobody's member; who is disabled still is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.engine.conditions import MEMBER_OF, ScopingFilter, attributes_of, earliest
from lockstep.engine.filter_json import filter_from_json, filter_to_json
from lockstep.engine.moment import Moment
from lockstep.engine.records import Lifecycle, ObjectKind, SourceObject
from lockstep.engine.source_record import OF_MANAGER
from lockstep.engine.strict_json import ConfigurationError, Part

# Computed for one application each, so a group that belongs to none cannot read them.
PER_APPLICATION = frozenset({"IsSoftDeleted", "appRoleAssignments"})


@dataclass(frozen=True, slots=True)
class MembershipRule:
    """A rule without filters has no members: nobody meant "everybody" by leaving it empty."""

    filters: tuple[ScopingFilter, ...]

    @property
    def dependencies(self) -> frozenset[str]:
        """The attributes whose change can change a membership."""
        return frozenset().union(*(attributes_of(scoping.condition) for scoping in self.filters))


@dataclass(frozen=True, slots=True)
class Membership:
    """*why* names the filter that decided, or the closest clause that failed. *review_at*: when time alone may change it."""

    is_member: bool
    why: str
    review_at: datetime | None = None


def rule_from_json(value: Sequence[Mapping[str, Any]]) -> MembershipRule:
    """Compile a rule. Raises ConfigurationError with the place of the mistake."""
    if not isinstance(value, list | tuple):
        raise ConfigurationError("rule", "a list of filters is needed")
    rule = MembershipRule(tuple(filter_from_json(Part(one, f"rule[{index}]")) for index, one in enumerate(value)))
    if MEMBER_OF in rule.dependencies:
        raise ConfigurationError("rule", "a membership cannot depend on memberships: it would never settle")
    if any(name.startswith(OF_MANAGER) for name in rule.dependencies):
        raise ConfigurationError("rule", "a membership cannot depend on attributes of the manager")
    if unknown := sorted(rule.dependencies & PER_APPLICATION):
        raise ConfigurationError("rule", f"{unknown[0]} belongs to one application; a group does not know it")
    return rule


def rule_to_json(rule: MembershipRule) -> list[dict[str, Any]]:
    """The shape that `rule_from_json` reads."""
    return [filter_to_json(scoping) for scoping in rule.filters]


def is_member(obj: SourceObject, rule: MembershipRule, moment: Moment) -> tuple[bool, datetime | None]:
    """Whether *obj* is a member, and when time alone may change that; without the reason, for many."""
    if not _may_be_member(obj):
        return False, None
    record = _record(obj)
    review_at = earliest(*(scoping.condition.flips_at(record, moment) for scoping in rule.filters))
    return any(scoping.condition.holds(record, moment) for scoping in rule.filters), review_at


def decide_membership(obj: SourceObject, rule: MembershipRule, moment: Moment) -> Membership:
    """Whether *obj* is a member, with the reason."""
    if not _may_be_member(obj):
        return Membership(False, "Only people who are in the directory are members.")
    record = _record(obj)
    review_at = earliest(*(scoping.condition.flips_at(record, moment) for scoping in rule.filters))
    for scoping in rule.filters:
        if scoping.condition.holds(record, moment):
            return Membership(True, f'The filter "{scoping.title}" matches.', review_at)
    failed = [[verdict for verdict in f.condition.judge(record, moment) if not verdict.passed] for f in rule.filters]
    closest = min(failed, key=len, default=[])
    why = " and ".join(verdict.why for verdict in closest[:3])
    return Membership(False, f"No filter matches: {why}." if why else "The rule has no filter.", review_at)


def _may_be_member(obj: SourceObject) -> bool:
    return obj.kind is ObjectKind.USER and obj.lifecycle is Lifecycle.ACTIVE


def _record(obj: SourceObject) -> dict[str, Any]:
    return {**obj.attributes, **obj.references, "accountEnabled": obj.account_enabled, "objectId": obj.id}
