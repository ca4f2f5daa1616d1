"""Membership by rule."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.configuration.document.rule_json import rule_from_json, rule_to_json
from lockstep.configuration.rules import ConfigurationError
from lockstep.engine.rules.dynamic_groups import Membership, decide_membership
from tests.engine.decision_cases import ANNA, MOMENT, NOW, life, person

SALES = {"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}
BOSSES = {"title": "Bosses", "all": [{"attribute": "jobTitle", "operator": "Includes", "value": "Director"}]}


def decide(rule: list[Any], values: dict[str, Any] | None = None, **more: Any) -> Membership:
    return decide_membership(person(ANNA | (values or {}), **more), rule_from_json(rule), MOMENT)


def test_one_matching_filter_makes_a_member() -> None:
    assert decide([SALES, BOSSES]).is_member
    assert decide([SALES, BOSSES], {"department": "IT", "jobTitle": "Director of IT"}).is_member
    assert not decide([SALES, BOSSES], {"department": "IT"}).is_member


def test_reason_names_the_filter_or_the_clause_that_failed() -> None:
    assert decide([SALES]).why == 'The filter "Sales" matches.'
    assert decide([SALES], {"department": "IT"}).why == 'No filter matches: department is "IT", must EQUAL "Sales".'


def test_disabled_person_is_a_member_and_deleted_one_is_not() -> None:
    assert decide([SALES], **life("disabled")).is_member
    assert not decide([SALES], **life("softDeleted")).is_member


def test_rule_without_filters_has_no_members() -> None:
    assert decide([]) == Membership(False, "The rule has no filter.")


def test_membership_that_ends_with_time_says_when() -> None:
    staff = {"title": "Staff", "all": [{"attribute": "leaves", "operator": "AFTER", "value": "now"}]}

    membership = decide([staff], {"leaves": "2026-03-20T12:00:00Z"})

    assert (membership.is_member, membership.review_at) == (True, NOW.replace(day=20))


def test_rule_written_and_read_again_is_the_same() -> None:
    rule = rule_from_json([SALES, BOSSES])

    assert rule_from_json(rule_to_json(rule)) == rule
    assert rule.dependencies == {"department", "jobTitle"}


@pytest.mark.parametrize(
    "condition",
    [
        {"memberOf": "Other"},
        {"attribute": "manager.department", "operator": "EQUALS", "value": "Sales"},
        {"attribute": "IsSoftDeleted", "operator": "IS TRUE"},
        {"attribute": "a", "operator": "EQUAL"},
    ],
)
def test_rule_that_cannot_be_decided_is_refused(condition: Any) -> None:
    with pytest.raises(ConfigurationError):
        rule_from_json([{"title": "t", "all": [condition]}])
