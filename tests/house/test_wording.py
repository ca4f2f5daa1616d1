"""The words that every message shares: one rule each, in one module."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lockstep.wording import counted, did_you_mean, nearest, read_length

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize("rule", ["get_close_matches", r"\s*([smhdw])"])
def test_rule_stands_in_one_place(rule: str) -> None:
    assert [file.name for file in SOURCE.rglob("*.py") if rule in file.read_text(encoding="utf-8")] == ["wording.py"]


def test_nearest_folds_case_and_gives_the_name_as_it_is_known() -> None:
    assert nearest("USERNAM", ["displayName", "userName"]) == ["userName"]
    assert nearest("zzz", ["displayName", "userName"]) == []


def test_several_are_offered_with_or_and_nothing_like_it_gives_the_other_way() -> None:
    assert did_you_mean("mail", ["mail1", "jobTitle", "mails"], most=3, otherwise="") == "Did you mean mails or mail1?"
    assert (
        did_you_mean("qqq", ["mail"], otherwise="See: lockstep people attributes") == "See: lockstep people attributes"
    )


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        (" 40 m ", timedelta(minutes=40)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
        ("0s", timedelta(0)),
        ("30", None),
        ("", None),
        ("2h30m", None),
        ("-1d", None),
        ("1000000d", None),
        ("\u0663d", None),
    ],
)
def test_length_needs_its_unit(text: str, length: timedelta | None) -> None:
    assert read_length(text) == length


def test_number_stands_with_its_noun() -> None:
    assert [counted(1, "person"), counted(2, "person"), counted(2_000, "bad row")] == [
        "1 person",
        "2 people",
        "2,000 bad rows",
    ]
