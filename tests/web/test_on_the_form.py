"""A refused change is shown on its form, by one rule for all pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lockstep.web.pages
from lockstep.actions.permissions import StepUpRequired
from lockstep.errors import Kind, LockstepError
from lockstep.web.page import on_the_form

PAGES = Path(lockstep.web.pages.__path__[0])
OF_THE_FORM = {
    Kind.INVALID,
    Kind.UNAUTHORIZED,
    Kind.NOT_FOUND,
    Kind.CONFLICT,
    Kind.UNREACHABLE,
    Kind.THROTTLED,
    Kind.HELD,
    Kind.PARTIAL,
}


@pytest.mark.parametrize("kind", Kind)
def test_refusal_that_another_entry_can_mend_is_shown_on_the_form_and_no_other(kind: Kind) -> None:
    refused = LockstepError(kind, "No")

    if kind in OF_THE_FORM:
        assert on_the_form(refused) is refused
    else:
        with pytest.raises(LockstepError) as raised:
            on_the_form(refused)
        assert raised.value is refused


def test_password_that_is_needed_again_is_asked_for_on_its_own_page() -> None:
    with pytest.raises(StepUpRequired):
        on_the_form(StepUpRequired("Adele"))


def test_no_page_has_a_rule_of_its_own_for_what_its_form_shows() -> None:
    own = re.compile(r"\.kind (not in|is not Kind\.(?!NOT_FOUND))")

    assert [page.name for page in sorted(PAGES.glob("*.py")) if own.search(page.read_text())] == []
