"""Who is in scope: operators, groups of conditions, assignment, and the log entries."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lockstep.configuration.rules import ConfigurationError
from lockstep.engine.decisions.scope import ScopeDecision, decide_scope
from lockstep.engine.records import Assignment
from lockstep.engine.rules.operators import OPERATORS
from tests.engine.decision_cases import MEMBER, MOMENT, NOW, configuration, name_of, person, rows, users

CASES = rows("operators.jsonl")


def decide(filters: list[Any], values: dict[str, Any], *, scope: str = "all", **more: Any) -> ScopeDecision:
    config = configuration(scope=scope, mapping={"scopingFilters": filters})
    return decide_scope(person(values, **more), users(config), config, moment=MOMENT)


def clause(attribute: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"attribute": attribute, "operator": operator, **({} if value is None else {"value": value}), **more}


SALES = {"title": "Sales only", "all": [clause("department", "EQUALS", "Sales")]}
SWEDES = {"title": "Swedes", "all": [clause("country", "EQUALS", "SE"), clause("company", "EQUALS", "Contoso")]}


@pytest.mark.parametrize("row", CASES, ids=name_of)
def test_operator(row: dict[str, Any]) -> None:
    more = {"of": row["of"]} if "of" in row else {}
    filters = [{"title": "t", "all": [clause("x", row["op"], row.get("operand"), **more)]}]

    decision = decide(filters, {"x": row["value"]})

    assert decision.in_scope is row["passes"]


@pytest.mark.parametrize("name", ["not_equals", "NOT EQUALS", "Is_Not_Null", "GREATER THAN OR EQUALS", "Ends With"])
def test_an_operator_may_be_spelled_with_blanks_or_underscores(name: str) -> None:
    value = None if "null" in name.lower() else "1"

    decision = decide([{"title": "t", "all": [clause("x", name, value)]}], {"x": "21"})

    assert decision.in_scope


def test_every_operator_has_cases_for_both_answers() -> None:
    seen = {(row["op"], row["passes"]) for row in CASES}

    assert seen == {(name, passes) for name in OPERATORS for passes in (True, False)}


def test_every_operator_documents_itself() -> None:
    for operator in OPERATORS.values():
        assert operator.meaning
        assert operator.must
        assert operator.remedy
        assert operator.arity in ("Unary", "Binary")
        assert operator.types


def test_clauses_inside_a_filter_must_all_hold() -> None:
    assert decide([SWEDES], {"country": "SE", "company": "Contoso"}).in_scope
    assert not decide([SWEDES], {"country": "SE", "company": "Fabrikam"}).in_scope


def test_one_of_several_filters_is_enough() -> None:
    assert decide([SALES, SWEDES], {"department": "Sales"}).in_scope
    assert decide([SALES, SWEDES], {"country": "SE", "company": "Contoso"}).in_scope
    assert not decide([SALES, SWEDES], {"country": "SE"}).in_scope


def test_without_filters_everybody_passes() -> None:
    assert decide([], {"department": "Marketing"}).in_scope


def test_unassigned_person_is_out_of_an_assigned_scope() -> None:
    decision = decide([], {"department": "Sales"}, scope="assigned", assigned=False)

    assert (decision.in_scope, decision.cause) == (False, "unassigned")
    assert decision.reason.code == "NotEffectivelyEntitled"


def test_unassigned_person_is_in_a_scope_of_all() -> None:
    assert decide([], {"department": "Sales"}, scope="all", assigned=False).in_scope


def test_filter_applies_beside_assignment() -> None:
    decision = decide([SALES], {"department": "Marketing"}, scope="assigned")

    assert (decision.in_scope, decision.cause) == (False, "filtered")


def test_reason_names_the_filter_the_value_and_what_would_pass() -> None:
    reason = decide([SALES], {"department": "Marketing"}).reason

    assert reason.text == (
        'The scoping filter "Sales only" does not match: department is "Marketing", must EQUAL "Sales".'
    )
    assert reason.next_step == 'Would be provisioned if department were "Sales".'


def test_reason_speaks_of_the_filter_that_came_closest() -> None:
    reason = decide([SWEDES, SALES], {"country": "SE", "company": "Fabrikam", "department": ""}).reason

    assert reason.text == (
        'The scoping filter "Swedes" does not match: company is "Fabrikam", must EQUAL "Contoso" '
        "(1 other scoping filter does not match either)."
    )


def test_reason_says_through_which_group_a_person_is_assigned() -> None:
    through = (Assignment(MEMBER.id, via_group="g-1", via_group_name="All staff"),)

    reason = decide([], {"department": "Sales"}, scope="assigned", assignments=through).reason

    assert reason.text == 'The person is in scope: assigned as a member of "All staff"; no scoping filter.'


def test_log_details_have_entras_keys() -> None:
    details = decide([SALES], {"department": "Marketing"}, scope="assigned").details

    assert orjson.loads(details["ScopeEvaluationResult"]) == {"Sales only.department EQUALS 'Sales'": False}
    assert {key: value for key, value in details.items() if key != "ScopeEvaluationResult"} == {
        "Active in the source system": "True",
        "Assigned to the application": "True",
        "User has the required role": "True",
        "Scoping filter evaluation passed": "False",
    }


def test_unary_operator_is_logged_without_value() -> None:
    filters = [{"title": "t", "all": [clause("mail", "IS NOT NULL")]}]

    assert orjson.loads(decide(filters, {"mail": "a@b"}).details["ScopeEvaluationResult"]) == {
        "t.mail IS NOT NULL": True
    }


def test_account_enabled_is_an_attribute_of_filters() -> None:
    filters = [{"title": "t", "all": [clause("accountEnabled", "IS TRUE")]}]

    assert decide(filters, {"mail": "a"}).in_scope
    assert not decide(filters, {"mail": "a"}, account_enabled=False).in_scope


def test_groups_of_conditions_nest() -> None:
    nested = {
        "any": [{"all": [clause("a", "EQUALS", "1"), clause("b", "EQUALS", "2")]}, {"not": clause("c", "EQUALS", "3")}]
    }
    filters = [{"title": "t", "all": [nested]}]

    assert decide(filters, {"a": "1", "b": "2", "c": "3"}).in_scope
    assert decide(filters, {"c": "4"}).in_scope
    assert not decide(filters, {"a": "1", "b": "1", "c": "3"}).in_scope


def test_membership_in_a_group_is_a_condition() -> None:
    filters = [{"title": "t", "all": [{"memberOf": "Sales team"}]}]

    assert decide(filters, {"a": "1"}, groups=("g-1", "Sales team")).in_scope
    decision = decide(filters, {"a": "1"}, groups=("g-2", "Others"))
    assert decision.reason.next_step == 'Would be provisioned if the person were a member of "Sales team".'


def test_expression_is_a_condition() -> None:
    filters = [{"title": "t", "all": [{"expression": 'IIF([department] = "Sales", "True", "False")'}]}]

    assert decide(filters, {"department": "Sales"}).in_scope
    assert not decide(filters, {"department": "Marketing"}).in_scope


def test_expression_that_fails_does_not_pass() -> None:
    filters = [{"title": "t", "all": [{"expression": 'Item(Split([x], ","), 5)'}]}]

    assert not decide(filters, {"x": "a,b"}).in_scope


@pytest.mark.parametrize(
    ("operator", "operand", "value", "review"),
    [
        ("BEFORE", "now", "2026-03-12T12:00:00Z", NOW.replace(day=12)),
        ("AFTER", "now-P2D", "2026-03-09T12:00:00Z", NOW.replace(day=11)),
        ("BEFORE", "now", "2026-03-01", None),
        ("BEFORE", "2026-12-01", "2026-11-01", None),
    ],
)
def test_date_conditions_say_when_time_alone_changes_them(operator: str, operand: str, value: str, review: Any) -> None:
    filters = [{"title": "t", "all": [clause("d", operator, operand)]}]

    assert decide(filters, {"d": value}).review_at == review


@pytest.mark.parametrize(
    ("condition", "place", "message"),
    [
        (clause("a", "EQUAL", "1"), "operator", 'unknown operator "EQUAL", did you mean "EQUALS"?'),
        (
            clause("a", "REGEX MATCH", "y(?=x)"),
            "value",
            "it uses lookahead (?=...), which is not supported, at character 2",
        ),
        (clause("a", "REGEX MATCH", "(x"), "value", "missing )"),
        (clause("a", "Greater_Than", "ten"), "value", 'needs a whole number, got "ten"'),
        (clause("a", "BEFORE", "soon"), "value", "needs a date"),
        (clause("a", "IS NULL", "x"), "value", "takes no value"),
        (clause("a", "EQUALS"), "value", "EQUALS needs a value"),
        (clause("a", "EQUALS", "x", of="some"), "of", 'unknown value "some"'),
        ({"expression": "Left("}, "expression", "Left"),
    ],
)
def test_condition_that_cannot_be_used_is_refused_with_its_place(condition: Any, place: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        configuration(mapping={"scopingFilters": [{"title": "t", "all": [condition]}]})

    assert raised.value.place == f"mappings[0].scopingFilters[0].all[0].{place}"
    assert message in raised.value.detail


def test_filter_without_conditions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one condition"):
        configuration(mapping={"scopingFilters": [{"title": "t", "all": []}]})


def test_pattern_of_an_administrator_takes_no_time_on_hostile_text() -> None:
    filters = [{"title": "t", "all": [clause("x", "REGEX MATCH", "(a+)+b")]}]

    assert not decide(filters, {"x": "a" * 50_000}).in_scope


def test_log_tells_the_part_of_a_group_that_decided() -> None:
    either = {"any": [clause("a", "EQUALS", "1"), {"memberOf": "Team"}]}
    filters = [{"title": "t", "all": [either, {"not": clause("b", "EQUALS", "2")}]}]

    def logged(values: dict[str, Any], **more: Any) -> Any:
        return orjson.loads(decide(filters, values, **more).details["ScopeEvaluationResult"])

    assert logged({"a": "1"}) == {"t.a EQUALS '1'": True, "t.not (b EQUALS '2')": True}
    assert logged({"a": "2"}, groups=("Team",)) == {"t.memberOf 'Team'": True, "t.not (b EQUALS '2')": True}
    assert logged({"b": "2"}) == {"t.a EQUALS '1' or memberOf 'Team'": False, "t.not (b EQUALS '2')": False}
