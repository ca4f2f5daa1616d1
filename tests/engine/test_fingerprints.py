"""Two plans have the same fingerprint if they do the same for the same reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.decisions.effects import predicted_plan
from lockstep.engine.decisions.fingerprints import fingerprint
from lockstep.engine.moment import Moment
from lockstep.engine.plans import MappedAccount, Plan
from lockstep.engine.records import Account, Action, Change, LinkState, ObjectKind, Reason, SourceObject
from lockstep.engine.rules.mappings import ObjectMapping
from tests.engine.decision_cases import MOMENT, configuration, users
from tests.engine.decision_strategies import configurations, people
from tests.engine.test_decision_laws import laws

UPDATE = Plan(
    Action.UPDATE,
    (Reason("Changed", "The surname of Anna changed", {"attributes": "name.familyName"}),),
    LinkState.LIVE,
    "u-1",
    changes=(Change("name.familyName", "Berg", "Lind"), Change("title", None, "Boss")),
    kind=ObjectKind.USER,
    source_id="p-1",
    display="Anna",
)
values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3).map(tuple)


def of(plan: Plan) -> str:
    return fingerprint(plan, None)


@pytest.mark.parametrize(
    "other",
    [
        replace(UPDATE, action=Action.DISABLE),
        replace(UPDATE, target_id="u-2"),
        replace(UPDATE, source_id="p-2"),
        replace(UPDATE, kind=ObjectKind.GROUP),
        replace(UPDATE, link_state=LinkState.DISABLED),
        replace(UPDATE, link_to=Account(ObjectKind.USER, "u-9", {})),
        replace(UPDATE, changes=UPDATE.changes[:1]),
        replace(UPDATE, changes=(replace(UPDATE.changes[0], old="Other"), UPDATE.changes[1])),
        replace(UPDATE, changes=(replace(UPDATE.changes[0], new="Other"), UPDATE.changes[1])),
        replace(UPDATE, changes=(replace(UPDATE.changes[0], added=("Lind",)), UPDATE.changes[1])),
        replace(UPDATE, reasons=(replace(UPDATE.reasons[0], code="Drift"),)),
        replace(UPDATE, reasons=(replace(UPDATE.reasons[0], details={"attributes": "title"}),)),
        replace(UPDATE, reasons=(*UPDATE.reasons, Reason("Drift", ""))),
    ],
)
def test_another_action_account_change_or_reason_is_another_plan(other: Plan) -> None:
    assert of(other) != of(UPDATE)


def test_texts_and_the_order_of_changes_do_not_count() -> None:
    reworded = replace(UPDATE.reasons[0], text="The surname of Anne changed", next_step="Look")
    other = replace(UPDATE, display="Anne", reasons=(reworded,), changes=UPDATE.changes[::-1])

    assert of(other) == of(UPDATE)


@given(values, values)
def test_changes_have_the_same_fingerprint_only_if_their_values_are_the_same(one: Any, other: Any) -> None:
    plans = [replace(UPDATE, changes=(Change("title", None, value),)) for value in (one, other)]

    assert (of(plans[0]) == of(plans[1])) == (repr(one) == repr(other))


def test_secret_counts_by_its_hash_and_not_by_its_value() -> None:
    def secret(value: str, sealed: str) -> Plan:
        changes = (Change("password", None, value, redacted=True),)
        return replace(UPDATE, changes=changes, mapped=MappedAccount({}, sealed={"password": sealed}))

    assert of(secret("a", "hash-1")) == of(secret("b", "hash-1"))
    assert of(secret("a", "hash-1")) != of(secret("a", "hash-2"))


def test_secret_without_a_hash_counts_by_what_the_change_shows_of_it() -> None:
    one, other = (
        replace(UPDATE, changes=(Change("password", None, shown, redacted=True),)) for shown in ("hash-1", "hash-2")
    )

    assert of(one) != of(other)


def test_first_secret_is_another_change_than_a_new_one() -> None:
    first, new = (
        replace(UPDATE, changes=(Change("password", old, "hash-1", redacted=True),)) for old in (None, "hash-0")
    )

    assert of(first) != of(new)


def with_random_title() -> ObjectMapping:
    attributes = (
        {"target": "userName", "source": "userPrincipalName", "match": 1},
        {"target": "title", "expression": "Guid()"},
    )
    return users(configuration(*attributes))


def test_random_value_counts_only_as_generated() -> None:
    mapping = with_random_title()
    one, other = (replace(UPDATE, changes=(Change("title", None, value),)) for value in ("g-1", "g-2"))

    assert fingerprint(one, mapping) == fingerprint(other, mapping)
    assert of(one) != of(other)


def test_random_value_that_is_added_replaced_or_removed_is_three_different_changes() -> None:
    plans = [
        replace(UPDATE, changes=(Change("title", old, new),)) for old, new in ((None, "g"), ("o", "g"), ("o", None))
    ]

    assert len({fingerprint(plan, with_random_title()) for plan in plans}) == 3


@laws
@given(people(), configurations(), st.binary(min_size=4, max_size=4))
def test_plan_that_is_made_again_has_the_same_fingerprint(
    person: SourceObject, config: JobConfiguration, seed: bytes
) -> None:
    mapping = config.mapping_for(ObjectKind.USER)
    moments = MOMENT, Moment(MOMENT.now, seed)

    first, again = (predicted_plan(person, None, config, moment) for moment in moments)

    assert fingerprint(first, mapping) == fingerprint(again, mapping)
