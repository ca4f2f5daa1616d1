"""Laws of the decisions, over generated people and configurations, with an application simulated by our own SCIM functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.decisions.mapping import base_after, held_values
from lockstep.engine.decisions.matching import NO_MATCH, NoMatch, OneMatch
from lockstep.engine.decisions.plan import NOT_READ, NextQuestion, NotRead, Observed, make_plan, prepare, wanted
from lockstep.engine.decisions.safeguards import Counts, Tally, hold_or_release
from lockstep.engine.decisions.scope import decide_scope
from lockstep.engine.plans import Plan
from lockstep.engine.records import Account, Action, Lifecycle, Link, LinkState, ObjectKind, SourceObject
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.patch_build import CLEAR, patch_operations, to_resource
from lockstep.scim.registry import default_registry
from tests.engine.decision_cases import MOMENT, users
from tests.engine.decision_strategies import configurations, people

USER = default_registry().resource("User")
laws = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Application = dict[str, dict[str, Any]]


def planned(
    who: SourceObject, link: Link | None, config: JobConfiguration, app: Application, *, look: bool = False
) -> Plan:
    """A plan, made with queries to the application as the shell makes them."""
    prepared = prepare(who, link, config, MOMENT, {"p-9": "u-9"}, look=look)
    match: OneMatch | NoMatch | None = None
    observed: Account | NotRead | None = NOT_READ
    while (want := wanted(prepared, match=match, observed=observed)) is not NextQuestion.NOTHING:
        if want is NextQuestion.LOOK:
            assert link is not None
            observed = read(app, link.target_id)
        else:
            match = NO_MATCH
            for query in prepared.queries:
                found = [i for i, r in app.items() if str(r.get("userName", "")).casefold() == query.value.casefold()]
                account = read(app, found[0]) if found else None
                match = OneMatch(account, query) if isinstance(account, Account) else NO_MATCH
    return make_plan(prepared, match=match, observed=observed)


def read(app: Application, target_id: str) -> Observed:
    return Account(ObjectKind.USER, target_id, app[target_id]) if target_id in app else None


def carried_out(plan: Plan, link: Link | None, config: JobConfiguration, app: Application) -> Link | None:
    """Carry out a plan as the shell does: write, then store the link."""
    if plan.link_state is None:
        return link
    target_id = plan.target_id or "u-1"
    cleared = [change.path for change in plan.changes if change.new is None]
    if plan.action is Action.CREATE:
        app[target_id] = {"id": target_id, **to_resource(plan.mapped.values, USER)}
    elif plan.action is Action.DELETE:
        del app[target_id]
    elif plan.action.writes:
        changes = {change.path: CLEAR if change.new is None else change.new for change in plan.changes}
        body = patch_body(patch_operations(changes, app[target_id], definition=USER))
        app[target_id] = apply_patch(app[target_id], read_operations(body), USER).resource
    old = link.base if link and plan.action is not Action.CREATE and not plan.link_to else {}
    base = base_after(old, plan.mapped.values, cleared, held_values(users(config), app.get(target_id, {})))
    return Link(
        ObjectKind.USER, plan.source_id, target_id, plan.link_state, base, plan.desired_hash, generated=plan.mapped.generated,
        cause=plan.cause,
    )  # fmt: skip


def wants_nothing(plan: Plan) -> bool:
    return not plan.action.writes and plan.changes == ()


@laws
@given(people(plain=True), configurations(plain=True), st.booleans())
def test_planning_again_after_writing_plans_nothing(who: SourceObject, config: JobConfiguration, found: bool) -> None:
    app: Application = {"u-1": {"id": "u-1", "userName": "ANNA@contoso.com", "active": False}} if found else {}
    plan = planned(who, None, config, app)
    link = carried_out(plan, None, config, app)

    assert wants_nothing(planned(who, link, config, app))
    assert wants_nothing(planned(who, link, config, app, look=link is not None))


@laws
@given(people(plain=True), people(plain=True), configurations(plain=True))
def test_change_of_a_person_settles_after_one_write(
    before: SourceObject, after: SourceObject, config: JobConfiguration
) -> None:
    app: Application = {}
    link = carried_out(planned(before, None, config, app), None, config, app)
    link = carried_out(planned(after, link, config, app), link, config, app)

    again = planned(after, link, config, app)

    # Creating an account again after policy deleted it is a second life, not a second write of the first.
    assert wants_nothing(again) or (link is not None and link.state is LinkState.TOMBSTONE)


@laws
@given(people(), configurations(), st.sampled_from([None, *LinkState]), st.booleans())
def test_plans_are_total(who: SourceObject, config: JobConfiguration, state: LinkState | None, there: bool) -> None:
    link = Link(ObjectKind.USER, "p-1", "u-1", state, {"userName": "x", "active": True}) if state else None
    app: Application = {"u-1": {"id": "u-1", "userName": "x", "active": True}} if there else {}

    for look in (False, True):
        plan = planned(who, link, config, app, look=look)

        assert plan.reasons
        assert all(reason.code and reason.text for reason in plan.reasons)
        assert plan.steps[0].name == "EntryImport"
        assert bool(plan.changes) <= plan.action.writes


@laws
@given(people(), configurations(deletes=False), st.sampled_from([None, *LinkState]), st.booleans())
def test_nothing_is_deleted_where_deletion_is_off(
    who: SourceObject, config: JobConfiguration, state: LinkState | None, look: bool
) -> None:
    link = Link(ObjectKind.USER, "p-1", "u-1", state, {"userName": "x", "active": True}) if state else None
    app: Application = {"u-1": {"id": "u-1", "userName": "x", "active": True}}

    assert planned(who, link, config, app, look=look).action is not Action.DELETE


@laws
@given(people(), configurations(), st.sampled_from(LinkState))
def test_nobody_loses_access_without_a_cause(who: SourceObject, config: JobConfiguration, state: LinkState) -> None:
    link = Link(ObjectKind.USER, "p-1", "u-1", state, {"userName": "x", "active": True})
    plan = planned(who, link, config, {"u-1": {"id": "u-1", "userName": "x", "active": True}})
    in_scope = decide_scope(who, users(config), config, moment=MOMENT).in_scope

    if plan.action.is_destructive:
        assert plan.cause
        assert not in_scope or not who.account_enabled or who.lifecycle is not Lifecycle.ACTIVE


@laws
@given(people(), configurations(), st.sampled_from([None, *LinkState]))
def test_whoever_must_have_no_access_is_given_none(
    who: SourceObject, config: JobConfiguration, state: LinkState | None
) -> None:
    link = Link(ObjectKind.USER, "p-1", "u-1", state, {"userName": "x", "active": False}) if state else None
    plan = planned(who, link, config, {"u-1": {"id": "u-1", "userName": "x", "active": False}})
    in_scope = decide_scope(who, users(config), config, moment=MOMENT).in_scope

    if not in_scope or not who.account_enabled or who.lifecycle is not Lifecycle.ACTIVE:
        assert plan.action not in (Action.CREATE, Action.ENABLE, Action.LINK)
        # An account without access is only renamed to its person's present name.
        names = {mapping.target for mapping in users(config).matching}
        assert plan.action is not Action.UPDATE or {change.path for change in plan.changes} <= names


@laws
@given(people(), configurations(), st.randoms(use_true_random=False))
def test_order_of_filters_and_clauses_is_irrelevant(who: SourceObject, config: JobConfiguration, random: Any) -> None:
    mapping = users(config)
    shuffled = list(mapping.scoping_filters)
    random.shuffle(shuffled)

    one = decide_scope(who, mapping, config, moment=MOMENT)
    other = decide_scope(who, replace(mapping, scoping_filters=tuple(shuffled)), config, moment=MOMENT)

    assert (one.in_scope, one.cause) == (other.in_scope, other.cause)


@laws
@given(people(plain=True), configurations(), st.integers(0, 2_000), st.integers(0, 3_000))
def test_hold_never_lets_more_leavers_through_than_allowed(
    who: SourceObject, config: JobConfiguration, before: int, live: int
) -> None:
    link = Link(ObjectKind.USER, "p-1", "u-1", LinkState.LIVE, {"userName": "x", "active": True})
    plan = planned(who, link, config, {"u-1": {"id": "u-1", "userName": "x", "active": True}})

    released = hold_or_release(plan, Counts(day=Tally(losses=before), live_links=live), config)

    if released.action.is_destructive:
        assert before < 500
        assert before + 1 < 10 or (before + 1) * 100 <= 20 * live


@laws
@given(people(plain=True), configurations(plain=True))
def test_what_an_account_holds_is_what_was_written(who: SourceObject, config: JobConfiguration) -> None:
    app: Application = {}
    plan = planned(who, None, config, app)
    carried_out(plan, None, config, app)

    if plan.action is Action.CREATE:
        assert held_values(users(config), app["u-1"]) == plan.mapped.values
