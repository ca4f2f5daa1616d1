"""The files of `tests/cases`, each imported as an administrator would import it: the result, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockstep.actions.people import show_person
from lockstep.actions.previews import expression_record
from lockstep.actions.sources import import_source
from lockstep.directory.rows import PassResult
from lockstep.errors import LockstepError
from tests.support.hub import Hub

CASES = Path(__file__).resolve().parent.parent / "cases"


async def bring(hub: Hub, name: str, *, group: str = "", kind: str = "", **config: Any) -> PassResult:
    file = {"path": str(CASES / name), "group": group, "kind": kind}
    [result] = await import_source(hub.context, "hr", config={"files": [file], **config})
    return result


async def attributes(hub: Hub, name: str) -> list[object]:
    rows = await hub.fetch(
        "select attributes->%s from person where deleted_at is null order by user_principal_name", name
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("header", ["objectId", "ObjectId", "Object Id"])
async def test_object_id_is_the_key_at_the_second_import_as_at_the_first(hub: Hub, tmp_path: Path, header: str) -> None:
    file = tmp_path / "csv-01.csv"
    file.write_text((CASES / "csv-01-objectid.csv").read_text().replace("objectId", header))

    first, second = await bring(hub, str(file)), await bring(hub, str(file))

    assert (first.created, second.unchanged, second.bad) == (1, 1, 0)
    assert await hub.fetch("select id::text from person") == [("77777777-aaaa-4aaa-8aaa-000000000001",)]


async def test_what_the_administrator_maps_wins_over_another_name_for_the_same(hub: Hub) -> None:
    result = await bring(hub, "csv-02-map-against-alias.csv", map={"email": "userPrincipalName"})

    assert (result.created, result.ignored) == (1, ("username",))
    assert await attributes(hub, "userPrincipalName") == ["signe.holt@fjord.test"]


async def test_person_blocked_in_microsoft_365_comes_in_disabled_with_all_attributes(hub: Hub) -> None:
    first = await bring(hub, "csv-03-m365-admin-center.csv")
    second = await bring(hub, "csv-03-m365-admin-center.csv")

    assert (first.created, first.ignored, second.unchanged) == (1, (), 1)
    [row] = await hub.fetch("select id::text, attributes from person")
    assert row == (
        "88888888-aaaa-4aaa-8aaa-000000000001",
        {"userPrincipalName": "m1@m.test", "displayName": "M One", "givenName": "Em", "accountEnabled": False},
    )


async def test_downloaded_members_without_a_group_are_refused_and_nobody_is_removed(hub: Hub) -> None:
    await bring(hub, "csv-04-members-without-group.people.csv")

    with pytest.raises(LockstepError) as refused:
        await bring(hub, "csv-04-members-without-group.csv")

    assert "--group NAME" in refused.value.next_step and "--kind people" in refused.value.next_step
    assert len(await attributes(hub, "id")) == 12
    meant = await bring(hub, "csv-04-members-without-group.csv", kind="people")
    assert meant.read == 3


@pytest.mark.parametrize(
    ("file", "word", "value", "expected"),
    [
        ("csv-05a-enabled-words.csv", "", "", True),  # WAHR, as Excel writes it in German
        ("csv-05c-enabled-words.csv", "", "", True),
        ("csv-05c-enabled-words.csv", "active", "false", False),
    ],
)
async def test_words_for_enabled_are_read_and_an_administrators_word_counts_first(
    hub: Hub, file: str, word: str, value: str, expected: bool
) -> None:
    values = {"status": {word: value}} if word else {}

    result = await bring(hub, file, map={"status": "accountEnabled"}, values=values)

    assert (result.created, await attributes(hub, "accountEnabled")) == (1, [expected])


async def test_column_that_may_say_who_is_disabled_is_named_when_it_is_ignored(hub: Hub) -> None:
    result = await bring(hub, "csv-05c-enabled-words.csv")

    assert result.ignored == ("status",)
    assert any("status" in note and "accountEnabled" in note for note in result.notes)


async def test_one_date_that_can_be_read_in_one_way_settles_its_column(hub: Hub) -> None:
    result = await bring(hub, "csv-06-dates-day-first.csv")

    assert (result.created, result.bad) == (2, 0)
    assert await attributes(hub, "employeeHireDate") == ["2026-04-03T00:00:00Z", "2026-03-25T00:00:00Z"]


@pytest.mark.parametrize("file", ["csv-07a-sep-line.csv", "csv-07b-powershell-type-line.csv"])
async def test_lines_that_programs_put_before_the_header_are_skipped(hub: Hub, file: str) -> None:
    result = await bring(hub, file)

    assert (result.created, result.bad, result.ignored) == (1, 0, ())
    assert await attributes(hub, "userPrincipalName") == ["s@p.test"]


async def test_names_that_differ_in_what_cannot_be_seen_are_one_person_and_a_bad_row(hub: Hub) -> None:
    result = await bring(hub, "csv-08a-invisible.csv")

    assert (result.created, [row.line for row in result.bad_rows]) == (4, [3])
    assert await attributes(hub, "userPrincipalName") == [
        "amy@inv.test",
        "bob@inv.test",
        "rtl@inv.test",
        "zed@inv.test",
    ]


async def test_line_of_blanks_is_no_row_and_leavers_leave(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, "csv-09a-blank-line.csv")
    file = tmp_path / "csv-09.csv"
    file.write_text("id,userPrincipalName,displayName,accountEnabled\n1,p1@b.test,P1,True\n   \n , ,,\n")

    result = await bring(hub, str(file))

    assert (result.read, result.bad, result.unproven, result.removed) == (1, 0, "", 1)


async def test_bad_value_in_a_whole_last_row_is_no_sign_of_a_file_that_broke_off(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, "csv-09b-last-value.csv")
    file = tmp_path / "csv-09.csv"
    file.write_text("id,userPrincipalName,displayName,accountEnabled\n2,p2@c9b.test,P2,perhaps\n")

    result = await bring(hub, str(file))

    assert (result.bad, result.unproven, result.removed) == (1, "", 1)


async def test_windows_1252_is_read_and_said(hub: Hub) -> None:
    result = await bring(hub, "csv-10-cp1252.csv")

    assert (result.created, result.bad) == (2, 0)
    assert await attributes(hub, "displayName") == ["Ann", "Börje"]
    assert any("--encoding" in note for note in result.notes)


async def test_guest_is_shown_to_expressions_as_entra_shows_them(hub: Hub) -> None:
    await bring(hub, "csv-11-guest.csv")
    raw = "ola_nordmann_partner.test#EXT#@fjord.onmicrosoft.test"

    seen = await expression_record(hub.context, raw)

    assert (seen["userPrincipalName"], seen["originalUserPrincipalName"]) == ("ola_nordmann@partner.test", raw)
    assert await attributes(hub, "userPrincipalName") == [raw]
    by_mail = await show_person(hub.context, "ola_nordmann@partner.test")
    assert by_mail.person.user_principal_name == raw
