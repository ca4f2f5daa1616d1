"""Decide whether an object is in scope. The scoping filters must accept it and, if the job requires assignments, it must be assigned.

Filters are OR-ed, clauses inside a filter AND-ed. Whether a person is enabled or deleted does not affect the scope; `intent` handles that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.moment import Moment
from lockstep.engine.records import DEFAULT_ACCESS, Lifecycle, ObjectKind, Reason, SourceObject, Values
from lockstep.engine.rules.conditions import ClauseVerdict, ScopingFilter, earliest
from lockstep.engine.rules.configuration import JobConfiguration, Scope
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.wording import counted

__all__ = ["ScopeDecision", "decide_scope"]

UNASSIGNED = "unassigned"
FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class ScopeDecision:
    """Whether an object is in scope. *cause* says why an object is out of scope; it is "" for an object in scope.

    *details* are shown in the scoping step of the log. *review_at* is when the decision may change although no data has changed.
    """

    in_scope: bool
    cause: str = ""
    reasons: tuple[Reason, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    review_at: datetime | None = None

    @property
    def reason(self) -> Reason:
        return self.reasons[0]


def decide_scope(
    obj: SourceObject,
    mapping: ObjectMapping,
    configuration: JobConfiguration,
    *,
    moment: Moment,
    record: Values | None = None,
) -> ScopeDecision:
    """Decide whether *obj* is in scope, and name the deciding clause. Pass *record* if it has already been built."""
    if record is None:
        record = source_record(obj, configuration, is_soft_deleted=False)
    is_assigned = bool(obj.assignments)
    missing = configuration.scope is Scope.ASSIGNED and not is_assigned
    passed = next((f for f in mapping.scoping_filters if f.condition.holds(record, moment)), None)
    passes = passed is not None or not mapping.scoping_filters
    if missing:
        cause, reason = UNASSIGNED, _unassigned(obj)
    elif not passes:
        cause, reason = FILTERED, _filtered(obj, mapping, record, moment)
    else:
        cause, reason = "", _inside(obj, passed)
    return ScopeDecision(
        in_scope=not cause,
        cause=cause,
        reasons=(reason,),
        details=_details(obj, mapping, record, moment, passes=passes),
        review_at=earliest(*(f.condition.flips_at(record, moment) for f in mapping.scoping_filters)),
    )


def _inside(obj: SourceObject, passed: ScopingFilter | None) -> Reason:
    through = f'passes the scoping filter "{passed.title}"' if passed else "no scoping filter"
    if not obj.assignments:
        return Reason("InScope", f"{_noun(obj)} is in scope because everyone is; {through}.")
    first = obj.assignments[0]
    via = f'as a member of "{first.via_group_name or first.via_group}"' if first.via_group else "directly"
    return Reason("InScope", f"{_noun(obj)} is in scope: assigned {via}; {through}.")


def _unassigned(obj: SourceObject) -> Reason:
    if obj.lifecycle is Lifecycle.PURGED:
        text = f"{_noun(obj)} was purged from the directory together with its assignments."
        return Reason("NotEffectivelyEntitled", text, {"gate": "assigned"})
    return Reason(
        "NotEffectivelyEntitled",
        f"{_noun(obj)} is not assigned to the application, neither directly nor through a group.",
        {"gate": "assigned"},
        "Would be provisioned if assigned to the application.",
    )


def _filtered(obj: SourceObject, mapping: ObjectMapping, record: Values, moment: Moment) -> Reason:
    """Return the reason why no scoping filter accepts the object. It names the filter with the fewest failed clauses, and up to three of
    these clauses.
    """
    judged = [(f, [v for v in f.condition.judge(record, moment) if not v.passed]) for f in mapping.scoping_filters]
    closest, failed = min(judged, key=lambda entry: len(entry[1]))
    why = " and ".join(verdict.why for verdict in failed[:3])
    remedy = " and ".join(verdict.remedy for verdict in failed[:3])
    others = len(judged) - 1
    also = (
        f" ({counted(others, 'other scoping filter')} {'do' if others > 1 else 'does'} not match either)"
        if others
        else ""
    )
    return Reason(
        "ScopingFilterFailed",
        f'The scoping filter "{closest.title}" does not match: {why}{also}.',
        {"gate": "scope", "filter": closest.title, "clause": failed[0].label},
        f"Would be provisioned if {remedy}.",
    )


def _details(
    obj: SourceObject, mapping: ObjectMapping, record: Values, moment: Moment, *, passes: bool
) -> Mapping[str, str]:
    is_active = obj.account_enabled and obj.lifecycle is Lifecycle.ACTIVE
    has_role = any(assignment.role_id != DEFAULT_ACCESS for assignment in obj.assignments)
    details = {
        "Active in the source system": str(is_active),
        "Assigned to the application": str(bool(obj.assignments)),
        "User has the required role": str(has_role or bool(obj.assignments)),
        "Scoping filter evaluation passed": str(passes),
    }
    if mapping.scoping_filters:
        results = {
            f"{f.title}.{verdict.label}": verdict.passed
            for f in mapping.scoping_filters
            for verdict in _verdicts(f, record, moment)
        }
        details["ScopeEvaluationResult"] = orjson.dumps(results).decode()
    return details


def _verdicts(scoping: ScopingFilter, record: Values, moment: Moment) -> list[ClauseVerdict]:
    return scoping.condition.judge(record, moment)


def _noun(obj: SourceObject) -> str:
    return "The person" if obj.kind is ObjectKind.USER else "The group"
