"""Decisions about an account: the table row by row, and a row for every case."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from lockstep.engine.decisions.intent import TABLE, Intent, Person, decide_intent, person_state, row_for
from lockstep.engine.decisions.scope import ScopeDecision, decide_scope
from lockstep.engine.records import LinkState, Reason, SourceObject
from tests.engine.decision_cases import ANNA, MOMENT, NOW, configuration, life, link, name_of, person, rows, users

CASES = rows("intent.jsonl")
START = {"startDate": {"attribute": "employeeHireDate"}}


def somebody(row: dict[str, Any]) -> SourceObject:
    if row["life"] == "not started":
        return person(ANNA | {"employeeHireDate": "2026-03-15T12:00:00Z"})
    return person(**life(row["life"]))


def decide(row: dict[str, Any]) -> Intent:
    config = configuration(deletions=row.get("policy", {}), **START)
    scope = ScopeDecision(row["scope"] == "in", "" if row["scope"] == "in" else row["scope"], (Reason("s", "scope"),))
    linked = link(row["link"], cause=row.get("linkCause", "")) if row["link"] else None
    return decide_intent(somebody(row), scope, linked, config, MOMENT)


@pytest.mark.parametrize("row", CASES, ids=lambda row: f"{name_of(row)} {row['row']}")
def test_intent(row: dict[str, Any]) -> None:
    intent = decide(row)

    assert intent.kind == row["intent"]
    assert intent.cause == row["cause"]
    assert intent.review_at == (NOW + timedelta(days=row["review"]) if "review" in row else None)


@pytest.mark.parametrize("row", CASES, ids=lambda row: f"{name_of(row)} {row['row']}")
def test_case_is_decided_by_the_row_it_names(row: dict[str, Any]) -> None:
    config = configuration(deletions=row.get("policy", {}), **START)
    state = LinkState(row["link"]) if row["link"] else None

    who = person_state(somebody(row), config, MOMENT)[0]
    decided = row_for(who, state, in_scope=row["scope"] == "in", left_before="linkCause" in row)

    assert decided.name == row["row"]


def test_every_choice_of_every_row_has_a_case() -> None:
    wanted = {(row.name, answer) for row in TABLE for answer in row.choices}
    policies = {row.name: row.policy for row in TABLE}

    covered = {(row["row"], policies[row["row"]](configuration(deletions=row.get("policy", {})))) for row in CASES}

    assert covered == wanted


def test_table_has_a_row_for_everything() -> None:
    for who, state, in_scope in product(Person, [None, *LinkState], (True, False)):
        assert row_for(who, state, in_scope=in_scope).choices


def test_every_row_decides_something() -> None:
    decided = {
        row_for(who, state, in_scope=in_scope, left_before=left_before).name
        for who, state, in_scope, left_before in product(Person, [None, *LinkState], (True, False), (True, False))
    }

    assert decided == {row.name for row in TABLE}


def test_deletion_without_a_date_waits_the_whole_time_from_now() -> None:
    row = {"life": "softDeleted", "scope": "in", "link": "live"}
    config = configuration()
    who = person(**(life("softDeleted") | {"deleted_at": None}))
    scope = ScopeDecision(True, "", (Reason("s", "scope"),))

    intent = decide_intent(who, scope, link(row["link"]), config, MOMENT)

    assert (intent.kind, intent.review_at) == ("disable", NOW + timedelta(days=30))


def test_account_is_made_the_lead_time_before_the_start() -> None:
    config = configuration(startDate={"attribute": "employeeHireDate", "leadTime": "P7D"})
    scope = ScopeDecision(True, "", (Reason("s", "scope"),))

    soon = decide_intent(person(ANNA | {"employeeHireDate": "2026-03-16"}), scope, None, config, MOMENT)
    later = decide_intent(person(ANNA | {"employeeHireDate": "2026-03-20"}), scope, None, config, MOMENT)

    assert soon.kind == "provision"
    assert (later.kind, later.review_at) == ("wait", NOW.replace(day=13, hour=0))


@pytest.mark.parametrize("value", [None, "", "soon", "0001-01-01"])
def test_start_date_that_says_nothing_holds_nobody_back(value: Any) -> None:
    config = configuration(startDate={"attribute": "employeeHireDate", "leadTime": "P7D"})
    scope = ScopeDecision(True, "", (Reason("s", "scope"),))

    assert decide_intent(person(ANNA | {"employeeHireDate": value}), scope, None, config, MOMENT).kind == "provision"


def test_first_reason_is_the_persons_state_then_the_scope() -> None:
    config = configuration(scope="assigned")
    who = person(assigned=False, account_enabled=False)
    scope = decide_scope(who, users(config), config, moment=MOMENT)

    intent = decide_intent(who, scope, link(), config, MOMENT)

    assert [reason.text for reason in intent.reasons] == [
        "The person is disabled in the directory.",
        "Disabled people lose access.",
        "The person is not assigned to the application, neither directly nor through a group.",
    ]
