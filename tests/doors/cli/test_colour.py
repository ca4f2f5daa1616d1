"""Colour: the flag decides first, then the environment, then whether the output is a terminal."""

from __future__ import annotations

import pytest

from lockstep.cli import wants_colour


@pytest.mark.parametrize(
    ("flag", "environment", "is_terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"CLICOLOR_FORCE": "1"}, True, False),
    ],
)
def test_the_flag_decides_first_then_the_environment(
    flag: str, environment: dict[str, str], is_terminal: bool, expected: bool
) -> None:
    assert wants_colour(flag, environment, is_terminal=is_terminal) is expected
