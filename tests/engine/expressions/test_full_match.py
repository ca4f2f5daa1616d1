"""Patterns that must match a whole text: lookaheads at the beginning work as in .NET, all others are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.full_match import compile_full_match

PATTERNS = [
    r"^(?!svc_).*@fjord\.test$",
    r"(?!svc_).*",
    r"^(?=a)(?!ab).*$",
    r"^(?!a|b)[ab(]+$",
    r"^(?!(a|b)b)[ab]*$",
    r"^(?!a\)b)[ab)]*$",
    r"^(?![)a])[ab)]*$",
    r"(?i)^(?!A)[ab]*$",
    r"[ab]*",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text("ab)(|_svc@fjord.te", max_size=12) | st.sampled_from(["svc_a@fjord.test", "a@fjord.test", "ABB"]))
def test_leading_lookaheads_answer_as_a_backtracking_engine_does(pattern: str, text: str) -> None:
    assert compile_full_match(pattern).holds(text) is (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize("pattern", [r"a(?!b).*", r"^(?!a)b|c", r"^(?!a(?!b)).*$", r"(?<!a)b", r"^(?!a)*b"])
def test_lookaround_anywhere_else_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionTrouble):
        compile_full_match(pattern)
