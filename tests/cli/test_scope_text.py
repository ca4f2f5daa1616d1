"""Scoping filters as a person reads them."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.cli.scope_text import filter_text

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
