"""Effects are described with the name that people know the application by."""

from __future__ import annotations

import pytest

from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import Consequences
from lockstep.engine.decisions.effects import Effect
from lockstep.engine.records import ObjectKind


@pytest.mark.parametrize(
    ("app", "display_name", "named"),
    [
        ("documo", "Documo", "Documo"),
        ("contoso-documo", "Contoso Documo", "Contoso Documo"),
        ("documo-2", "Documo", "Documo (documo-2)"),
        ("dms", "Contoso Documo", "Contoso Documo (dms)"),
    ],
)
def test_short_name_of_the_application_follows_if_the_display_name_does_not_contain_it(
    app: str, display_name: str, named: str
) -> None:
    one = Consequences(app, display_name, ObjectKind.USER, {Effect.LOSES_ACCESS: ("anna@contoso.test",)})

    assert consequence_lines([one]) == [f"{named}: 1 person would lose the account (anna@contoso.test)."]
