"""Files that differ from those we write: encodings, delimiters, titles, words, dates, pipes."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from lockstep.actions.sources import import_source
from lockstep.directory.dates import DateForm, DayOrder, form_from_text, orders_of, read_date
from lockstep.directory.rows import BadRow, PersonLine
from lockstep.errors import LockstepError
from lockstep.sources.csv_open import CsvOptions, open_csv
from lockstep.sources.piped import regular_file
from lockstep.sources.registry import open_source
from tests.support.hub import Hub, upn


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


async def read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[BadRow]]:
    pages = [page async for page in open_csv(path, options=CsvOptions(**options)).pages(100)]
    people = [dict(line.values) for page in pages for line in page.lines if isinstance(line, PersonLine)]
    return people, [row for page in pages for row in page.bad]


# --- encodings and delimiters ---

REFUSED: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "a byte order mark alone": (b"\xef\xbb\xbf", {}, "it is empty"),
    "a UTF-16 mark alone": (b"\xff\xfe", {}, "it is empty"),
    "a line of a program alone": (b"sep=;\r\n", {}, "its first line is not a header"),
    "two letters as delimiter": (b"userPrincipalName;mail\n", {"delimiter": ";;"}, "cannot be the delimiter"),
    "a letter as delimiter": (b"userPrincipalName;mail\n", {"delimiter": "x"}, "cannot be the delimiter"),
    "an encoding that does not exist": (b"userPrincipalName\n", {"encoding": "klingon"}, 'Unknown encoding "klingon"'),
    "an encoding of no text": (b"userPrincipalName\n", {"encoding": "base64"}, 'Unknown encoding "base64"'),
    "an encoding with a NUL": (b"userPrincipalName\n", {"encoding": "a\0b"}, "Unknown encoding"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_file_or_option_that_cannot_be_is_refused_with_a_sentence(case: str, tmp_path: Path) -> None:
    content, options, expected = REFUSED[case]
    file = tmp_path / "p.csv"
    file.write_bytes(content)

    with pytest.raises(LockstepError) as refused:
        open_csv(file, options=CsvOptions(**options))

    assert expected in refused.value.detail
    assert refused.value.next_step


@pytest.mark.parametrize("names", ["Jürgen Müller", "Björn Ångström", "Heike Weber-Koç", "O’Brien", "Señor Núñez"])
async def test_windows_1252_of_western_europe_is_detected(tmp_path: Path, names: str) -> None:
    file = write(tmp_path / "p.csv", f"userPrincipalName;displayName\na@x.test;{names}\n", "cp1252")

    people, bad = await read(file)

    assert ([one["displayName"] for one in people], bad) == ([names], [])


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp1254", "Yılmaz Şahin"), ("cp1250", "Dvořák Žižka"), ("cp1250", "Łukasz Żółć"), ("cp1251", "Иванов Пётр"),
     ("cp850", "Jürgen Müller"), ("mac_roman", "Jürgen Müller"), ("cp932", "田中太郎"), ("gb18030", "王小明")],
)  # fmt: skip
async def test_encoding_that_is_not_certain_is_asked_for_with_how_it_reads(
    tmp_path: Path, encoding: str, name: str
) -> None:
    file = write(tmp_path / "p.csv", f"userPrincipalName;displayName\na@x.test;{name}\n", encoding)

    with pytest.raises(LockstepError) as refused:
        open_csv(file)

    assert refused.value.code == "EncodingUnclear"
    assert "--encoding" in refused.value.next_step
    people, _ = await read(file, encoding=encoding)
    assert people[0]["displayName"] == name


async def test_letter_beyond_ascii_deep_in_a_file_tells_its_encoding_too(tmp_path: Path) -> None:
    rows = "".join(f"p{number}@x.test;Name {number:060}\n" for number in range(2000))
    file = write(tmp_path / "p.csv", f"userPrincipalName;displayName\n{rows}z@x.test;Jürgen\n", "cp1252")

    people, bad = await read(file)

    assert (people[-1]["displayName"], bad) == ("Jürgen", [])


# --- what stands above a header ---


async def test_entras_template_is_read_with_its_version_line_and_without_its_example(tmp_path: Path) -> None:
    text = (
        "version:v1.0,,,\n"
        "Name [displayName] Required,User name [userPrincipalName] Required,Initial password [passwordProfile] Required,"
        "Block sign in (Yes/No) [accountEnabled] Required\n"
        "Example: Chris Green,chris@contoso.test,secret,No\nAnna,anna@x.test,secret,Yes\nBo,bo@x.test,secret,No\n"
    )

    people, bad = await read(write(tmp_path / "p.csv", text))

    assert bad == []
    assert [(one["displayName"], one["accountEnabled"]) for one in people] == [("Anna", False), ("Bo", True)]


async def test_title_above_the_header_is_named_as_the_cause(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "Staff list, 1 March;;\n\nE-mail;userPrincipalName;displayName\na;a@x.test;A\n")

    with pytest.raises(LockstepError) as refused:
        open_csv(file)

    assert 'begins with a title: "Staff list, 1 March"' in refused.value.detail
    assert "line 3" in refused.value.why


async def test_delimiter_of_the_sep_line_counts_and_lines_are_counted_from_the_top(tmp_path: Path) -> None:
    people, bad = await read(
        write(tmp_path / "p.csv", "sep=|\nuserPrincipalName|displayName\na@x.test|A;B,C\nnobody|N\n")
    )

    assert ([one["displayName"] for one in people], [row.line for row in bad]) == (["A;B,C"], [4])


# --- columns ---


@pytest.mark.parametrize("header", ["Block sign in", "blockCredential", "Sign-in blocked", "Account disabled"])
async def test_columns_that_say_the_opposite_of_enabled_are_turned_round(tmp_path: Path, header: str) -> None:
    people, _ = await read(write(tmp_path / "p.csv", f"userPrincipalName,{header}\na@x.test,Yes\nb@x.test,No\n"))

    assert [one["accountEnabled"] for one in people] == [False, True]


@pytest.mark.parametrize("word", ["Blocked", "Disabled", "Active", "Enabled", "gesperrt"])
async def test_state_of_an_account_in_a_column_that_says_the_opposite_is_asked_about_and_never_turned_round(
    tmp_path: Path, word: str
) -> None:
    people, bad = await read(write(tmp_path / "p.csv", f"userPrincipalName,Block credential\na@x.test,{word}\n"))

    assert (people, [row.column for row in bad]) == ([], ["Block credential"])
    assert f'--value "Block credential:{word}=disabled"' in bad[0].reason


def test_two_columns_that_contradict_each_other_about_who_is_enabled_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,accountEnabled,Block credential\na@x.test,True,True\n")

    with pytest.raises(LockstepError, match="both map to accountEnabled"):
        open_csv(file)


async def test_one_column_may_be_two_attributes_and_a_key_keeps_its_own_name(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "employeeId,userPrincipalName,Team\n7,a@x.test,Sales\n")

    mapping = {"employeeId": "id", "Team": ["department", "division"]}
    [page] = [page async for page in open_csv(file, options=CsvOptions(mapping=mapping)).pages(10)]

    [line] = page.lines
    assert isinstance(line, PersonLine)
    assert line.key == "7"
    assert line.values == {
        "employeeId": "7", "userPrincipalName": "a@x.test", "department": "Sales", "division": "Sales",
    }  # fmt: skip


async def test_names_are_composed_and_joiners_within_them_stay(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,displayName\njose\u0301@x.test,Jose\u0301 مي\u200cخواهم\n")

    [one], _ = await read(file)

    assert one == {"userPrincipalName": "josé@x.test", "displayName": "José مي\u200cخواهم"}


async def test_name_that_is_composed_in_one_row_and_not_in_another_is_one_person(hub: Hub, tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName\njose\u0301@x.test\njos\u00e9@x.test\n")

    [result] = await import_source(hub.context, "hr", config={"files": [{"path": str(file)}]})

    assert (result.created, [row.line for row in result.bad_rows]) == (1, [3])


# --- words ---


async def test_unknown_word_is_a_bad_row_and_never_enabled(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,status\na@x.test,Suspended\nb@x.test,Active\n")

    people, bad = await read(file, mapping={"status": "accountEnabled"})

    assert [one["accountEnabled"] for one in people] == [True]
    assert '--value "status:Suspended=false"' in bad[0].reason


async def test_administrator_says_what_a_word_means_also_in_a_column_that_says_the_opposite(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,Block credential\na@x.test,gesperrt\nb@x.test,offen\n")
    words = {"Block credential": {"Gesperrt": "disabled", "offen": "enabled"}}

    people, bad = await read(file, values=words)

    assert ([one["accountEnabled"] for one in people], bad) == ([False, True], [])
    with pytest.raises(LockstepError, match="cannot mean"):
        open_csv(file, options=CsvOptions(values={"Block credential": {"gesperrt": "true"}}))


async def test_import_of_a_file_that_is_mostly_unreadable_for_one_reason_writes_nothing(
    hub: Hub, tmp_path: Path
) -> None:
    rows = "".join(f"{upn(f'p{number}')},{'Terminated' if number % 3 else 'Active'}\n" for number in range(30))
    file = write(tmp_path / "p.csv", f"userPrincipalName,status\n{rows}")

    with pytest.raises(LockstepError) as refused:
        await import_source(
            hub.context, "hr", config={"files": [{"path": str(file)}], "map": {"status": "accountEnabled"}}
        )

    assert "20 of 30 rows" in refused.value.detail
    assert '--value "status:Terminated=enabled|disabled"' in refused.value.next_step
    assert await hub.fetch("select count(*) from person") == [(0,)]


# --- dates ---


@pytest.mark.parametrize(
    "text",
    ["2026-04-03", "2026/04/03", "2026.4.3", "03.04.2026", "3-Apr-26", "3 April 2026", "Apr 3, 2026",
     "20260403000000.0Z", "2026-04-03T00:00:00+00:00"],
)  # fmt: skip
def test_forms_that_mean_one_day_need_no_order(text: str) -> None:
    assert read_date(text) == "2026-04-03T00:00:00Z"


@pytest.mark.parametrize("text", ["03/04/2026", "03-04-26", "3/4/2026 8:00"])
def test_forms_that_mean_two_days_mean_none_until_an_order_is_settled(text: str) -> None:
    assert read_date(text) is None
    assert orders_of(text) == set(DayOrder)
    assert (read_date(text, DateForm(DayOrder.DAY_FIRST)) or "")[:10] == "2026-04-03"
    assert (read_date(text, DateForm(DayOrder.MONTH_FIRST)) or "")[:10] == "2026-03-04"


@pytest.mark.parametrize("text", ["31/31/2026", "30.02.2026", "2026-13-01", "45385", "yesterday", "3/4/2026 13:00 PM"])
def test_what_is_no_date_is_none_in_any_order(text: str) -> None:
    assert [read_date(text, DateForm(order)) for order in (None, *DayOrder)] == [None, None, None]


@pytest.mark.parametrize("text", ["DD/MM", "Klingon", "%d/%m", "DD/MM/YYYY %q"])
def test_date_format_that_names_no_day_month_and_year_is_refused(text: str) -> None:
    assert form_from_text(text) is None


async def test_column_whose_dates_are_all_open_is_asked_about_and_read_as_it_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,employeeHireDate\na@x.test,03/04/2026\n")

    with pytest.raises(LockstepError) as refused:
        await open_csv(file).survey()

    assert '--date-format "employeeHireDate:DD/MM/YYYY"' in refused.value.next_step
    [one], _ = await read(file, date_formats={"": "DD/MM/YYYY"})
    assert one["employeeHireDate"] == "2026-04-03T00:00:00Z"


async def test_column_that_proves_both_orders_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,employeeHireDate\na@x.test,25/03/2026\nb@x.test,03/25/2026\n")

    with pytest.raises(LockstepError, match="can be read in two ways"):
        await open_csv(file).survey()


async def test_entras_own_times_are_month_first(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,createdDateTime\na@x.test,3/4/2026 8:12:00 PM\n")

    [one], _ = await read(file)

    assert one["createdDateTime"] == "2026-03-04T20:12:00Z"


# --- pipes ---


def test_fifo_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)

    with pytest.raises(LockstepError, match="Nothing was written to"), regular_file(str(fifo), first_byte_seconds=0.05):
        pass

    with pytest.raises(LockstepError, match="not a regular file"):
        open_csv(fifo)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/"])
def test_what_is_neither_a_file_nor_a_pipe_is_refused(device: str) -> None:
    with pytest.raises(LockstepError), regular_file(device) as path:
        open_csv(path)


async def test_pipe_is_read_as_a_file_and_its_copy_goes_afterwards(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_text, args=("userPrincipalName\na@x.test\n",))
    writer.start()

    with regular_file(str(fifo)) as copy:
        people, _ = await read(copy)

    writer.join()
    assert [one["userPrincipalName"] for one in people] == ["a@x.test"]
    assert not copy.exists()


async def test_file_that_changes_while_it_is_read_makes_nobody_a_leaver(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName\na@x.test\n")
    reading = open_csv(file)
    await reading.survey()
    file.write_text("userPrincipalName\na@x.test\nb@x.test\n")

    [page] = [page async for page in reading.pages(10)]

    assert page.unproven == "The file changed while it was being read"


# --- configuration ---


@pytest.mark.parametrize("part", ["map", "values", "dateFormats"])
def test_part_of_the_configuration_that_is_no_map_is_refused_with_a_sentence(tmp_path: Path, part: str) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,status\na@x.test,Gone\n")

    with pytest.raises(LockstepError, match="must be a mapping"):
        open_source("csv", {"files": [{"path": str(file)}], part: "x"}, {})


async def test_words_of_a_configuration_file_may_be_true_and_false(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "userPrincipalName,status\na@x.test,Gone\n")
    config = {
        "files": [{"path": str(file)}],
        "map": {"status": "accountEnabled"},
        "values": {"status": {"Gone": False}},
    }

    [reading] = open_source("csv", config, {})
    [page] = [page async for page in reading.pages(10)]

    assert [line.values["accountEnabled"] for line in page.lines if isinstance(line, PersonLine)] == [False]
