"""Source Object Scope: rows of scoping filters, who matches, who would leave, and saving them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lockstep.actions import assignments, settings, sources
from lockstep.actions.permissions import Role
from lockstep.engine.records import Link, LinkState, ObjectKind
from lockstep.engine.rules.operators import OPERATORS
from lockstep.storage import applications, links
from lockstep.targets.opener import ScimTargets
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv

HERE = "/apps/documo/provisioning/mappings/user/scope"
SALES = {"title-0": "Sales only", "attribute-0-0": "department", "operator-0-0": "EQUALS", "value-0-0": "Sales"}


@pytest.fixture
async def documo(centre: Centre, admin: Browser, tmp_path: Path) -> Browser:
    """An application with two assigned people, of whom Anna has an account."""
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    people = [person("anna", department="IT"), person("bo"), person("cleo", department="")]
    file = write_csv(tmp_path / "people.csv", people)
    await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await assignments.assign(
        centre.hub.context, "documo", users=["anna@contoso.test", "bo@contoso.test"], role="Member"
    )
    async with centre.hub.pool.connection() as connection:
        app = await applications.find_application(connection, "documo")
        assert app is not None
        account = Link(ObjectKind.USER, guid("anna"), "a1", LinkState.LIVE, {"userName": "anna@contoso.test"})
        await links.save_links(connection, app.job, [account])
    return admin


async def stored(centre: Centre) -> list[dict[str, Any]]:
    return (await settings.show_scope(replace(centre.hub.context, opener=ScimTargets()), "documo"))[1]


async def test_every_operator_is_offered_under_its_own_name(documo: Browser) -> None:
    page = await documo.post(HERE, {"row": "add"})

    for label in (
        "Source Object Scope",
        "Add scoping filter",
        "Scoping Filter Title",
        "Attribute",
        "Operator",
        "Value",
    ):
        assert label in page.text, label
    for name in OPERATORS:
        assert f'<option value="{name.replace("&", "&amp;")}"' in page.html, name


async def test_rows_are_added_and_removed_without_script_and_keep_what_was_typed(documo: Browser) -> None:
    two = await documo.post(HERE, {**SALES, "row": "add-0"})
    back = await documo.post(
        HERE, {**SALES, "attribute-0-1": "country", "operator-0-1": "IS NULL", "row": "remove-0-0"}
    )
    none = await documo.post(HERE, {**SALES, "row": "remove-0"})

    assert 'name="attribute-0-1"' in two.html and 'value="Sales"' in two.html
    assert 'value="country"' in back.html and 'name="attribute-0-1"' not in back.html
    assert "No scoping filter" in none.text


async def test_the_names_of_those_who_would_leave_stand_beside_the_number_that_match(documo: Browser) -> None:
    line = await documo.htmx(f"{HERE}/count")
    judged = await documo.post(f"{HERE}/try", SALES)

    assert "2 of 3 people in scope" in line.text
    assert "1 of 3 people match" in judged.text
    assert "1 with an account would leave the scope" in judged.text and "anna@contoso.test" in judged.text


async def test_saving_shows_who_loses_the_account_and_then_saves(centre: Centre, documo: Browser) -> None:
    review = await documo.post(HERE, SALES)
    assert await stored(centre) == []
    done = await documo.post(HERE, {**SALES, "step": "save"})

    assert "would lose the account (anna@contoso.test)" in review.text
    assert done.status == 303
    assert await stored(centre) == [
        {"title": "Sales only", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}
    ]


async def test_clauses_are_and_filters_are_or(centre: Centre, documo: Browser) -> None:
    form = {
        **SALES,
        "attribute-0-1": "surname",
        "operator-0-1": "IS NOT NULL",
        "title-1": "IT",
        "attribute-1-0": "department",
        "operator-1-0": "EQUALS",
        "value-1-0": "IT",
    }
    judged = await documo.post(f"{HERE}/try", form)
    await documo.post(HERE, {**form, "step": "save"})

    assert "2 of 3 people match" in judged.text
    assert [len(one["all"]) for one in await stored(centre)] == [2, 1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"operator-0-0": "NOT EQUALS"}, "without department fails this clause"),
        ({"operator-0-0": "Greater_Than"}, "needs a whole number"),
        ({"attribute-0-0": "departmnt"}, "department"),
        ({"title-0": ""}, "has no title"),
        ({"test_pattern": "a.c", "test_text": "abc"}, "matches the whole text"),
        ({"test_pattern": "a.c", "test_text": "abcd"}, "does not match the whole text"),
        ({"test_pattern": "("}, "not a valid pattern"),
    ],
)
async def test_what_probably_is_a_mistake_is_said_while_typing(
    documo: Browser, changed: dict[str, str], said: str
) -> None:
    assert said in (await documo.post(f"{HERE}/try", {**SALES, **changed})).text


async def test_a_filter_that_cannot_be_saved_comes_back_with_what_was_typed(centre: Centre, documo: Browser) -> None:
    refused = await documo.post(HERE, {**SALES, "operator-0-0": "Greater_Than", "step": "save"})

    assert refused.status == 400 and "needs a whole number" in refused.text and 'value="Sales only"' in refused.html
    assert await stored(centre) == []


async def test_conditions_that_the_form_does_not_edit_keep_their_place(centre: Centre, documo: Browser) -> None:
    nested = {"title": "Either", "all": [{"any": [{"attribute": "department", "operator": "EQUALS", "value": "IT"}]}]}
    await settings.set_scope(replace(centre.hub.context, opener=ScimTargets()), "documo", [nested])

    page = await documo.get(HERE)
    kept = page.html.split('name="kept-0-0" value="')[1].split('"')[0].replace("&#34;", '"')
    await documo.post(HERE, {"title-0": "Renamed", "kept-0-0": kept, "step": "save"})

    assert 'department EQUALS "IT"' in page.text
    assert await stored(centre) == [{**nested, "title": "Renamed"}]


async def test_an_auditor_may_count_and_not_save(centre: Centre, documo: Browser) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(HERE)
    counted = await auditor.post(f"{HERE}/try", SALES)
    refused = await auditor.post(HERE, {**SALES, "step": "save"})

    assert page.status == 200 and "Add scoping filter" not in page.text
    assert "1 of 3 people match" in counted.text
    assert refused.status == 403


async def test_a_preview_of_a_filter_names_who_would_lose_the_account(documo: Browser) -> None:
    page = await documo.post(HERE, {**SALES, "step": "preview"})

    assert "Disabled 1" in page.text and "Review the change" in page.text
