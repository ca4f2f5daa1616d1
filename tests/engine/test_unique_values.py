"""Values that are not yet in use in the application."""

from __future__ import annotations

from lockstep.engine.decisions.matching import NO_MATCH, MatchQuery
from lockstep.engine.decisions.plan import make_plan, prepare
from lockstep.engine.decisions.unique_values import unique_candidates
from lockstep.engine.records import Action
from tests.engine.decision_cases import ANNA, ATTRIBUTES, MOMENT, configuration, link, person

UNIQUE = {"target": "nickName", "expression": "SelectUniqueValue([givenName], [surname])", "apply": "createOnly"}
CONFIG = configuration(*ATTRIBUTES, UNIQUE)


def test_candidates_are_asked_in_the_order_they_are_tried() -> None:
    prepared = prepare(person(), None, CONFIG, MOMENT)

    assert unique_candidates(prepared) == (MatchQuery("nickName", "Anna", 0), MatchQuery("nickName", "Lind", 0))


def test_first_value_that_is_free_is_written() -> None:
    plan = make_plan(prepare(person(), None, CONFIG, MOMENT), match=NO_MATCH, taken={"nickName": {"Anna"}})

    assert plan.mapped.values["nickName"] == "Lind"


def test_person_whose_candidates_are_all_taken_waits() -> None:
    plan = make_plan(prepare(person(), None, CONFIG, MOMENT), match=NO_MATCH, taken={"nickName": {"Anna", "Lind"}})

    assert (plan.action, plan.reason.code) == (Action.REFUSE, "EntryConflict")


def test_nobody_is_asked_about_for_whoever_has_an_account_or_gets_none() -> None:
    assert unique_candidates(prepare(person(), link(), CONFIG, MOMENT)) == ()
    assert unique_candidates(prepare(person(assigned=False), None, CONFIG, MOMENT)) == ()


def test_candidate_that_cannot_be_made_is_left_to_the_mapping_to_tell() -> None:
    fails = {**UNIQUE, "expression": 'SelectUniqueValue(Item(Split([mail], "@"), 2), [surname])'}
    prepared = prepare(person(ANNA | {"mail": "x"}), None, configuration(*ATTRIBUTES, fails), MOMENT)

    assert unique_candidates(prepared) == ()
    assert make_plan(prepared, match=NO_MATCH).action is Action.REFUSE
