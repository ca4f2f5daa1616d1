"""Importing a file on the pages: how it is read, whom it changes, then all of it or nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from lockstep.actions import source_runs, sources, uploads
from lockstep.actions.permissions import Role
from lockstep.errors import LockstepError
from tests.support.admin_centre import Browser, Centre, Page

HEADER = "Personnel no;E-mail;surname;Standort"
LINES = ("7;anna@contoso.test;Anna <script>;Köln", "8;bo@contoso.test;Bo;Bonn", "9;kim@contoso.test;Kim;Bonn")


async def send(
    admin: Browser, text: str, *, source: str = "hr", name: str = "staff.csv", encoding: str = "cp1252"
) -> Page:
    await admin.get("/import")
    form = aiohttp.FormData()
    form.add_field("csrf", admin.last_token)
    form.add_field("source", source)
    form.add_field("file", text.encode(encoding), filename=name, content_type="text/csv")
    return await admin._send("POST", "/import", headers={"Origin": admin.origin}, data=form)


def mark_of(page: Page) -> str:
    found = re.search(r'name="mark" value="([^"]+)"', page.html)
    return found[1] if found else ""


async def imported(admin: Browser, *lines: str, source: str = "hr") -> None:
    """Import a file whose columns need no help."""
    text = "\n".join(("id,userPrincipalName,displayName", *lines)) + "\n"
    page = await admin.get((await send(admin, text, source=source, encoding="utf-8")).location)
    await admin.post(str(page_path(page)), {"step": "import", "mark": mark_of(page), "confirmation": number(page)})


def page_path(page: Page) -> str:
    found = re.search(r'action="(/import/[0-9a-f-]+)"', page.html)
    return found[1] if found else ""


def number(page: Page) -> str:
    found = re.search(r"Type (\d+) to confirm", page.text)
    return found[1] if found else ""


async def test_columns_are_shown_changed_and_tried_before_a_first_import_registers_the_source(
    centre: Centre, admin: Browser
) -> None:
    sent = await send(admin, "\n".join((HEADER, *LINES)) + "\n", source="staff")
    first = await admin.get(sent.location)
    choices = {"column-1": "userPrincipalName", "column-3": "city", "key": "Personnel no", "step": "try"}
    tried = await admin.post(sent.location, choices)
    page = await admin.get(sent.location)
    nobody = [one.source.name for one in await sources.list_sources(centre.hub.context)]
    done = await admin.post(sent.location, {"step": "import", "mark": mark_of(page)})
    source = await admin.get("/sources/staff")

    assert "has no column userPrincipalName" in first.text and "Detected: cp1252" in first.text
    assert "Semicolon" in first.text and "anna@contoso.test" in first.text
    assert tried.status == 303 and "anna@contoso.test" in page.text and "Anna <script>" not in page.html
    assert nobody == ["hr"] and done.location == "/sources/staff"
    view = await sources.show_source(centre.hub.context, "staff")
    assert view.counts["people"] == 3 and view.source.config["map"]["Personnel no"] == "id"
    assert "staff.csv" in source.text and "becomes city" in source.text
    [run] = await source_runs.list_runs(centre.hub.context, "staff")
    assert "anna@contoso.test" in (await admin.get(f"/sources/staff/runs/{run.id}")).text


async def test_a_second_click_gets_the_result_of_the_first(centre: Centre, admin: Browser) -> None:
    sent = await send(admin, "\n".join(("id,userPrincipalName,displayName", "1,a@x.test,A")) + "\n")
    page = await admin.get(sent.location)
    form = {"step": "import", "mark": mark_of(page)}

    both = await asyncio.gather(admin.post(sent.location, form), admin.post(sent.location, form))

    assert [one.status for one in both] == [303, 303]
    assert len(await source_runs.list_runs(centre.hub.context, "hr")) == 1
    assert (await sources.show_source(centre.hub.context, "hr")).counts["people"] == 1


async def test_who_leaves_is_named_and_leaves_only_after_the_number_was_typed(centre: Centre, admin: Browser) -> None:
    await imported(admin, "1,a@x.test,A", "2,b@x.test,B", "3,c@x.test,C")
    sent = await send(admin, "id,userPrincipalName,displayName\n1,a@x.test,A\n", encoding="utf-8")

    page = await admin.get(sent.location)
    refused = await admin.post(sent.location, {"step": "import", "mark": mark_of(page)})
    still = (await sources.show_source(centre.hub.context, "hr")).counts["people"]
    done = await admin.post(sent.location, {"step": "import", "mark": mark_of(page), "confirmation": "2"})

    assert "b@x.test" in page.text and "Type 2 to confirm" in page.text
    assert refused.status == 400 and still == 3 and done.status == 303
    assert (await sources.show_source(centre.hub.context, "hr")).counts["people"] == 1


async def test_a_dry_run_that_is_no_longer_true_imports_nothing(centre: Centre, admin: Browser) -> None:
    await imported(admin, "1,a@x.test,A", "2,b@x.test,B")
    sent = await send(admin, "id,userPrincipalName,displayName\n1,a@x.test,A\n", encoding="utf-8")
    page = await admin.get(sent.location)
    await imported(admin, "1,a@x.test,A", "2,b@x.test,B", "3,c@x.test,C")

    late = await admin.post(sent.location, {"step": "import", "mark": mark_of(page), "confirmation": "1"})

    assert late.status == 400 and "out of date" in late.text
    assert (await sources.show_source(centre.hub.context, "hr")).counts["people"] == 3


async def test_what_is_no_csv_is_said_and_imports_nothing(centre: Centre, admin: Browser) -> None:
    sent = await send(admin, "PK\x03\x04 a workbook", name="../../people.xlsx")
    page = await admin.get(sent.location)
    gone = await admin.post(sent.location, {"step": "discard"})

    assert "Excel workbook" in page.text and "people.xlsx" in page.text and "../" not in page.text
    assert gone.location == "/sources" and (await admin.get(sent.location)).status == 404
    assert (await send(admin, "a,b\n", source="not a name!")).status == 400


async def test_the_key_is_changed_with_everybodys_and_the_name_with_everything(centre: Centre, admin: Browser) -> None:
    await imported(admin, "1,a@x.test,A", "2,b@x.test,B")
    text = "id,userPrincipalName,displayName,Personnel no\n1,a@x.test,A,70\n2,b@x.test,B,80\n"
    sent = await send(admin, text, encoding="utf-8")

    rekeyed = await admin.post(sent.location, {"step": "rekey", "column": "Personnel no"})
    page = await admin.get(sent.location)
    renamed = await admin.post("/sources/hr/rename", {"name": "personnel"})
    taken = await admin.post("/sources/personnel/rename", {"name": "not a name!"})

    assert rekeyed.status == 303 and number(page) == ""
    assert "Unchanged 2" in page.text or "Changed 2" in page.text
    assert renamed.location == "/sources/personnel" and taken.status == 400
    assert (await sources.show_source(centre.hub.context, "personnel")).counts["people"] == 2
    assert await source_runs.list_runs(centre.hub.context, "personnel")


async def test_only_who_may_write_sources_uploads(centre: Centre, admin: Browser) -> None:
    sent = await send(admin, "id,userPrincipalName\n1,a@x.test\n")
    operator = await centre.signed_in(Role.OPERATOR)

    assert (await operator.get("/import")).status == 403
    assert (await operator.get(sent.location)).status == 403
    assert (await operator.post(sent.location, {"step": "import"})).status == 403
    assert "/import" not in (await operator.get("/sources")).links


async def test_no_connection_is_held_while_a_client_sends_and_what_breaks_off_is_not_kept(centre: Centre) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"userPrincipalName,displayName\n" + b"x" * (1024 * 1024)
        [(open_ones,)] = await centre.hub.fetch(
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%%'"
        )
        assert open_ones == 0
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await uploads.keep_upload(centre.hub.context, "hr", "people.csv", content())

    assert await centre.hub.fetch("select id from source_upload") == []


async def test_a_kind_of_file_that_does_not_exist_is_refused(centre: Centre) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"userPrincipalName\nanna@contoso.test\n"

    kept = await uploads.keep_upload(centre.hub.context, "hr", "people.csv", content())

    with pytest.raises(LockstepError, match="is not a kind of file"):
        await uploads.change_upload(centre.hub.context, kept.id, {"kind": "robots"})
