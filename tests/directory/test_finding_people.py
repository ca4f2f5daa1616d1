"""People are found by any of their names, however the accents are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.actions.people import PersonFilter, list_people, show_person
from lockstep.actions.sources import import_source
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub, upn, write_csv

COLUMNS = ("id", "userPrincipalName", "mail", "displayName", "givenName", "surname", "employeeId")
PEOPLE = (
    {"userPrincipalName": upn("hw"), "givenName": "Heike", "surname": "Weber-Koç", "employeeId": "0815", "mail": "heike@x.test"},
    {"userPrincipalName": upn("iy"), "givenName": "İbrahim", "surname": "Yılmaz", "employeeId": "4711"},
    {"userPrincipalName": upn("lo"), "givenName": "Łukasz", "surname": "Ørsted", "displayName": "Luk 100%_Ø"},
    {"userPrincipalName": upn("a1"), "displayName": "Anna Berg"},
    {"userPrincipalName": upn("a2"), "displayName": "Anna Berg"},
)  # fmt: skip


@pytest.fixture
async def people(hub: Hub, tmp_path: Path) -> Hub:
    rows = [dict.fromkeys(COLUMNS, "") | {"id": str(number)} | row for number, row in enumerate(PEOPLE)]
    file = write_csv(tmp_path / "p.csv", rows, columns=COLUMNS)
    await import_source(hub.context, "hr", config={"files": [{"path": str(file)}]})
    return hub


@pytest.mark.parametrize(
    ("search", "found"),
    [("koc", {"hw"}), ("KOÇ heike", {"hw"}), ("yilmaz", {"iy"}), ("yılmaz", {"iy"}), ("İbrahim", {"iy"}), ("ibrahim", {"iy"}),
     ("lukasz", {"lo"}), ("orsted", {"lo"}), ("0815", {"hw"}), ("heike@x", {"hw"}), ("0%_", {"lo"}), ("0_%", set()),
     ("anna", {"a1", "a2"}), ("anna koc", set()), ("contoso", {"hw", "iy", "lo", "a1", "a2"})],
)  # fmt: skip
async def test_search_finds_parts_of_every_name_without_regard_to_accents(
    people: Hub, search: str, found: set[str]
) -> None:
    rows = await list_people(people.context, PersonFilter(search=search))

    assert {row.user_principal_name.partition("@")[0] for row in rows} == found


@pytest.mark.parametrize(
    ("name", "found"),
    [("Heike Weber-Koç", "hw"), ("heike  weber-koc", "hw"), ("Weber-Koç, Heike", "hw"), ("0815", "hw"), ("heike@x.test", "hw"),
     ("Ibrahim Yilmaz", "iy"), (upn("IY"), "iy"), ("4711", "iy")],
)  # fmt: skip
async def test_person_is_named_by_any_name_that_they_alone_have(people: Hub, name: str, found: str) -> None:
    assert (await show_person(people.context, name)).person.user_principal_name == upn(found)


async def test_name_of_several_people_is_asked_about(people: Hub) -> None:
    with pytest.raises(LockstepError) as refused:
        await show_person(people.context, "Anna Berg")

    assert refused.value.kind is Kind.CONFLICT
    assert f"{upn('a1')}, {upn('a2')}" in refused.value.next_step


@pytest.mark.parametrize("name", ["Heike", "0%", "%", "weber-koc heike anna"])
async def test_part_of_a_name_names_nobody(people: Hub, name: str) -> None:
    with pytest.raises(LockstepError) as refused:
        await show_person(people.context, name)

    assert refused.value.kind is Kind.NOT_FOUND


async def test_person_without_a_display_name_is_shown_with_given_name_and_surname(people: Hub) -> None:
    rows = await list_people(people.context, PersonFilter(search="koc"))

    assert [row.display for row in rows] == ["Heike Weber-Koç"]
    assert "displayName" not in rows[0].attributes
