"""Scoping filters as people read and type them: a printed filter reads back the same, and a text is read to its end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.configuration.document.filter_text import filter_from_text, filter_text
from lockstep.engine.rules.operators import OPERATORS
from lockstep.errors import LockstepError

SALES = {"attribute": "department", "operator": "EQUALS", "value": "Sales"}


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (SALES, 'department EQUALS "Sales"'),
        ({"memberOf": "team"}, 'member of "team"'),
        ({"expression": "IsPresent([mail])"}, "expression IsPresent([mail])"),
        ({"not": SALES}, 'not (department EQUALS "Sales")'),
        ({"any": [SALES, {"memberOf": "team"}]}, '(department EQUALS "Sales" or member of "team")'),
    ],
)
def test_every_condition_reads_as_a_sentence(condition: dict[str, Any], text: str) -> None:
    assert filter_text({"title": "Some", "all": [condition]}) == f"Some: {text}"


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ('S: department EQUALS "Sales"', [("department", "EQUALS", "Sales")]),
        ("S: department equals Sales", [("department", "EQUALS", "Sales")]),
        ("S: department EQUALS 'Sales and more'", [("department", "EQUALS", "Sales and more")]),
        ('S: surname EQUALS "O\'Brien"', [("surname", "EQUALS", "O'Brien")]),
        ('S: jobTitle EQUALS "the ""boss"""', [("jobTitle", "EQUALS", 'the "boss"')]),
        (
            "S: city EQUALS New York and mail IS NOT NULL",
            [("city", "EQUALS", "New York"), ("mail", "IS NOT NULL", None)],
        ),
        ("S: accountEnabled is  true", [("accountEnabled", "IS TRUE", None)]),
        ("S: department NOT EQUALS Oregon", [("department", "NOT EQUALS", "Oregon")]),
        ('S: mail ENDS_WITH"@contoso.test"', [("mail", "ENDS_WITH", "@contoso.test")]),
        ("S: employeeHireDate BEFORE now-P14D", [("employeeHireDate", "BEFORE", "now-P14D")]),
    ],
)
def test_clauses_are_read_as_they_are_typed(text: str, clauses: list[tuple[str, str, str | None]]) -> None:
    read = [(one["attribute"], one["operator"], one.get("value")) for one in filter_from_text(text)["all"]]

    assert read == clauses


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('department EQUALS "Sales"', "has no title"),
        ('S: department EQUALS "Sales" or department EQUALS "IT"', "only `and` with another clause can follow here"),
        ("S: department EQUALS Sales or IT", "`or` is not part of a filter"),
        ('S: department EQUALS "Sales', "this quote is not closed"),
        ("S: department EQUALS 'Sales", "this quote is not closed"),
        ("S: surname EQUALS O'Brien", "a value that contains a quote must be quoted"),
        ('S: department EQUALS "Sales" and', "a clause must follow `and`"),
        ('S: department EQUALS "Sales" and ', "a clause must follow `and`"),
        ('S: department EQUALS "Sales" city EQUALS "Oslo"', "only `and` with another clause can follow here"),
        ("S: department EQUALS", "EQUALS needs a value"),
        ("S: department EQUALS and city IS NULL", "EQUALS needs a value"),
        ("S: department = Sales", "an operator must follow department"),
        ("S: department EQUALSSales", "an operator must follow department"),
        ("S:", "an attribute is missing"),
        ('S: and city EQUALS "Oslo"', "an operator must follow and"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_part_of_a_value(text: str, says: str) -> None:
    with pytest.raises(LockstepError) as refused:
        filter_from_text(text)

    assert says in refused.value.detail


def test_an_error_names_the_character_at_which_reading_stopped() -> None:
    with pytest.raises(LockstepError, match=r'at character 30 \("or city IS NULL"\)'):
        filter_from_text('S: department EQUALS "Sales" or city IS NULL')


ATTRIBUTES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,20}", fullmatch=True)
VALUES = st.text(min_size=1).filter(lambda text: "\x00" not in text)
CLAUSES = st.builds(
    lambda attribute, operator, value: (
        {"attribute": attribute, "operator": operator.name.upper()} | ({} if operator.is_unary else {"value": value})
    ),
    ATTRIBUTES,
    st.sampled_from(list(OPERATORS.values())),
    VALUES,
)


@given(st.lists(CLAUSES, min_size=1, max_size=4))
def test_a_printed_filter_reads_back_as_it_was(clauses: list[dict[str, Any]]) -> None:
    scoping = {"title": "Some people", "all": clauses}

    assert filter_from_text(filter_text(scoping)) == scoping
