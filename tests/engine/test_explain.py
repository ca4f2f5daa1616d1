"""Explanations why a person has an account or has none: a sequence of gates."""

from __future__ import annotations

from lockstep.engine.decisions.explain import Explanation, explain
from lockstep.engine.decisions.matching import NO_MATCH, ManyMatches
from lockstep.engine.decisions.plan import make_plan, prepare
from lockstep.engine.records import Link, SourceObject
from tests.engine.decision_cases import ANNA, MOMENT, account, configuration, life, link, person

SALES = {"title": "Sales only", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}

IN_STEP = {
    "userName": "anna@contoso.com",
    "active": True,
    "name.givenName": "Anna",
    "name.familyName": "Lind",
    'roles[primary eq "True"].value': "Member",
}


def explained(who: SourceObject, linked: Link | None = None) -> Explanation:
    config = configuration(mapping={"scopingFilters": [SALES]})
    return explain(make_plan(prepare(who, linked, config, MOMENT), match=NO_MATCH))


def ladder(explanation: Explanation) -> list[tuple[str, str]]:
    return [(gate.name, str(gate.state)) for gate in explanation.gates]


def test_person_outside_the_filter() -> None:
    found = explained(person(ANNA | {"department": "Marketing"}))

    assert found.sentence == (
        'NOT PROVISIONED: The scoping filter "Sales only" does not match: '
        'department is "Marketing", must EQUAL "Sales".'
    )
    assert found.counterfactual == 'Would be provisioned if department were "Sales".'
    assert ladder(found) == [
        ("found", "ok"),
        ("enabled", "ok"),
        ("assigned", "ok"),
        ("scope", "FAIL"),
        ("match", "not reached"),
        ("export", "not reached"),
    ]


def test_unassigned_person() -> None:
    found = explained(person(assigned=False))

    assert found.failed is not None
    assert found.failed.name == "assigned"


def test_disabled_person() -> None:
    found = explained(person(**life("disabled")))

    assert found.failed is not None
    assert (found.failed.name, found.failed.text) == ("enabled", "The person is disabled in the directory.")


def test_person_with_many_matches() -> None:
    prepared = prepare(person(), None, configuration(), MOMENT)
    many = ManyMatches((account("u-1"), account("u-2")), prepared.queries[0])

    found = explain(make_plan(prepared, match=many))

    assert found.verdict == "CANNOT BE PROVISIONED"
    assert found.failed is not None
    assert found.failed.name == "match"
    assert found.next_step.startswith("Choose one:")


def test_person_who_gets_an_account_passes_every_gate() -> None:
    found = explained(person())

    assert found.verdict == "TO BE PROVISIONED"
    assert {state for _, state in ladder(found)} == {"ok"}


def test_person_whose_account_is_disabled_already() -> None:
    found = explained(person(assigned=False), link("disabled"))

    assert found.verdict == "DISABLED"


def test_person_whose_account_is_in_step() -> None:
    found = explained(person(), link(base={"userName": "anna@contoso.com"}, desired_hash="x"))
    in_step = explained(person(), link(base=IN_STEP))

    assert found.verdict == "PROVISIONED"
    assert in_step.verdict == "PROVISIONED"


def test_person_whose_account_is_left_as_it_is() -> None:
    config = configuration(deletions={"onSourceDisabled": "keep"})

    assert explain(make_plan(prepare(person(**life("disabled")), link(), config, MOMENT))).verdict == "LEFT AS IT IS"
