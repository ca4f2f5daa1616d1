"""A bad row's person is seen but not changed; a file that fails on the way makes nobody a leaver."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from lockstep.actions.sources import import_source
from lockstep.directory.intake import take_pass
from lockstep.directory.rows import PassKind, PassResult, SourcePage, Survey
from lockstep.sources.csv_open import open_csv
from tests.support.hub import HEADER, Hub, guid, person, upn, write_csv


async def bring(hub: Hub, path: Path) -> PassResult:
    [result] = await import_source(hub.context, "hr", config={"files": [{"path": str(path)}]})
    return result


async def live(hub: Hub) -> set[str]:
    rows = await hub.fetch("select split_part(user_principal_name, '@', 1) from person where deleted_at is null")
    return {str(row[0]) for row in rows}


async def test_person_of_a_bad_row_is_neither_changed_nor_a_leaver(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))

    bad = person("anna", accountEnabled="perhaps", surname="Changed")
    result = await bring(hub, write_csv(tmp_path / "p.csv", [bad, person("bo")]))

    assert (result.bad, result.removed, await live(hub)) == (1, 1, {"anna", "bo"})
    assert await hub.fetch("select attributes->>'surname' from person where id = %s", guid("anna")) == [("Test",)]


async def test_bad_row_without_a_key_is_told_by_its_user_principal_name(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))

    result = await bring(hub, write_csv(tmp_path / "p.csv", [person("anna", id=""), person("bo")]))

    assert (result.bad, result.removed, await live(hub)) == (1, 1, {"anna", "bo"})


async def test_row_that_does_not_say_whom_it_is_about_makes_nobody_a_leaver(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))

    result = await bring(
        hub, write_csv(tmp_path / "p.csv", [person("anna", id="", userPrincipalName=""), person("bo")])
    )

    assert (result.removed, await live(hub)) == (0, {"anna", "bo", "cy"})
    assert "does not identify a person" in result.unproven


async def test_second_row_of_one_key_is_reported_and_the_first_counts(hub: Hub, tmp_path: Path) -> None:
    rows = [person("anna", surname="First"), person("bo"), person("anna", surname="Second")]

    result = await bring(hub, write_csv(tmp_path / "p.csv", rows))

    assert [(row.line, row.reason) for row in result.bad_rows] == [
        (4, f'"{guid("anna")}" is already on line 2; that line is used')
    ]
    assert await hub.fetch("select attributes->>'surname' from person where id = %s", guid("anna")) == [("First",)]


async def test_two_rows_with_one_user_principal_name_keep_the_first(hub: Hub, tmp_path: Path) -> None:
    rows = [person("anna"), person("double", userPrincipalName=upn("ANNA"))]

    result = await bring(hub, write_csv(tmp_path / "p.csv", rows))

    assert (result.created, [row.column for row in result.bad_rows]) == (1, ["userPrincipalName"])


async def test_file_that_breaks_off_makes_nobody_a_leaver_and_what_was_read_counts(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))
    file = write_csv(tmp_path / "p.csv", [person("anna", surname="New")])
    file.write_text(file.read_text() + f"{guid('bo')},bo@")

    result = await bring(hub, file)

    assert (result.updated, result.removed, await live(hub)) == (1, 0, {"anna", "bo", "cy"})


class BreaksOff:
    """A source whose disk fails after its first page."""

    kind = PassKind.PEOPLE
    key = "id"
    is_full = True
    only_group = ""
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._whole = open_csv(path)

    async def survey(self) -> Survey:
        return await self._whole.survey()

    async def pages(self, size: int) -> AsyncGenerator[SourcePage, None]:
        async for page in self._whole.pages(1):
            yield SourcePage(page.lines, page.bad)
            raise OSError(5, "Input/output error")


async def test_read_error_half_way_makes_nobody_a_leaver(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))
    file = write_csv(tmp_path / "q.csv", [person("anna", surname="New"), person("bo")])

    result = await take_pass(hub.pool, "hr", BreaksOff(file), actor="t")

    assert (result.updated, result.removed, await live(hub)) == (1, 0, {"anna", "bo", "cy"})
    assert "Input/output error" in result.error


async def test_details_of_bad_rows_are_bounded_and_their_number_is_not(hub: Hub, tmp_path: Path) -> None:
    rows = [person(f"p{number}", accountEnabled="?" if number % 2 else "True") for number in range(300)]

    result = await bring(hub, write_csv(tmp_path / "p.csv", rows, columns=HEADER))

    assert (result.bad, len(result.bad_rows)) == (150, 100)


async def test_pages_hold_no_more_rows_than_asked_for(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [person(f"p{number}") for number in range(25)])

    sizes = [len(page.lines) async for page in open_csv(file).pages(10)]

    assert sizes == [10, 10, 5]
