"""However long or hostile an expression, the work and the memory of one evaluation are bounded. Counted, not timed."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.engine.expressions import EvaluationContext, ExpressionError, compile_expression
from lockstep.engine.expressions.compiled import compile_tree
from lockstep.engine.expressions.parser import MAX_CHARACTERS, read_tree
from lockstep.engine.expressions.values import MAX_TEXT
from lockstep.engine.expressions.work import MAX_WORK
from lockstep.engine.moment import Moment

CONTEXT = EvaluationContext(Moment(datetime(2026, 1, 1, tzinfo=UTC), b"bounds"))
LONG = "a" * MAX_TEXT
MAX_CALLS = 1_000_000


def filled(piece: str, start: str = 'Join("",', end: str = ")") -> str:
    """As many *piece*s as fit in an expression of the maximum length."""
    count = (MAX_CHARACTERS - len(start) - len(end)) // (len(piece) + 1)
    return start + ",".join([piece] * count) + end


HOSTILE: dict[str, tuple[str, dict[str, Any]]] = {
    "empty slots": ("Switch([a]," + "," * 9_980 + ")", {}),
    "open parentheses": ("(" * MAX_CHARACTERS, {}),
    "open calls": ("Join(" * 2_000, {}),
    "open quotes": ('"' * 9_999, {}),
    "backslashes": ('"' + "\\" * 9_999, {}),
    "brackets": ("[" * MAX_CHARACTERS, {}),
    "digits": ("CStr(" + "9" * 9_990 + ")", {}),
    "hexadecimal digits": ("CStr(&H" + "F" * 9_990 + ")", {}),
    "attributes": (filled("[a]"), {"a": "x" * 20}),
    "long attributes": (filled("[a]"), {"a": LONG}),
    "calls": (filled("ToUpper([a])"), {"a": LONG}),
    "case of every letter": (filled("PCase([a])"), {"a": "a b" * 50}),
    "random strings": (filled("RandomString(256,1,1,1,1)"), {}),
    "dates": (filled('FormatDateTime([a],,"yyyy","yyyy")'), {"a": "2026"}),
    "patterns": (filled('Replace([a],,"(a*)*b",,"x",,)'), {"a": LONG}),
    "one costly pattern": ('Replace([a],,"(x+x+)+y|[ab]*a(b|a|ab|ba){300}c",,"x",,)', {"a": "aabbbab" * 9_000}),
    "search from every character": ('Replace([a],,"a(.*b)?",,"x",,)', {"a": LONG}),
    "large repetition": ('Replace([a],,"(\\\\w{1,50}){1,20}b",,"x",,)', {"a": "é" * MAX_TEXT}),
    "nested repetition": ('Replace([a],,"((((a{1,9}){1,9}){1,9}){1,9}){1,9}",,"x",,)', {"a": LONG}),
    "growth by replacing": ('Replace([a],"a",,,[a],,)', {"a": LONG}),
    "growth by pattern": ('Replace([a],,"a",,[a],,)', {"a": LONG}),
    "growth by joining": ("Join([a],[p])", {"a": LONG, "p": ["x"] * 9_000}),
    "many values": ("Count(RemoveDuplicates([p]))", {"p": ["x"] * 1_000_000}),
    "marks": ("NormalizeDiacritics([a])", {"a": "a" + "\u0301" * (MAX_TEXT - 1)}),
    "words": ('Word([a],99999," ")', {"a": "a " * (MAX_TEXT // 2)}),
    "parts": ('Split([a],",")', {"a": "," * MAX_TEXT}),
}


def calls_made(work: Callable[[], Any]) -> int:
    """The number of function calls, in Python and C, that *work* makes."""
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count > MAX_CALLS:
                sys.setprofile(None)
                pytest.fail(f"more than {MAX_CALLS:,} steps")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def evaluate(text: str, record: dict[str, Any]) -> object:
    try:
        return compile_tree(read_tree(text), text).evaluate(record, CONTEXT)
    except ExpressionError as error:
        return error


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_expression_ends_within_a_bounded_number_of_steps(name: str) -> None:
    text, record = HOSTILE[name]
    assert len(text) <= MAX_CHARACTERS

    calls_made(lambda: evaluate(text, record))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_expression_takes_bounded_memory(name: str) -> None:
    text, record = HOSTILE[name]

    tracemalloc.start()
    evaluate(text, record)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 30_000_000


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_expression_gives_no_longer_text_than_an_attribute_may_have(name: str) -> None:
    text, record = HOSTILE[name]

    result = evaluate(text, record)

    assert not isinstance(result, str) or len(result) <= MAX_TEXT


def test_expression_of_the_limit_length_is_accepted() -> None:
    text = 'Len("' + "x" * (MAX_CHARACTERS - 7) + '")'
    assert len(text) == MAX_CHARACTERS

    assert evaluate(text, {}) == MAX_CHARACTERS - 7


def test_expression_beyond_the_limit_is_refused_before_it_is_read() -> None:
    error = evaluate('Len("' + "x" * (MAX_CHARACTERS - 6) + '")', {})

    assert isinstance(error, ExpressionError)
    assert "an expression can have at most 10,000 characters; this one has 10,001" in error.detail


def test_no_expression_has_more_parts_than_the_limit_of_steps() -> None:
    most_parts = "Switch([a]," + "," * (MAX_CHARACTERS - 12) + ")"

    assert compile_expression(most_parts).size <= 10_000


def test_number_of_patterns_is_limited() -> None:
    pattern = 'Replace([a],,"b",,"x",,)'

    assert evaluate(f'Join("",{",".join([pattern] * 50)})', {"a": "b"}) == "x" * 50
    assert isinstance(evaluate(f'Join("",{",".join([pattern] * 51)})', {"a": "b"}), ExpressionError)


@pytest.mark.parametrize("value", [10**5000, -(10**5000), 2**64], ids=["huge", "huge below zero", "65 bits"])
@pytest.mark.parametrize(
    "text",
    [
        'Left("a", [n])',
        'Mid("a", [n])',
        "CStr([n])",
        'IIF([n]>1,"a","b")',
        'DateAdd("d", [n], Now())',
        "Item([p], [n])",
    ],
)
def test_number_beyond_64_bits_is_refused(text: str, value: int) -> None:
    assert isinstance(evaluate(text, {"n": value, "p": ["a"]}), ExpressionError)


def test_nesting_is_limited() -> None:
    allowed = "ToLower(" * 64 + '"A"' + ")" * 64
    refused = "ToLower(" * 65 + '"A"' + ")" * 65

    assert evaluate(allowed, {}) == "a"
    assert isinstance(evaluate(refused, {}), ExpressionError)


def test_every_part_is_evaluated_at_most_once() -> None:
    asked: list[str] = []

    class Counting(dict[str, str]):
        def get(self, key: str, default: object = None) -> str:
            asked.append(key)
            return key

    text = 'Join("", [a], IIF([b]="b", [c], [d]), Switch([e], [f], "e", [g]), Coalesce([h], [i]))'
    evaluate(text, Counting())

    assert asked == ["a", "b", "c", "e", "g", "h"]


# One costly call each, as often as an expression can hold it.
FLOODS: dict[str, dict[str, Any]] = {
    "PCase([a])": {"a": "aB é" * 16_384},
    "NormalizeDiacritics([a])": {"a": "aB é" * 16_384},
    "ToLower([a])": {"a": "İ" * MAX_TEXT},
    "ToUpper([a])": {"a": "ß" * MAX_TEXT},
    'Word([a],99999," ")': {"a": "a " * (MAX_TEXT // 2)},
    'InStr([a],"z",1,vbTextCompare)': {"a": "İ" * MAX_TEXT},
    "StripSpaces([a])": {"a": " " * MAX_TEXT},
    "DNComponent([a],1)": {"a": "cn=a," * 13_000},
    "RandomString(256,1,1,1,1)": {},
    'Count(Split([a],","))': {"a": "x," * 9_000},
    'Contains([p],"z",CaseInsensitive)': {"p": ["xé" * 30] * 10_000},
    "Count([p])": {"p": ["x"] * 10_000},
    'Left(Join("",[p]),1)': {"p": [""] * 10_000},
    "Count(Trim([p]))": {"p": ["x"] * 10_000},
    "Count(RemoveDuplicates([p]))": {"p": ["x"] * 10_000},
    "Count(AppRoleAssignmentsComplex([p]))": {"p": [{"id": "1", "displayName": "a", "value": "a"}] * 10_000},
    "SingleAppRoleAssignment([p])": {"p": [{"id": "1", "displayName": "a", "value": "a"}] * 250},
    "Join([a],[b],[a])": {"a": "x" * 20_000, "b": "y" * 20_000},
}


@pytest.mark.parametrize("piece", FLOODS)
def test_work_of_one_evaluation_is_counted_in_characters_and_values(piece: str) -> None:
    text = filled(f"Left({piece},0)")
    once = compile_tree(read_tree(piece), piece)
    context = EvaluationContext(CONTEXT.moment)
    once.evaluate(FLOODS[piece], context)
    left = context.work.left

    results = [evaluate(text, FLOODS[piece]) for _ in range(2)]

    assert left < MAX_WORK, "not charged at all"
    assert "the expression takes too long" in str(results[0])
    assert str(results[0]) == str(results[1])


def test_every_evaluation_has_the_same_amount_of_work() -> None:
    text = "PCase([a])"
    compiled, context = compile_expression(text), EvaluationContext(CONTEXT.moment)
    for _ in range(10):
        assert compiled.evaluate({"a": "x" * 100_000}, context)


def test_the_work_of_patterns_is_counted_together() -> None:
    piece = 'Left(Replace([a],,"[a-z]+",,"",,),0)'
    assert evaluate(piece, {"a": "ab " * 1_000}) == ""
    assert "takes too long" in str(evaluate(f'Join("",{",".join([piece] * 49)})', {"a": "ab " * 1_000}))
