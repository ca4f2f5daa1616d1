"""Decide membership of a dynamic group, whose rule is a list of scoping filters over people's attributes.

Filters are OR-ed, clauses AND-ed, as in a scope. Deleted people are in no group; disabled people stay members.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.engine.moment import Moment
from lockstep.engine.records import Lifecycle, ObjectKind, SourceObject
from lockstep.engine.rules.conditions import ScopingFilter, attributes_of, earliest


@dataclass(frozen=True, slots=True)
class MembershipRule:
    """The rule of a group. A rule without filters has no members: leaving it empty never means "everybody"."""

    filters: tuple[ScopingFilter, ...]

    @property
    def dependencies(self) -> frozenset[str]:
        """The attributes that the rule reads. A change in one of these attributes can change a membership."""
        return frozenset().union(*(attributes_of(scoping.condition) for scoping in self.filters))


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a person is a member. *why* names the filter that passed, or the clause that failed in the closest filter. *review_at* is
    when the result may change although no data changes.
    """

    is_member: bool
    why: str
    review_at: datetime | None = None


def is_member(obj: SourceObject, rule: MembershipRule, moment: Moment) -> tuple[bool, datetime | None]:
    """Return whether *obj* is a member, and the time at which the membership may change even if no data changes.

    Unlike `decide_membership`, this function does not determine the reason. It is therefore fast for many objects.
    """
    if not _may_be_member(obj):
        return False, None
    record = _record(obj)
    review_at = earliest(*(scoping.condition.flips_at(record, moment) for scoping in rule.filters))
    return any(scoping.condition.holds(record, moment) for scoping in rule.filters), review_at


def decide_membership(obj: SourceObject, rule: MembershipRule, moment: Moment) -> Membership:
    """Decide whether *obj* is a member, with the reason."""
    if not _may_be_member(obj):
        return Membership(False, "Deleted people are not members.")
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
