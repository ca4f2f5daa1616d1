"""Writes that are held for approval: too many leavers, grants, renames or emptied attributes in a cycle, an hour or a day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.decisions.matching import OneMatch
from lockstep.engine.decisions.plan import make_plan, prepare
from lockstep.engine.decisions.rejections import guarded_effects
from lockstep.engine.decisions.safeguards import Counts, Tally, hold_or_release, hold_undecided, tally_of
from lockstep.engine.plans import GuardCode, Plan
from lockstep.engine.records import Account, Action, Assignment, Change, Link, LinkState, ObjectKind, Reason
from tests.engine.decision_cases import ADMIN, ANNA, ATTRIBUTES, MEMBER, MOMENT, account, configuration, person


def planned(action: Action = Action.DISABLE, **more: Any) -> Plan:
    return Plan(action, (Reason("x", "x"),), kind=ObjectKind.USER, source_id="p-1", display="anna", **more)


def is_held(plan: Plan, counts: Counts, config: JobConfiguration | None = None, **more: Any) -> bool:
    return hold_or_release(plan, counts, config or configuration(), **more).action is Action.HELD


@pytest.mark.parametrize("window", ["cycle", "hour", "day"])
@pytest.mark.parametrize("action", [Action.DISABLE, Action.DELETE])
def test_more_leavers_than_the_threshold_in_any_window_are_held(window: str, action: Action) -> None:
    plan = planned(action)

    assert not is_held(plan, Counts(**{window: Tally(losses=499)}, live_links=1_000_000))
    assert is_held(plan, Counts(**{window: Tally(losses=500)}, live_links=1_000_000))


def test_what_waits_behind_a_leaver_counts_with_it() -> None:
    counts = Counts(cycle=Tally(losses=10), live_links=1_000)
    config = configuration(deletions={"threshold": 50})

    assert not is_held(planned(), replace(counts, waiting=Tally(losses=39)), config)
    assert is_held(planned(), replace(counts, waiting=Tally(losses=40)), config)
    assert not is_held(planned(), replace(counts, waiting=Tally(grants=400, empties=400)), config)


def test_more_leavers_than_the_percentage_are_held_from_ten_on() -> None:
    assert not is_held(planned(), Counts(cycle=Tally(losses=8), live_links=20))
    assert is_held(planned(), Counts(cycle=Tally(losses=9), live_links=20))
    assert not is_held(planned(), Counts(cycle=Tally(losses=19), live_links=100))
    assert is_held(planned(), Counts(cycle=Tally(losses=20), live_links=100))


def test_small_start_with_two_people_is_not_held() -> None:
    assert not is_held(planned(), Counts(cycle=Tally(losses=1), live_links=2))


def test_leavers_dripping_in_one_per_cycle_are_held_by_the_day() -> None:
    counts = Counts(live_links=1_000_000)
    config = configuration(deletions={"threshold": 20})
    released = 0
    for _ in range(50):
        plan = hold_or_release(planned(), replace(counts, cycle=Tally()), config)
        released += plan.action is Action.DISABLE
        counts = counts.plus(tally_of(plan))

    assert released == 20


@pytest.mark.parametrize(
    "action", [Action.CREATE, Action.UPDATE, Action.ENABLE, Action.NONE, Action.SKIP, Action.RELEASE]
)
def test_hold_stops_only_leavers(action: Action) -> None:
    assert not is_held(planned(action), Counts(cycle=Tally(losses=10_000), live_links=10))


def test_held_plan_keeps_what_it_would_do_and_says_why() -> None:
    held = hold_or_release(planned(), Counts(day=Tally(losses=500), live_links=100_000), configuration())

    assert (held.action, held.held_action, held.reason.code) == (Action.HELD, Action.DISABLE, "TooManyDeletes")
    assert held.reason.text == (
        "Held for approval: with this one, 501 accounts would be disabled or deleted within 24 hours; the limit is 500."
    )
    assert held.steps[-1].name == "EntrySynchronizationHold"


def test_approved_plan_is_let_through() -> None:
    assert not is_held(planned(), Counts(day=Tally(losses=9_999), live_links=10), approved=True)


def test_threshold_can_be_switched_off() -> None:
    config = configuration(deletions={"threshold": None})

    assert not is_held(planned(), Counts(cycle=Tally(losses=100_000), live_links=10), config)


def test_percentage_alone_can_be_switched_off() -> None:
    config = configuration(deletions={"thresholdPercent": None})

    assert not is_held(planned(), Counts(cycle=Tally(losses=50), live_links=10), config)
    assert is_held(planned(), Counts(cycle=Tally(losses=500), live_links=10), config)


def test_many_privileged_values_are_held() -> None:
    config = configuration(guards={"privilegeGrants": 5})
    grant = planned(Action.UPDATE, grants=("the role Admin",))

    assert not is_held(grant, Counts(hour=Tally(grants=4), live_links=1_000), config)
    assert is_held(grant, Counts(hour=Tally(grants=5), live_links=1_000), config)
    assert not is_held(planned(Action.UPDATE), Counts(hour=Tally(grants=500), live_links=1_000), config)


def test_new_accounts_with_privileges_are_compared_with_new_accounts_from_ten_on() -> None:
    grant = planned(Action.CREATE, grants=("the role Admin",))

    assert not is_held(grant, Counts(cycle=Tally(grants=8, creates=8, new_grants=8)))
    assert is_held(grant, Counts(cycle=Tally(grants=9, creates=9, new_grants=9)))
    assert not is_held(grant, Counts(cycle=Tally(grants=9, creates=99, new_grants=9), live_links=10))
    assert not is_held(planned(Action.CREATE), Counts(cycle=Tally(grants=9, creates=9, new_grants=9)))


def test_new_accounts_with_privileges_that_wait_count() -> None:
    grant = planned(Action.CREATE, grants=("the role Admin",))
    waiting = Tally(grants=449, creates=449, new_grants=449)

    held = hold_or_release(grant, Counts(waiting=waiting), configuration())

    assert held.reason.text == (
        "Held for approval: with this one and 449 more waiting, 450 accounts would get the role Admin in this cycle; "
        "the limit is 50."
    )


@pytest.mark.parametrize("path", ["active", "urn:ietf:params:scim:schemas:core:2.0:User:active", "Active"])
@pytest.mark.parametrize(
    ("old", "new", "ends"),
    [(True, False, True), ("True", "False", True), (True, None, True), (None, False, True), (False, True, False),
     (False, False, False), ("False", None, False), (True, "True", False)],
)  # fmt: skip
def test_account_that_is_switched_off_is_a_loss_whatever_the_action_is_called(
    path: str, old: Any, new: Any, ends: bool
) -> None:
    change = (Change(path, old, new),)

    assert tally_of(planned(Action.UPDATE, changes=change)).losses == int(ends)
    assert tally_of(planned(Action.CREATE, changes=change)).losses == 0
    assert tally_of(planned(Action.SKIP, changes=change)).losses == 0


@pytest.mark.parametrize("window", ["cycle", "hour", "day"])
def test_changed_matching_values_are_held_in_any_window(window: str) -> None:
    rename = planned(Action.UPDATE, renames=("userName",))

    assert not is_held(rename, Counts(**{window: Tally(renames=19)}, live_links=100))
    held = hold_or_release(rename, Counts(**{window: Tally(renames=20)}, live_links=100), configuration())
    assert held.reason.code == "TooManyRenames"
    assert "21 accounts would get a different userName" in held.reason.text
    off = configuration(guards={"matchingValues": None, "percent": None})
    assert not is_held(rename, Counts(**{window: Tally(renames=20_000)}, live_links=100), off)


def renamed(before: str | None, after: str) -> Plan:
    link = Link(ObjectKind.USER, "p-1", "u-1", LinkState.LIVE, {"userName": before} if before else {"active": True})
    return make_plan(prepare(person({**ANNA, "userPrincipalName": after}), link, configuration(), MOMENT))


def test_matching_value_that_was_empty_or_differs_in_case_alone_is_not_renamed() -> None:
    assert renamed("old@contoso.com", "new@contoso.com").renames == ("userName",)
    assert renamed(None, "new@contoso.com").renames == ()
    assert renamed("NEW@contoso.com", "new@contoso.com").renames == ()


def test_privileges_are_seen_by_whatever_path_the_attribute_is_written() -> None:
    roles = {"target": "roles", "expression": "AppRoleAssignmentsComplex([appRoleAssignments])"}
    guarded = {**ATTRIBUTES[-1], "apply": "createOnly", "privileged": ["admin"]}
    found = configuration(*ATTRIBUTES[:-1], guarded, roles)
    link = Link(ObjectKind.USER, "p-1", "u-1", LinkState.LIVE, {"userName": "anna@contoso.com"})

    assert make_plan(prepare(person(assignments=(Assignment(ADMIN.id),)), link, found, MOMENT)).grants == (
        "the role admin",
    )


def test_many_emptied_attributes_are_held() -> None:
    emptied = planned(Action.UPDATE, empties=True)

    assert not is_held(emptied, Counts(cycle=Tally(empties=19), live_links=100))
    assert is_held(emptied, Counts(cycle=Tally(empties=20), live_links=100))


def test_only_what_is_let_through_is_counted() -> None:
    counts = Counts()

    assert counts.plus(tally_of(planned(Action.HELD, grants=("the role Admin",), empties=True))) == counts
    assert counts.plus(tally_of(planned(Action.DISABLE))).day == Tally(losses=1)
    update = planned(Action.UPDATE, grants=("the role Admin",), empties=True)
    assert counts.plus(tally_of(update)).hour == Tally(grants=1, empties=1)


ROLE = 'roles[primary eq "True"].value'


def matched(role_held: str, assigned: str) -> Plan:
    attributes = [{**a, "privileged": ["Admin"]} if a["target"] == ROLE else a for a in ATTRIBUTES]
    config = configuration(*attributes)
    prepared = prepare(person(assignments=(Assignment(assigned),)), None, config, MOMENT)
    found = account("u-7", active=True, roles=[{"primary": True, "value": role_held}])
    return make_plan(prepared, match=OneMatch(found, prepared.queries[0]))


def test_match_with_an_account_of_more_privileges_is_held() -> None:
    held = hold_or_release(matched("admin", MEMBER.id), Counts(), configuration())

    assert (held.action, held.reason.code, held.held_action) == (Action.HELD, "PrivilegedMatch", Action.UPDATE)


def test_match_with_an_account_of_the_same_privileges_is_not_held() -> None:
    assert not is_held(matched("Admin", ADMIN.id), Counts())
    assert not is_held(matched("Member", MEMBER.id), Counts())


def test_match_that_somebody_approved_is_not_held() -> None:
    assert not is_held(matched("Admin", MEMBER.id), Counts(), approved=True)


def test_an_upper_bound_counts_every_effect_that_a_guard_limits() -> None:
    bound = Tally.at_most(7, new=3)

    assert {code: bound.of(code) for code in GuardCode} == {
        code: 0 if code in (GuardCode.MATCH, GuardCode.FORMER_OWNER) else 7 for code in GuardCode
    }
    assert (bound.creates, bound.new_grants) == (3, 3)


EFFECTS: dict[GuardCode, Plan] = {
    GuardCode.LOSSES: planned(Action.DISABLE),
    GuardCode.GRANTS: planned(Action.UPDATE, grants=("the role Admin",)),
    GuardCode.EMPTIED: planned(Action.UPDATE, empties=True, changes=(Change("title", "x", None),)),
    GuardCode.RENAMES: planned(Action.UPDATE, renames=("userName",), changes=(Change("userName", "a", "b"),)),
    GuardCode.MATCH: planned(Action.LINK, claims_privileged=True, link_to=Account(ObjectKind.USER, "u1", {})),
    GuardCode.FORMER_OWNER: planned(Action.LINK, claims_anothers=True, link_to=Account(ObjectKind.USER, "u1", {})),
}


@pytest.mark.parametrize("code", GuardCode)
def test_every_effect_that_is_held_can_be_rejected(code: GuardCode) -> None:
    assert code in {guard for guard, _ in guarded_effects(EFFECTS[code])}


@pytest.mark.parametrize("guard", [GuardCode.MATCH, GuardCode.FORMER_OWNER])
def test_held_match_that_is_planned_again_names_the_account_of_the_new_plan(guard: GuardCode) -> None:
    doubt = {"claims_privileged": True} if guard is GuardCode.MATCH else {"claims_anothers": True}
    plan = planned(Action.LINK, link_to=Account(ObjectKind.USER, "u2", {}), **doubt)

    again = hold_undecided(plan, guard, "the account (u1) matches", {"targetId": "u1"})

    assert again is not None
    assert (again.held_by, again.reason.details["targetId"]) == (guard, "u2")
    assert "(u2)" in again.reason.text and "u1" not in again.reason.text


def test_match_that_is_held_by_a_more_severe_guard_than_before_says_that_an_earlier_write_still_waits() -> None:
    account = Account(ObjectKind.USER, "u2", {})
    plan = planned(Action.LINK, link_to=account, claims_privileged=True, claims_anothers=True)

    again = hold_undecided(plan, GuardCode.FORMER_OWNER, "the account (u1) was another's", {"targetId": "u1"})

    assert again is not None
    assert (again.held_by, "targetId" in again.reason.details) == (GuardCode.MATCH, False)
    assert "an earlier write to this account is still waiting for a decision" in again.reason.text
