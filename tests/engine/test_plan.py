"""The plan for one person: every possible result, with its reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lockstep.configuration.rules import JobConfiguration, configuration_from_json
from lockstep.engine.decisions.matching import NO_MATCH, ManyMatches, Match, OneMatch, TakenMatch
from lockstep.engine.decisions.plan import NOT_READ, NextQuestion, Observed, make_plan, prepare, wanted
from lockstep.engine.plans import Plan, desired_hash
from lockstep.engine.records import Account, Action, Assignment, Change, Link, LinkState, ObjectKind, SourceObject
from tests.engine.decision_cases import ADMIN, ANNA, ATTRIBUTES, MOMENT, NOW, account, configuration, life, link, person

ROLE = 'roles[primary eq "True"].value'
IN_STEP = {
    "userName": "anna@contoso.com",
    "active": True,
    "name.givenName": "Anna",
    "name.familyName": "Lind",
    ROLE: "Member",
}
RESOURCE: dict[str, Any] = {
    "active": True,
    "name": {"givenName": "Anna", "familyName": "Lind"},
    "roles": [{"primary": True, "value": "Member"}],
}


def plan(
    who: SourceObject | None = None,
    linked: Link | None = None,
    config: JobConfiguration | None = None,
    *,
    match: Match | None = None,
    observed: Observed = NOT_READ,
    **more: Any,
) -> Plan:
    prepared = prepare(who or person(), linked, config or configuration(), MOMENT, **more)
    return make_plan(prepared, match=match, observed=observed)


def one(found: Account) -> OneMatch:
    return OneMatch(found, prepare(person(), None, configuration(), MOMENT).queries[0])


# ---------------------------------------------------------------------------------------------- without an account


def test_new_person_without_match_is_created_with_all_values() -> None:
    made = plan(match=NO_MATCH)

    assert made.action is Action.CREATE
    assert made.mapped.values == IN_STEP
    assert [(change.path, change.old, change.new) for change in made.changes] == [
        (k, None, v) for k, v in IN_STEP.items()
    ]
    assert (made.target_id, made.link_state, made.cause, made.matched_by) == ("", LinkState.LIVE, "", "")
    assert made.reason.text == "The person is in scope: assigned directly; no scoping filter."


def test_unlinked_person_must_be_matched_first() -> None:
    prepared = prepare(person(), None, configuration(), MOMENT)

    assert wanted(prepared) is NextQuestion.MATCH
    assert wanted(prepared, match=NO_MATCH) is NextQuestion.NOTHING
    with pytest.raises(ValueError, match="needs the result of matching"):
        make_plan(prepared)


def test_match_that_is_equal_is_only_linked() -> None:
    found = account("u-7", **RESOURCE)

    made = plan(match=one(found))

    assert (made.action, made.link_to, made.target_id, made.changes) == (Action.LINK, found, "u-7", ())
    assert made.matched_by == "userName"
    assert made.reason.text == 'The account "anna@contoso.com" (u-7) has the same userName.'


def test_match_that_differs_is_linked_and_updated() -> None:
    found = account("u-7", **{**RESOURCE, "name": {"givenName": "Anne", "familyName": "Lind"}})

    made = plan(match=one(found))

    assert (made.action, made.link_to, made.link_state) == (Action.UPDATE, found, LinkState.LIVE)
    assert made.matched_by == "userName"
    assert made.changes == (Change("name.givenName", "Anne", "Anna"),)


def test_returning_persons_disabled_account_is_found_and_enabled_not_duplicated() -> None:
    made = plan(match=one(account("u-7", **{**RESOURCE, "active": False})))

    assert (made.action, made.changes) == (Action.ENABLE, (Change("active", False, True),))


def test_forgotten_link_of_somebody_wanted_is_made_anew_by_matching() -> None:
    forgotten = link("live", is_forgotten=True)

    assert wanted(prepare(person(), forgotten, configuration(), MOMENT)) is NextQuestion.MATCH
    made = plan(linked=forgotten, match=one(account("u-2", **RESOURCE)))
    assert (made.action, made.link_state) == (Action.LINK, LinkState.LIVE)
    assert made.link_to is not None
    assert made.link_to.id == "u-2"


def test_forgotten_link_of_somebody_who_leaves_still_leads_to_the_account() -> None:
    leaving = plan(person(account_enabled=False), link("live", is_forgotten=True))

    assert (leaving.action, leaving.target_id) == (Action.DISABLE, "u-1")


def test_several_matches_are_refused_with_the_candidates() -> None:
    query = prepare(person(), None, configuration(), MOMENT).queries[0]

    made = plan(match=ManyMatches((account("u-771"), account("u-902")), query))

    assert made.action is Action.REFUSE
    assert made.reason.code == "DuplicateTargetEntries"
    assert made.reason.text == "2 accounts match on userName: u-771, u-902."
    assert made.reason.next_step == "Choose one: lockstep links APP --user anna@contoso.com --choose u-771"


def test_account_of_somebody_else_is_refused_with_the_name() -> None:
    query = prepare(person(), None, configuration(), MOMENT).queries[0]

    made = plan(match=TakenMatch(account("u-7"), "lee@contoso.com", query))

    assert (made.action, made.reason.code) == (Action.REFUSE, "DuplicateSourceEntries")
    assert "lee@contoso.com" in made.reason.text


def test_create_that_is_not_ticked_skips_with_the_reason() -> None:
    made = plan(config=configuration(mapping={"actions": ["update", "delete"]}), match=NO_MATCH)

    assert made.action is Action.SKIP
    assert made.reason.text == 'The mapping "Synchronize users" does not create accounts.'


def test_match_is_linked_but_not_changed_where_update_is_not_ticked() -> None:
    config = configuration(mapping={"actions": ["create"]})

    made = plan(config=config, match=one(account("u-7")))

    assert (made.action, made.changes) == (Action.LINK, ())


@pytest.mark.parametrize("state", ["disabled", "softDeleted", "purged"])
def test_person_without_account_who_may_have_none_is_skipped_without_asking(state: str) -> None:
    prepared = prepare(person(**life(state)), None, configuration(), MOMENT)

    made = make_plan(prepared)

    assert wanted(prepared) is NextQuestion.NOTHING
    assert (made.action, made.reason.code, made.link_state) == (Action.SKIP, "NotEffectivelyEntitled", None)


def test_unassigned_person_without_account_is_skipped() -> None:
    made = plan(person(assigned=False))

    assert (made.action, made.reason.code) == (Action.SKIP, "NotEffectivelyEntitled")
    assert made.reason.next_step == "Would be provisioned if assigned to the application."


def test_person_without_any_matching_value_is_skipped() -> None:
    made = plan(person(ANNA | {"userPrincipalName": None}))

    assert (made.action, made.reason.code) == (Action.SKIP, "ImportSkipped")


def test_matching_expression_that_fails_is_refused() -> None:
    config = configuration({"target": "userName", "expression": 'Item(Split([mail], "@"), 2)', "match": 1})

    made = plan(person(ANNA | {"mail": "x"}), config=config)

    assert (made.action, made.reason.code) == (Action.REFUSE, "InvalidExpression")


def test_mapping_without_matching_attribute_creates_nobody() -> None:
    made = plan(config=configuration({"target": "userName", "source": "userPrincipalName"}))

    assert (made.action, made.reason.code) == (Action.REFUSE, "NoMatchingAttribute")


def test_missing_required_value_is_refused() -> None:
    config = configuration(
        {"target": "externalId", "source": "employeeId", "match": 1}, {"target": "userName", "source": "mail"}
    )

    made = plan(person(ANNA | {"employeeId": "1"}), config=config, match=NO_MATCH)

    assert (made.action, made.reason.code) == (Action.REFUSE, "MissingValues")


def test_object_that_an_expression_leaves_out_is_skipped() -> None:
    leaves_out = {"target": "title", "expression": 'IIF([department] = "Sales", IgnoreObjectFlow, "x")'}

    made = plan(config=configuration(*ATTRIBUTES, leaves_out), match=NO_MATCH)

    assert (made.action, made.reason.code) == (Action.SKIP, "ImportSkipped")


# -------------------------------------------------------------------------------------------------- with an account


def test_unchanged_person_needs_no_look_and_no_write() -> None:
    prepared = prepare(person(), link(base=IN_STEP), configuration(), MOMENT)

    made = make_plan(prepared)

    assert wanted(prepared) is NextQuestion.NOTHING
    assert (made.action, made.reason.code, made.changes) == (Action.NONE, "RedundantExport", ())


def test_source_change_writes_only_the_difference() -> None:
    made = plan(person(ANNA | {"surname": "Lindqvist"}), link(base=IN_STEP))

    assert (made.action, made.changes) == (Action.UPDATE, (Change("name.familyName", "Lind", "Lindqvist"),))
    assert made.reason.text == "name.familyName differs."


def test_what_the_application_made_of_the_same_wish_is_not_written_over_and_over() -> None:
    folded = IN_STEP | {"name.givenName": "ANNA"}

    made = plan(linked=link(base=folded, desired_hash=desired_hash(IN_STEP)))

    assert made.action is Action.NONE


def test_new_wish_is_compared_with_the_base() -> None:
    folded = IN_STEP | {"name.givenName": "ANNA"}

    made = plan(linked=link(base=folded, desired_hash="of an older mapping"))

    assert made.changes == (Change("name.givenName", "ANNA", "Anna"),)


def test_update_that_is_not_ticked_skips_with_the_reason() -> None:
    config = configuration(mapping={"actions": ["create", "delete"]})

    made = plan(person(ANNA | {"surname": "X"}), link(base=IN_STEP), config)

    assert (made.action, made.changes, made.link_state) == (Action.SKIP, (), LinkState.LIVE)


def test_look_compares_with_what_the_account_holds_now() -> None:
    drifted = account(**{**RESOURCE, "name": {"givenName": "Changed", "familyName": "Lind"}})

    made = plan(linked=link(base=IN_STEP), observed=drifted, look=True)

    assert made.changes == (Change("name.givenName", "Changed", "Anna"),)


def test_account_that_the_applications_admin_disabled_is_reported_not_enabled() -> None:
    made = plan(linked=link(base=IN_STEP), observed=account(**{**RESOURCE, "active": False}), look=True)

    assert (made.action, made.changes) == (Action.NONE, ())
    assert "Drift" in [reason.code for reason in made.reasons]


def test_account_that_the_applications_admin_disabled_is_enabled_by_option() -> None:
    attributes = [{**a, "drift": "enforce"} if a["target"] == "active" else a for a in ATTRIBUTES]

    made = plan(
        linked=link(base=IN_STEP),
        config=configuration(*attributes),
        observed=account(**{**RESOURCE, "active": False}),
        look=True,
    )

    assert made.action is Action.ENABLE


def test_value_that_is_adopted_is_left_without_a_word() -> None:
    attributes = [{**a, "drift": "adopt"} for a in ATTRIBUTES]

    made = plan(
        linked=link(base=IN_STEP),
        config=configuration(*attributes),
        observed=account(**{**RESOURCE, "name": {"givenName": "Changed", "familyName": "Lind"}}),
        look=True,
    )

    assert (made.action, made.changes) == (Action.NONE, ())
    assert "Drift" not in [reason.code for reason in made.reasons]


@pytest.mark.parametrize("drift", ["report", "adopt"])
def test_drift_rule_does_not_stop_a_change_of_the_source(drift: str) -> None:
    attributes = [{**a, "drift": drift} for a in ATTRIBUTES]

    made = plan(
        person(ANNA | {"givenName": "Ann"}),
        link(base=IN_STEP),
        configuration(*attributes),
        observed=account(**{**RESOURCE, "name": {"givenName": "Other", "familyName": "Lind"}}),
        look=True,
    )

    assert made.changes == (Change("name.givenName", "Other", "Ann"),)


@pytest.mark.parametrize("state", ["released", "lost"])
def test_account_that_we_let_go_of_is_looked_at_before_anything(state: str) -> None:
    prepared = prepare(person(), link(state, base=IN_STEP), configuration(), MOMENT)

    assert wanted(prepared) is NextQuestion.LOOK
    with pytest.raises(ValueError, match="the current values of its account"):
        make_plan(prepared)


@pytest.mark.parametrize("state", ["released", "lost"])
def test_account_that_is_there_again_is_linked_again(state: str) -> None:
    made = plan(linked=link(state, base=IN_STEP), observed=account(**RESOURCE))

    assert (made.action, made.link_state, made.target_id) == (Action.LINK, LinkState.LIVE, "u-1")


def test_link_without_base_is_looked_at() -> None:
    assert wanted(prepare(person(), link(base={}), configuration(), MOMENT)) is NextQuestion.LOOK


def test_vanished_account_is_refused_not_created_again() -> None:
    made = plan(linked=link(base=IN_STEP), observed=None, look=True)

    assert (made.action, made.reason.code, made.link_state, made.cause) == (
        Action.REFUSE,
        "InvalidAnchor",
        LinkState.LOST,
        "lost",
    )


def test_vanished_account_is_matched_again_and_created_by_policy() -> None:
    config = configuration(deletions={"onLost": "recreate"})
    prepared = prepare(person(), link(base=IN_STEP), config, MOMENT, look=True)

    assert wanted(prepared) is NextQuestion.LOOK
    assert wanted(prepared, observed=None) is NextQuestion.MATCH
    assert make_plan(prepared, observed=None, match=NO_MATCH).action is Action.CREATE


def test_vanished_account_is_forgotten_by_policy() -> None:
    made = plan(
        linked=link(base=IN_STEP), config=configuration(deletions={"onLost": "forget"}), observed=None, look=True
    )

    assert (made.action, made.link_state) == (Action.RELEASE, LinkState.TOMBSTONE)


def test_released_account_that_is_gone_is_matched_again() -> None:
    prepared = prepare(person(), link("released", base=IN_STEP), configuration(), MOMENT)

    assert wanted(prepared, observed=None) is NextQuestion.MATCH
    assert make_plan(prepared, observed=None, match=NO_MATCH).action is Action.CREATE


# -------------------------------------------------------------------------------------------------------- leaving


def test_person_who_leaves_scope_is_disabled_not_deleted() -> None:
    made = plan(person(assigned=False), link(base=IN_STEP))

    assert (made.action, made.changes) == (Action.DISABLE, (Change("active", True, False),))
    assert (made.link_state, made.cause) == (LinkState.DISABLED, "unassigned")


def test_disabling_says_why_in_a_sentence() -> None:
    only_sales = {"title": "Sales only", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}
    config = configuration(mapping={"scopingFilters": [only_sales]})

    made = plan(person(ANNA | {"department": "Marketing"}), link(base=IN_STEP), config)

    assert made.cause == "filtered"
    assert made.reason.text == (
        'The scoping filter "Sales only" does not match: department is "Marketing", must EQUAL "Sales".'
    )


def test_other_values_of_a_leaver_do_not_flow_and_do_not_hold_it_up() -> None:
    fails = {"target": "title", "expression": 'Item(Split([mail], "@"), 2)'}
    leaver = person(ANNA | {"mail": "x", "surname": "Changed"}, assigned=False)

    made = plan(leaver, link(base=IN_STEP), configuration(*ATTRIBUTES, fails))

    assert made.changes == (Change("active", True, False),)


def test_disabled_person_stays_disabled_without_another_write() -> None:
    made = plan(person(assigned=False), link("disabled", base=IN_STEP | {"active": False}))

    assert (made.action, made.link_state) == (Action.NONE, LinkState.DISABLED)


def test_disabled_account_of_a_returning_person_is_enabled() -> None:
    made = plan(linked=link("disabled", base=IN_STEP | {"active": False}))

    assert (made.action, made.changes) == (Action.ENABLE, (Change("active", False, True),))
    assert (made.link_state, made.cause) == (LinkState.LIVE, "")


def test_deleted_person_is_disabled_and_looked_at_again_after_30_days() -> None:
    made = plan(person(**life("softDeleted")), link(base=IN_STEP))

    assert (made.action, made.review_at, made.cause) == (Action.DISABLE, NOW + timedelta(days=30), "deleted")


def test_person_deleted_for_30_days_loses_the_account() -> None:
    made = plan(person(**life("softDeleted 30 days")), link("disabled"))

    assert (made.action, made.link_state, made.target_id) == (Action.DELETE, LinkState.TOMBSTONE, "u-1")


def test_purged_person_loses_the_account() -> None:
    assert plan(person(**life("purged")), link("disabled")).action is Action.DELETE


def test_delete_that_is_not_ticked_disables_instead() -> None:
    config = configuration(mapping={"actions": ["create", "update"]})

    made = plan(person(**life("purged")), link(base=IN_STEP), config)

    assert (made.action, made.link_state) == (Action.DISABLE, LinkState.DISABLED)


def test_delete_that_is_not_ticked_leaves_a_disabled_account() -> None:
    config = configuration(mapping={"actions": ["create", "update"]})

    made = plan(person(**life("purged")), link("disabled"), config)

    assert (made.action, made.link_state) == (Action.SKIP, LinkState.DISABLED)


def test_disable_that_is_not_ticked_skips_with_the_reason() -> None:
    config = configuration(mapping={"actions": ["create"]})

    made = plan(person(assigned=False), link(base=IN_STEP), config)

    assert (made.action, made.link_state) == (Action.SKIP, LinkState.LIVE)


def test_leaving_scope_under_keep_releases_the_account() -> None:
    config = configuration(deletions={"onOutOfScope": "keep"})

    made = plan(person(assigned=False), link(base=IN_STEP), config)

    assert (made.action, made.link_state, made.changes) == (Action.RELEASE, LinkState.RELEASED, ())


def test_released_account_is_left_alone() -> None:
    made = plan(person(assigned=False), link("released", base=IN_STEP))

    assert (made.action, made.link_state) == (Action.SKIP, LinkState.RELEASED)


def test_leavers_account_that_is_gone_already_is_done() -> None:
    made = plan(person(assigned=False), link(base=IN_STEP), observed=None, look=True)

    assert (made.action, made.link_state, made.reason.code) == (Action.RELEASE, LinkState.TOMBSTONE, "AlreadyGone")


def test_without_a_mapping_of_active_leaving_the_scope_deletes() -> None:
    config = configuration({"target": "userName", "source": "userPrincipalName", "match": 1})

    made = plan(person(assigned=False), link(), config)

    assert made.action is Action.DELETE


def test_without_a_mapping_of_active_a_disabled_person_keeps_the_account() -> None:
    config = configuration({"target": "userName", "source": "userPrincipalName", "match": 1})

    made = plan(person(account_enabled=False), link(), config)

    assert (made.action, made.reason.code) == (Action.NONE, "DisableNotMapped")


def test_mapping_of_active_that_does_not_switch_off_is_told() -> None:
    config = configuration(
        {"target": "userName", "source": "userPrincipalName", "match": 1},
        {"target": "active", "source": "accountEnabled"},
    )

    made = plan(person(assigned=False), link(base=IN_STEP), config)

    assert (made.action, made.reason.code, made.link_state) == (Action.NONE, "DisableNotMapped", LinkState.LIVE)


def test_disabled_person_is_switched_off_through_account_enabled() -> None:
    config = configuration(
        {"target": "userName", "source": "userPrincipalName", "match": 1},
        {"target": "active", "source": "accountEnabled"},
    )

    made = plan(person(account_enabled=False), link(base=IN_STEP), config)

    assert made.changes == (Change("active", True, False),)


def test_switched_off_object_mapping_touches_nobody() -> None:
    config = configuration(mapping={"enabled": False})

    assert plan(config=config).action is Action.SKIP
    linked = plan(person(assigned=False), link(base=IN_STEP), config)
    assert (linked.action, linked.link_state, linked.reason.code) == (
        Action.NONE,
        LinkState.LIVE,
        "ObjectMappingDisabled",
    )


def test_unassigned_group_is_deleted() -> None:
    config = configuration_from_json(
        {
            "mappings": [
                {
                    "name": "Groups",
                    "source": "Group",
                    "attributes": [{"target": "displayName", "source": "displayName", "match": 1}],
                }
            ]
        },
        version=1,
    )
    group = SourceObject(ObjectKind.GROUP, "g-1", "Sales", {"displayName": "Sales"})
    linked = Link(ObjectKind.GROUP, "g-1", "t-1", LinkState.LIVE, {"displayName": "Sales"})

    made = plan(group, linked, config)

    assert made.action is Action.DELETE
    assert made.reason.text.startswith("The group is not assigned")


# ---------------------------------------------------------------------------------------- what is told, what is kept


def test_steps_tell_the_walk() -> None:
    assert [step.name for step in plan(match=NO_MATCH).steps] == [
        "EntryImport",
        "EntrySynchronizationScoping",
        "EntryMatching",
        "EntrySynchronizationAdd",
    ]


def test_missing_reference_is_a_step_and_does_not_stop_the_person() -> None:
    config = configuration(*ATTRIBUTES, {"target": "manager", "source": "manager"})

    made = plan(person(references={"manager": "p-9"}), config=config, match=NO_MATCH)

    assert made.action is Action.CREATE
    assert made.mapped.missing_references == (("manager", "p-9"),)
    assert [s.details["reason"] for s in made.steps if s.name == "EntryReferenceResolution"] == [
        "UnableToResolveReferenceAttributeValue"
    ]


def test_redacted_value_is_in_no_step_and_no_reason() -> None:
    secret = {"target": "nickName", "source": "nick", "redact": True}

    made = plan(person(ANNA | {"nick": "s3cr3t"}), config=configuration(*ATTRIBUTES, secret), match=NO_MATCH)

    assert made.mapped.values["nickName"] == "s3cr3t"
    assert "s3cr3t" not in str(made.steps) + str(made.reasons)
    assert made.steps[-1].details["nickName"] == "[Redact]"


def test_redacted_value_that_drifted_is_in_no_reason() -> None:
    secret = {"target": "nickName", "source": "nick", "redact": True, "drift": "report"}

    made = plan(
        person(ANNA | {"nick": "s3cr3t"}),
        link(base=IN_STEP | {"nickName": "s3cr3t"}),
        configuration(*ATTRIBUTES, secret),
        observed=account(**RESOURCE, nickName="drifted-s3cr3t"),
        look=True,
    )

    assert made.action is Action.NONE
    assert "s3cr3t" not in str(made.steps) + str(made.reasons)


def test_password_is_not_written_again_because_nobody_can_read_it() -> None:
    password = {"target": "password", "expression": "RandomString(16,2,2,2,2)", "redact": True}
    config = configuration(*ATTRIBUTES, password)
    made = plan(config=config, match=NO_MATCH)

    again = plan(
        linked=link(base=made.mapped.values, generated=made.mapped.generated),
        config=config,
        observed=account(**RESOURCE),
        look=True,
    )

    assert again.action is Action.NONE


def test_value_that_depends_on_today_is_looked_at_tomorrow() -> None:
    today = {"target": "title", "expression": 'IIF(DateDiff("d", Now(), CDate([leaves])) >= 0, "staff", "former")'}

    made = plan(person(ANNA | {"leaves": "2026-04-01"}), config=configuration(*ATTRIBUTES, today), match=NO_MATCH)

    assert made.review_at == NOW.replace(day=11, hour=0)


def test_privileged_value_that_is_new_is_a_grant() -> None:
    attributes = [{**a, "privileged": ["Admin"]} if a["target"] == ROLE else a for a in ATTRIBUTES]
    config = configuration(*attributes)
    admin = person(assignments=(Assignment(ADMIN.id),))

    assert plan(admin, link(base=IN_STEP), config).grants
    assert not plan(admin, link(base=IN_STEP | {ROLE: "Admin", "name.givenName": "x"}), config).grants
    assert not plan(config=config, match=NO_MATCH).grants


def test_emptied_attribute_is_marked() -> None:
    clears = {"target": "title", "source": "jobTitle", "clearWhenEmpty": True}

    made = plan(linked=link(base=IN_STEP | {"title": "Boss"}), config=configuration(*ATTRIBUTES, clears))

    assert made.changes == (Change("title", "Boss", None),)
    assert made.empties


def test_linked_person_whose_mapping_fails_is_refused_and_keeps_the_link() -> None:
    fails = {"target": "title", "expression": 'Item(Split([mail], "@"), 2)'}

    made = plan(person(ANNA | {"mail": "x"}), link(base=IN_STEP), configuration(*ATTRIBUTES, fails))

    assert (made.action, made.reason.code, made.link_state) == (Action.REFUSE, "InvalidExpression", LinkState.LIVE)


def test_look_compares_even_where_the_wish_is_the_same_as_last_time() -> None:
    drifted = account(**{**RESOURCE, "name": {"givenName": "Changed", "familyName": "Lind"}})

    made = plan(linked=link(base=IN_STEP, desired_hash=desired_hash(IN_STEP)), observed=drifted, look=True)

    assert made.changes == (Change("name.givenName", "Changed", "Anna"),)


def test_plan_carries_the_digest_of_what_it_wants() -> None:
    assert plan(match=NO_MATCH).desired_hash == desired_hash(IN_STEP)
    assert plan(person(assigned=False)).desired_hash == ""


def test_account_that_was_gone_and_is_found_again_keeps_the_attribute_by_which_it_was_matched() -> None:
    gone = link("tombstone", base=IN_STEP, gone_at=NOW, matched_by="userName")

    made = plan(linked=gone, observed=account("u-1"))

    assert (made.link_to is not None, made.matched_by) == (True, "userName")


def test_account_that_is_created_again_has_no_id_yet() -> None:
    made = plan(linked=link("released", base=IN_STEP), observed=None, match=NO_MATCH)

    assert (made.action, made.target_id) == (Action.CREATE, "")


def test_stamp_of_the_time_is_not_looked_at_again() -> None:
    stamp = {"target": "title", "expression": "Now()"}

    assert plan(config=configuration(*ATTRIBUTES, stamp), match=NO_MATCH).review_at is None


def test_what_is_not_written_is_not_remembered_as_agreed() -> None:
    creates_only = configuration(mapping={"actions": ["create"]})

    skipped = plan(person(ANNA | {"surname": "X"}), link(base=IN_STEP), creates_only)
    linked = plan(config=creates_only, match=one(account("u-7")))
    still_active = plan(person(assigned=False), link(base=IN_STEP), creates_only)

    assert [made.desired_hash for made in (skipped, linked, still_active)] == ["", "", ""]


def test_match_whose_mapping_fails_is_refused_and_not_linked() -> None:
    fails = {"target": "title", "expression": 'Item(Split([mail], "@"), 2)'}

    made = plan(person(ANNA | {"mail": "x"}), config=configuration(*ATTRIBUTES, fails), match=one(account("u-7")))

    assert (made.action, made.reason.code, made.link_to) == (Action.REFUSE, "InvalidExpression", None)


def test_leaver_is_not_looked_at_again_because_another_day_begins() -> None:
    today = {"target": "title", "expression": 'IIF(DateDiff("d", Now(), CDate([leaves])) >= 0, "staff", "former")'}

    made = plan(person(assigned=False), link(base=IN_STEP), configuration(*ATTRIBUTES, today))

    assert (made.action, made.review_at) == (Action.DISABLE, None)
