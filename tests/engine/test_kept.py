"""How an application changed the values that it was sent, and the effect on the next plan."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.configuration.rules import ObjectMapping
from lockstep.engine.decisions.kept import (
    Unkept,
    after_read,
    after_write,
    confirmed,
    reasons_to_write,
    rule_of,
    with_unkept,
)
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.value_fates import JudgedValue, judge
from lockstep.engine.records import Change, ObjectKind
from tests.engine.decision_cases import account, configuration, name_of, rows, users

TITLE = {"target": "title", "source": "jobTitle"}
USER_NAME = {"target": "userName", "source": "userPrincipalName", "match": 1}
CONFIG = configuration(USER_NAME, TITLE, {"target": "nickName", "source": "alias"})
USERS = users(CONFIG)


def frozen(value: Any) -> Any:
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def judged_by(changes: list[Change], answer: dict[str, Any], mapping: ObjectMapping) -> tuple[JudgedValue, ...]:
    resource = {"id": "u-1", **answer}
    return judge(changes, held_values(mapping, resource), resource, mapping)


@pytest.mark.parametrize("row", rows("kept.jsonl"), ids=name_of)
def test_fate_of_a_value(row: dict[str, Any]) -> None:
    target = row["target"]
    mapping = users(configuration({"target": target, "source": "x", **row.get("map", {})}))
    change = Change(target, frozen(row.get("old")), frozen(row["new"]), added=frozen(row.get("added", [])))

    judged = judged_by([change], row["answer"], mapping)

    assert [one.fate.value for one in judged] == ([] if row["fate"] is None else [row["fate"]])


def remembered(*answers: dict[str, Any], new: str = "Clerk ") -> dict[str, Any]:
    """Return the answers stored with a link after the title was written once for each of *answers*."""
    known: dict[str, Any] = {}
    for answer in answers:
        change = Change("title", None, new)
        judged = judged_by([change], {"userName": "kim", **answer}, USERS)
        known = after_write(known, judged, [], [change], USERS)
    return known


@pytest.mark.parametrize(
    ("answers", "old", "new", "is_written"),
    [
        ([{"title": "Clerk"}], "Clerk", "Clerk ", False),  # rewritten, and still stored as the response said
        ([{"title": "Clerk"}], "Director", "Clerk ", True),  # somebody else changed it
        ([{"title": "Clerk"}], None, "Clerk ", True),
        ([{"title": "Clerk"}], "Clerk", "Director", True),  # the source changed
        ([{}], None, "Clerk ", True),  # one answer without it is no proof
        ([{}, {}], None, "Clerk ", False),
        ([{}, {}], None, "Director", True),
        ([{}, {"title": "Clerk "}], None, "Clerk ", True),  # stored after all
    ],
)
def test_what_was_answered_before_decides_whether_it_is_written_again(
    answers: list[dict[str, Any]], old: str | None, new: str, is_written: bool
) -> None:
    change = Change("title", old, new)

    found = reasons_to_write([change], remembered(*answers), (), USERS)

    assert bool(found.changes) is is_written


def test_another_rule_for_the_attribute_is_tried_from_the_start() -> None:
    other = users(configuration(USER_NAME, {"target": "title", "source": "businessTitle"}))

    found = reasons_to_write([Change("title", None, "Clerk ")], remembered({}, {}), (), other)

    assert found.changes


def test_what_is_not_kept_is_no_reason_to_write_and_goes_along_with_one() -> None:
    title, nick = Change("title", None, "Clerk"), Change("nickName", None, "Kim")

    alone = reasons_to_write([title], {}, {"title"}, USERS)
    together = reasons_to_write([title, nick], {}, {"title"}, USERS)

    assert (alone.changes, alone.withheld) == ((), ("title",))
    assert [reason.code for reason in alone.reasons] == ["ValueNotKept"]
    assert (together.changes, together.withheld) == ((title, nick), ())


def test_value_sent_twice_without_an_answer_is_settled_by_the_next_reading() -> None:
    change = Change("title", "Clerk", "Clerk ")
    known = after_write({}, [], [change], [change], USERS)

    as_before, judged = after_read(known, account(title="Clerk"), USERS)
    as_sent, kept = after_read(known, account(title="Clerk "), USERS)
    by_hand, nothing = after_read(known, account(title="Director"), USERS)

    assert [one.fate.value for one in (*judged, *kept, *nothing)] == ["changed", "kept"]
    assert not reasons_to_write([change], as_before, (), USERS).changes
    assert as_sent == by_hand == {}


def test_reading_that_shows_another_value_ends_what_was_remembered() -> None:
    known = remembered({"title": "Clerk"})

    after, _ = after_read(known, account(title="Director"), USERS)

    assert after == {}


def test_essential_attributes_are_reported_and_never_given_up() -> None:
    found = [
        Unkept(ObjectKind.USER, one.target, rule_of(one), 2)
        for one in users(configuration(USER_NAME, TITLE, {"target": "roles", "source": "x"})).attributes
    ]
    config = configuration(USER_NAME, TITLE, {"target": "roles", "source": "x"})

    assert with_unkept(config, found).unkept == {ObjectKind.USER: frozenset({"title"})}
    assert [one.path for one in confirmed(found, config)] == ["userName", "title", "roles"]


def test_one_answer_or_another_rule_gives_nothing_up() -> None:
    rule = rule_of(USERS.by_target["title"])
    found = [Unkept(ObjectKind.USER, "title", rule, 1), Unkept(ObjectKind.USER, "nickName", "other", 5)]

    assert with_unkept(CONFIG, found) is CONFIG
    assert confirmed(found, CONFIG) == []
