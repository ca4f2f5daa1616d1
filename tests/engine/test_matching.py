"""How an account is found: queries in order of precedence, and the meaning of their results."""

from __future__ import annotations

import pytest

from lockstep.engine.decisions.matching import (
    ManyMatches,
    MatchQuery,
    NoMatch,
    OneMatch,
    OtherCaseMatch,
    TakenMatch,
    choose_match,
    match_queries,
    matching_value,
)
from tests.engine.decision_cases import ANNA, MOMENT, account, configuration, person, users

FIRST = MatchQuery("externalId", "42", 1)
SECOND = MatchQuery("userName", "anna@contoso.com", 2)
BY_ID_THEN_NAME = (
    {"target": "userName", "source": "userPrincipalName", "match": 2},
    {"target": "externalId", "source": "employeeId", "match": 1},
)


def queries(*attributes: dict[str, object], **values: object) -> tuple[MatchQuery, ...]:
    config = configuration(*attributes)
    return match_queries(person(ANNA | values), users(config), config, moment=MOMENT)


def test_questions_come_in_order_of_precedence() -> None:
    assert queries(*BY_ID_THEN_NAME, employeeId="42") == (FIRST, SECOND)


def test_question_without_a_value_is_left_out() -> None:
    assert queries(*BY_ID_THEN_NAME, employeeId="") == (SECOND,)


def test_source_of_a_question_may_be_an_expression() -> None:
    by_alias = {
        "target": "nickName",
        "expression": 'Replace([userPrincipalName], "@contoso.com", , , "", , )',
        "match": 1,
    }

    assert queries(by_alias) == (MatchQuery("nickName", "anna", 1),)


def test_value_may_hold_any_character() -> None:
    (query,) = queries({"target": "userName", "source": "x", "match": 1}, x='o"brien\\ & søn')

    assert query.value == 'o"brien\\ & søn'


def test_nobody_answers() -> None:
    assert choose_match([(FIRST, []), (SECOND, [])]) == NoMatch()


def test_first_question_with_an_answer_ends_the_search() -> None:
    by_id, by_name = account("u-1"), account("u-2")

    assert choose_match([(FIRST, [by_id]), (SECOND, [by_name])]) == OneMatch(by_id, FIRST)


def test_later_question_answers_where_the_first_does_not() -> None:
    by_name = account("u-2")

    assert choose_match([(FIRST, []), (SECOND, [by_name])]) == OneMatch(by_name, SECOND)


def test_several_answers_are_not_decided() -> None:
    both = (account("u-1"), account("u-2"))

    assert choose_match([(FIRST, both)]) == ManyMatches(both, FIRST)


def test_account_whose_external_id_differs_in_case_may_be_somebody_elses() -> None:
    query = MatchQuery("externalId", "aBc=", 1)
    theirs, others = account("u-1", externalId="aBc="), account("u-2", externalId="abC=")

    assert choose_match([(query, [others])]) == OtherCaseMatch(others, query)
    assert choose_match([(query, [others, theirs])]) == OneMatch(theirs, query)


def test_user_name_that_differs_in_case_matches() -> None:
    query = MatchQuery("userName", "Anna@contoso.com", 1)
    anna = account("u-1", userName="anna@contoso.com")

    assert choose_match([(query, [anna])]) == OneMatch(anna, query)


def test_same_account_twice_is_one_answer() -> None:
    assert choose_match([(FIRST, [account("u-1"), account("u-1")])]) == OneMatch(account("u-1"), FIRST)


def test_account_of_somebody_else_is_not_taken_over() -> None:
    match = choose_match([(FIRST, [account("u-1")])], {"u-1": "lee@contoso.com"})

    assert match == TakenMatch(account("u-1"), "lee@contoso.com", FIRST)


@pytest.mark.parametrize(
    ("attribute", "resource", "value"),
    [
        ("userName", {"userName": "Anna@Contoso.com"}, "anna@contoso.com"),
        ("externalId", {"externalId": "AbC"}, "AbC"),
        ("id", {"id": "AbC"}, "AbC"),
        ('emails[type eq "work"].value', {"emails": [{"type": "work", "value": "A@b"}]}, "a@b"),
        ("userName", {}, None),
        ("userName", {"userName": ""}, None),
        ("emails", {"emails": [{"value": "a"}]}, None),
    ],
)
def test_index_of_accounts_folds_case_as_applications_do(
    attribute: str, resource: dict[str, object], value: str | None
) -> None:
    assert matching_value(resource, attribute) == value
