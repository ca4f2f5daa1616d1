"""What is held for approval: too many leavers, grants or emptied attributes in a cycle, an hour or a day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from decision_cases import ADMIN, ATTRIBUTES, MEMBER, MOMENT, account, configuration, person

from lockstep.engine.matching import OneMatch
from lockstep.engine.plan import make_plan, prepare
from lockstep.engine.records import Action, Assignment, ObjectKind, Plan, Reason
from lockstep.engine.rules import JobConfiguration
from lockstep.engine.safeguards import Counts, Tally, hold_or_release


def planned(action: Action = Action.DISABLE, **more: Any) -> Plan:
    return Plan(ObjectKind.USER, "p-1", "anna", action, (Reason("x", "x"),), **more)


def is_held(plan: Plan, counts: Counts, config: JobConfiguration | None = None, **more: Any) -> bool:
    return hold_or_release(plan, counts, config or configuration(), **more).action is Action.HELD


@pytest.mark.parametrize("window", ["cycle", "hour", "day"])
@pytest.mark.parametrize("action", [Action.DISABLE, Action.DELETE])
def test_more_leavers_than_the_threshold_in_any_window_are_held(window: str, action: Action) -> None:
    plan = planned(action)

    assert not is_held(plan, Counts(**{window: Tally(destructive=499)}, live_links=1_000_000))
    assert is_held(plan, Counts(**{window: Tally(destructive=500)}, live_links=1_000_000))


def test_what_waits_behind_a_leaver_counts_with_it() -> None:
    counts = Counts(cycle=Tally(destructive=10), live_links=1_000)
    config = configuration(deletions={"threshold": 50})

    assert not is_held(planned(), replace(counts, waiting=Tally(destructive=39)), config)
    assert is_held(planned(), replace(counts, waiting=Tally(destructive=40)), config)
    assert not is_held(planned(), replace(counts, waiting=Tally(grants=400, empties=400)), config)


def test_more_leavers_than_the_percentage_are_held_from_ten_on() -> None:
    assert not is_held(planned(), Counts(cycle=Tally(destructive=8), live_links=20))
    assert is_held(planned(), Counts(cycle=Tally(destructive=9), live_links=20))
    assert not is_held(planned(), Counts(cycle=Tally(destructive=19), live_links=100))
    assert is_held(planned(), Counts(cycle=Tally(destructive=20), live_links=100))


def test_small_start_with_two_people_is_not_held() -> None:
    assert not is_held(planned(), Counts(cycle=Tally(destructive=1), live_links=2))


def test_leavers_dripping_in_one_per_cycle_are_held_by_the_day() -> None:
    counts = Counts(live_links=1_000_000)
    config = configuration(deletions={"threshold": 20})
    released = 0
    for _ in range(50):
        plan = hold_or_release(planned(), replace(counts, cycle=Tally()), config)
        released += plan.action is Action.DISABLE
        counts = counts.with_plan(plan)

    assert released == 20


@pytest.mark.parametrize(
    "action", [Action.CREATE, Action.UPDATE, Action.ENABLE, Action.NONE, Action.SKIP, Action.RELEASE]
)
def test_hold_stops_only_leavers(action: Action) -> None:
    assert not is_held(planned(action), Counts(cycle=Tally(destructive=10_000), live_links=10))


def test_held_plan_keeps_what_it_would_do_and_says_why() -> None:
    held = hold_or_release(planned(), Counts(day=Tally(destructive=500), live_links=100_000), configuration())

    assert (held.action, held.held_action, held.reason.code) == (Action.HELD, Action.DISABLE, "TooManyDeletes")
    assert held.reason.text == (
        "Held for approval: with this one 501 accounts disabled or deleted in the last 24 hours, 500 are allowed."
    )
    assert held.steps[-1].name == "EntrySynchronizationHold"


def test_approved_plan_is_let_through() -> None:
    assert not is_held(planned(), Counts(day=Tally(destructive=9_999), live_links=10), approved=True)


def test_threshold_can_be_switched_off() -> None:
    config = configuration(deletions={"threshold": None})

    assert not is_held(planned(), Counts(cycle=Tally(destructive=100_000), live_links=10), config)


def test_percentage_alone_can_be_switched_off() -> None:
    config = configuration(deletions={"thresholdPercent": None})

    assert not is_held(planned(), Counts(cycle=Tally(destructive=50), live_links=10), config)
    assert is_held(planned(), Counts(cycle=Tally(destructive=500), live_links=10), config)


def test_many_privileged_values_are_held() -> None:
    config = configuration(guards={"privilegeGrants": 5})
    grant = planned(Action.UPDATE, grants=True)

    assert not is_held(grant, Counts(hour=Tally(grants=4), live_links=1_000), config)
    assert is_held(grant, Counts(hour=Tally(grants=5), live_links=1_000), config)
    assert not is_held(planned(Action.UPDATE), Counts(hour=Tally(grants=500), live_links=1_000), config)


def test_first_cycle_is_not_held_for_its_share_of_privileged_people() -> None:
    grant = planned(Action.CREATE, grants=True)

    assert not is_held(grant, Counts(cycle=Tally(grants=100), live_links=100))
    assert is_held(grant, Counts(cycle=Tally(grants=500), live_links=100_000))


def test_many_emptied_attributes_are_held() -> None:
    emptied = planned(Action.UPDATE, empties=True)

    assert not is_held(emptied, Counts(cycle=Tally(empties=19), live_links=100))
    assert is_held(emptied, Counts(cycle=Tally(empties=20), live_links=100))


def test_only_what_is_let_through_is_counted() -> None:
    counts = Counts()

    assert counts.with_plan(planned(Action.HELD, grants=True, empties=True)) == counts
    assert counts.with_plan(planned(Action.DISABLE)).day == Tally(destructive=1)
    assert counts.with_plan(planned(Action.UPDATE, grants=True, empties=True)).hour == Tally(0, 1, 1)


ROLE = 'roles[primary eq "True"].value'


def matched(role_held: str, assigned: str) -> Plan:
    attributes = [{**a, "privileged": ["Admin"]} if a["target"] == ROLE else a for a in ATTRIBUTES]
    config = configuration(*attributes)
    prepared = prepare(person(assignments=(Assignment(assigned),)), None, config, MOMENT)
    found = account("u-7", active=True, roles=[{"primary": True, "value": role_held}])
    return make_plan(prepared, match=OneMatch(found, prepared.queries[0]))


def test_match_with_an_account_of_more_power_is_held() -> None:
    held = hold_or_release(matched("admin", MEMBER.id), Counts(), configuration())

    assert (held.action, held.reason.code, held.held_action) == (Action.HELD, "PrivilegedMatch", Action.UPDATE)


def test_match_with_an_account_of_the_same_power_is_not_held() -> None:
    assert not is_held(matched("Admin", ADMIN.id), Counts())
    assert not is_held(matched("Member", MEMBER.id), Counts())


def test_match_that_somebody_approved_is_not_held() -> None:
    assert not is_held(matched("Admin", MEMBER.id), Counts(), approved=True)
