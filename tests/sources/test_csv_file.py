"""The required form of a CSV file, and how other files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockstep.directory.rows import BadRow, GroupLine, MemberLine, PassKind, PersonLine, SourcePage
from lockstep.errors import LockstepError
from lockstep.sources.csv_file import CsvPass
from lockstep.sources.csv_open import CsvOptions
from lockstep.sources.csv_open import open_csv as open_whole

ENTRA = (
    "userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled,usageLocation,"
    "streetAddress,state,country,physicalDeliveryOfficeName,city,postalCode,telephoneNumber,mobile,authenticationPhoneNumber"
)
ANNA = "00000000-0000-4000-8000-00000000000a"


def open_csv(path: Path, *, kind: PassKind | None = None, **options: Any) -> CsvPass:
    return open_whole(path, kind=kind, options=CsvOptions(**options))


async def read(path: Path, **options: Any) -> tuple[list[Any], list[BadRow], SourcePage]:
    reading = open_csv(path, **options)
    pages = [page async for page in reading.pages(100)]
    lines = [line for page in pages for line in page.lines]
    return lines, [row for page in pages for row in page.bad], pages[-1]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


async def test_entras_download_format_is_read_under_entras_names(tmp_path: Path) -> None:
    row = f'anna@x.test,"Lind, Anna",Lind,a@x.test,Anna,{ANNA},Member,Engineer,R&D,True,SE,"Main 1\nfloor 2",,Sweden,HQ,Umeå,901,+46,+47,'
    [line], bad, page = await read(write(tmp_path / "p.csv", f"{ENTRA}\n{row}\n"))

    assert isinstance(line, PersonLine)
    assert (line.key, line.values["displayName"], line.values["accountEnabled"]) == (ANNA, "Lind, Anna", True)
    assert (line.values["city"], line.values["streetAddress"], line.values["state"]) == (
        "Umeå",
        "Main 1\nfloor 2",
        None,
    )
    assert (bad, page.is_last, page.unproven) == ([], True, "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_encoding_and_delimiter_are_found_out(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = f"userPrincipalName{delimiter}displayName\r\nanna@x.test{delimiter}Åsa 太郎\r\n"

    [line], bad, _ = await read(write(tmp_path / "p.csv", text, encoding))

    assert isinstance(line, PersonLine)
    assert (line.values["displayName"], line.key, bad) == ("Åsa 太郎", "anna@x.test", [])


NO_CSV = {
    "an empty file": (b"", "it is empty"),
    "only blanks": (b"  \n\n", "it is empty"),
    "an Excel workbook": (b"PK\x03\x04rest of a zip", "Excel workbook"),
    "an old Excel workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel workbook"),
    "a web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
    "a PDF": (b"%PDF-1.7", "PDF"),
    "JSON": (b'{"value": []}', "JSON"),
    "a gzip archive": (b"\x1f\x8b\x08\x00", "gzip"),
    "binary": (bytes(range(256)) * 20, "binary"),
}


@pytest.mark.parametrize("kind", NO_CSV)
def test_file_that_is_no_csv_is_refused_with_what_it_is_and_a_cure(kind: str, tmp_path: Path) -> None:
    content, expected = NO_CSV[kind]
    file = tmp_path / "p.csv"
    file.write_bytes(content)

    with pytest.raises(LockstepError) as refused:
        open_csv(file)

    assert expected in refused.value.detail
    assert refused.value.next_step


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(LockstepError, match="There is no file"):
        open_csv(tmp_path / "nowhere.csv")


HEADERS = {
    "no column to know people by": ("name,department", "no column userPrincipalName", "name, department"),
    "nothing that is known": ("name,colour", "not a list of people", "name, colour"),
    "a column twice": ("userPrincipalName,mail,mail", '"mail" occurs twice', ""),
    "two columns for one attribute": (
        "userPrincipalName,officeLocation,office",
        "both map to physicalDeliveryOfficeName",
        "",
    ),
}


@pytest.mark.parametrize("case", HEADERS)
def test_header_that_cannot_be_used_is_refused(case: str, tmp_path: Path) -> None:
    header, detail, why = HEADERS[case]

    with pytest.raises(LockstepError) as refused:
        open_csv(write(tmp_path / "p.csv", f"{header}\na,b,c\n"))

    assert detail in refused.value.detail
    assert why in refused.value.why


def test_missing_key_column_is_refused_with_the_columns_that_there_are_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(LockstepError) as refused:
        open_csv(write(tmp_path / "p.csv", "E-Mail,Name\na@x.test,A\n"), kind=PassKind.PEOPLE)

    assert "no column userPrincipalName" in refused.value.detail
    assert "E-Mail, Name" in refused.value.why
    assert "--map COLUMN=userPrincipalName" in refused.value.next_step


async def test_header_alone_is_a_whole_pass_of_nobody(tmp_path: Path) -> None:
    lines, bad, page = await read(write(tmp_path / "p.csv", ENTRA + "\n"))

    assert (lines, bad, page.is_last, page.unproven) == ([], [], True, "")


BAD_ROWS = {
    "no user principal name": (f"{ANNA},,True,", BadRow(2, "userPrincipalName", "is empty", ANNA)),
    "a user principal name without a domain": (
        f"{ANNA},anna,True,",
        BadRow(2, "userPrincipalName", 'must have the form name@domain, not "anna"', ANNA),
    ),
    "no key": (",anna@x.test,True,", BadRow(2, "id", "is empty", "", "anna@x.test")),
    "an enabled flag that is neither": (
        f"{ANNA},anna@x.test,perhaps,",
        BadRow(
            2,
            "accountEnabled",
            'must be True or False, not "perhaps"; specify what it means: --value "accountEnabled:perhaps=false"',
            ANNA,
            "anna@x.test",
        ),
    ),
    "no enabled flag": (
        f"{ANNA},anna@x.test,,",
        BadRow(2, "accountEnabled", "is empty; it must be True or False", ANNA, "anna@x.test"),
    ),
    "too long a value": (
        f"{ANNA},anna@x.test,True,{'x' * 65}",
        BadRow(2, "department", "has 65 characters; the limit is 64", ANNA, "anna@x.test"),
    ),
    "a NUL character": (
        f"{ANNA},anna@x.test,True,a\0b",
        BadRow(2, "department", "contains a control character", ANNA, "anna@x.test"),
    ),
    "too few cells": (f"{ANNA},anna@x.test", BadRow(2, "", "has 2 cells, the header has 4", ANNA)),
    "too many cells": (f"{ANNA},anna@x.test,True,x,y", BadRow(2, "", "has 5 cells, the header has 4")),
    "a stray quote": (f'{ANNA},"anna"x@x.test,True,', BadRow(2, "", "is not CSV: ',' expected after '\"'")),
}


@pytest.mark.parametrize("case", BAD_ROWS)
async def test_bad_row_is_reported_and_the_rest_is_read(case: str, tmp_path: Path) -> None:
    row, expected = BAD_ROWS[case]
    text = f"id,userPrincipalName,accountEnabled,department\n{row}\nk2,bo@x.test,True,Sales\n"

    lines, bad, page = await read(write(tmp_path / "p.csv", text))

    assert bad == [expected]
    assert [getattr(line, "key", "") for line in lines] == ["k2"]
    assert (page.is_last, page.unproven) == (True, "")


async def test_bytes_that_are_no_text_cost_one_row(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(
        "id,userPrincipalName,department\nk1,a@x.test,Caf\udce9\nk2,b@x.test,Café\nk3,c@x.test,Öl\n".encode(
            errors="surrogateescape"
        )
    )

    lines, bad, _ = await read(file)

    reason = "is not valid UTF-8; specify the encoding of the file: --encoding cp1252"
    assert bad == [BadRow(2, "department", reason, "k1", "a@x.test")]
    assert len(lines) == 2


async def test_unreadable_manager_costs_one_row(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(b"id,userPrincipalName,manager\nk1,a@x.test,J\xfcrgen\nk2,b@x.test,k1\n")

    lines, bad, page = await read(file, encoding="utf-8")

    assert [(row.line, row.column, row.key) for row in bad] == [(2, "manager", "k1")]
    assert (len(lines), page.is_last) == (1, True)


async def test_other_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(b"id,userPrincipalName,department\nk1,a@x.test,Caf\xe9\n")

    [line], bad, _ = await read(file, encoding="cp1252")

    assert isinstance(line, PersonLine)
    assert (line.values["department"], bad) == ("Café", [])


@pytest.mark.parametrize("end", ["k2,b@x", 'k2,"b@x.test,Sales', "k2"])
async def test_file_that_breaks_off_says_nothing_about_who_is_missing(tmp_path: Path, end: str) -> None:
    text = f"id,userPrincipalName,department\nk1,a@x.test,Sales\n{end}"

    lines, bad, page = await read(write(tmp_path / "p.csv", text))

    assert (len(lines), len(bad)) == (1, 1)
    assert "may be cut off" in page.unproven


async def test_line_numbers_count_lines_of_the_file_also_after_line_ends_in_quotes(tmp_path: Path) -> None:
    text = 'id,userPrincipalName,streetAddress\nk1,a@x.test,"one\ntwo\nthree"\nk2,nobody,x\n'

    _, bad, _ = await read(write(tmp_path / "p.csv", text))

    assert [row.line for row in bad] == [5]


async def test_any_csv_is_read_through_a_map(tmp_path: Path) -> None:
    text = "Personal-Nr;E-Mail;Abteilung;Chef\n17;anna@x.test;Vertrieb;4\n"
    mapping = {"Personal-Nr": "id", "e-mail": "userPrincipalName", "Abteilung": "department", "Chef": "manager"}

    [line], bad, _ = await read(write(tmp_path / "p.csv", text), kind=PassKind.PEOPLE, mapping=mapping)

    assert isinstance(line, PersonLine)
    assert (bad, line.key, line.values, line.manager) == (
        [], "17", {"userPrincipalName": "anna@x.test", "department": "Vertrieb"}, "4"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mapping", "detail", "cure"),
    [
        ({"Abtielung": "department"}, 'no column "Abtielung"', "Did you mean Abteilung?"),
        ({"Abteilung": "departement"}, 'unknown attribute "departement"', "Did you mean department"),
    ],
)
def test_map_of_what_there_is_not_is_refused_with_a_suggestion(
    tmp_path: Path, mapping: dict[str, str], detail: str, cure: str
) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,Abteilung\na@x.test,x\n")

    with pytest.raises(LockstepError) as refused:
        open_csv(file, mapping=mapping)

    assert detail in refused.value.detail
    assert cure in refused.value.next_step


async def test_graphs_names_and_extension_attributes_are_known_and_others_are_ignored(tmp_path: Path) -> None:
    extension = f"extension_{'0' * 32}_costCenter"
    text = f"userPrincipalName,mobilePhone,{extension},{extension.upper()},Shoe size\na@x.test,+49,42,43,44\n"
    reading = open_csv(write(tmp_path / "p.csv", text))

    [line] = [line async for page in reading.pages(10) for line in page.lines]

    assert isinstance(line, PersonLine)
    assert line.values == {"userPrincipalName": "a@x.test", "mobile": "+49", extension: "42"}
    assert reading.ignored == (extension.upper(), "Shoe size")


@pytest.mark.parametrize("header", ["groupName,userName", "Group,UPN", "Group display name,Member user principal name"])
async def test_list_of_groups_and_names_is_a_list_of_members_and_never_of_people(tmp_path: Path, header: str) -> None:
    assert open_csv(write(tmp_path / "m.csv", f"{header}\nteam,a@x.test\n")).kind is PassKind.MEMBERS


async def test_groups_and_members_are_told_apart_by_their_headers(tmp_path: Path) -> None:
    groups = write(tmp_path / "g.csv", "id,displayName,description\ng1,team,The team\n")
    members = write(tmp_path / "m.csv", "groupDisplayName,userPrincipalName\nteam,Anna@X.test\n")

    [group], _, _ = await read(groups)
    [member], _, _ = await read(members)

    assert isinstance(group, GroupLine)
    assert (group.key, group.values) == ("g1", {"displayName": "team", "description": "The team"})
    assert member == MemberLine(2, "team", "anna@x.test")


async def test_list_of_people_without_its_key_column_is_refused_and_no_list_of_groups(tmp_path: Path) -> None:
    people = write(tmp_path / "p.csv", "displayName,surname,givenName,userType\nAnna Lind,Lind,Anna,Member\n")

    with pytest.raises(LockstepError) as refused:
        open_csv(people)

    assert refused.value.detail == "The file has no column userPrincipalName"


async def test_entras_list_of_groups_is_a_list_of_groups(tmp_path: Path) -> None:
    header = "id,displayName,groupType,membershipType,source,mail,securityEnabled,mailEnabled,isAssignableToRole,onPremisesSyncEnabled"

    assert open_csv(write(tmp_path / "g.csv", f"{header}\n")).kind is PassKind.GROUPS


@pytest.mark.parametrize("header", ["E-mail,First name", "E-mail,displayName"])
async def test_map_tells_what_a_file_holds(tmp_path: Path, header: str) -> None:
    reading = open_csv(write(tmp_path / "p.csv", f"{header}\na@x.test,A\n"), mapping={"E-mail": "userPrincipalName"})

    assert reading.kind is PassKind.PEOPLE


async def test_same_row_has_the_same_digest_and_another_map_another(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "id,userPrincipalName,a,b\nk,a@x.test,x,x\n")

    [first], _, _ = await read(file, mapping={"a": "city"})
    [again], _, _ = await read(file, mapping={"a": "city"})
    [other], _, _ = await read(file, mapping={"b": "department"})

    assert isinstance(first, PersonLine) and isinstance(again, PersonLine) and isinstance(other, PersonLine)
    assert first.digest == again.digest != other.digest
