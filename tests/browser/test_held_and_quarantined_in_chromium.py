"""Sixty of a hundred people lose access, and a key is revoked: what the pages say and do, and the mails that arrive."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DOCUMO_EMAIL, Visitor, first_sign_in, visiting
from tests.support.hub import person, upn, write_csv
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.sign_on_world import PATIENCE, Both
from tests.support.up_process import running_up

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]
APP = "/apps/documo"
HERE = f"{APP}/provisioning"
NIGHT = [f"night{one:02}" for one in range(60)]
DAY = [f"day{one:02}" for one in range(40)]
TO = "idm@contoso.test"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both products, with a night shift of 60 people and a day shift of 40 who have accounts in Documo."""
    with running_up("--people", "60", "--seed", "20261123") as up:
        made = Both(up)
        rows = [person(name, department="Night") for name in NIGHT] + [person(name, department="Day") for name in DAY]
        file = write_csv(tmp_path_factory.mktemp("crew") / "crew.csv", rows)
        made.run("lockstep", "sources", "import", str(file), "--source", "crew")
        for shift in ("night", "day"):
            rule = f'{shift}: department EQUALS "{shift.capitalize()}"'
            made.run("lockstep", "groups", "create", shift, "--filter", rule)
            made.run("lockstep", "assign", "documo", "--group", shift, "--role", "Member", "--yes")
        made.run("lockstep", "run", "documo", "--wait")
        assert {upn(name) for name in NIGHT + DAY} <= members(made).keys()
        yield made


def members(both: Both) -> dict[str, bool]:
    """Whether each member whom Lockstep created in Documo is active."""
    listed = json.loads(both.run("documo", "members", "list", "-o", "json"))["members"]
    return {one["user_name"]: bool(one["active"]) for one in listed if one["source"] == "scim"}


@pytest.fixture(scope="module")
async def sink(both: Both) -> AsyncIterator[MailSink]:
    async with mail_sink() as served:
        both.run("lockstep", "outbound", "add", f"http://127.0.0.1:{served.port}")
        server = (
            "--host",
            "127.0.0.1",
            "--port",
            str(served.port),
            "--security",
            "none",
            "--from",
            "lockstep@contoso.test",
        )
        both.run("lockstep", "mail", "set", *server)
        yield served


@pytest.fixture(scope="module")
async def admin(chrome: Browser, both: Both, sink: MailSink) -> AsyncIterator[Visitor]:
    async with visiting(chrome, both.up.origin, await first_sign_in(chrome, both.up)) as visitor:
        yield visitor
        assert visitor.said == []


async def save_settings(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()


async def mail_about(sink: MailSink, subject: str) -> str:
    """Wait for the only mail with these words in its subject. Returns its text."""
    async with asyncio.timeout(PATIENCE / 1000):
        while not (found := [one for one in sink.messages if subject in str(one["Subject"])]):
            sink.reached.clear()
            await sink.reached.wait()
    assert [str(one["To"]) for one in found] == [TO]
    text = found[0].get_body(("plain",))
    return text.get_content() if text is not None else ""


async def test_sixty_of_a_hundred_leavers_are_held_and_mailed_and_only_the_ten_who_are_approved_lose_access(
    both: Both, sink: MailSink, admin: Visitor
) -> None:
    page, before = admin.page, members(both)
    assert all(before.values())
    await admin.go(f"{HERE}/settings")
    await page.get_by_label("Accidental deletion threshold").fill("50")
    await page.get_by_label("Notification Email", exact=True).fill(TO)
    await page.get_by_label("Send an email notification when a failure occurs").check()
    await save_settings(page)

    await admin.go(f"{APP}/users-groups")
    await page.get_by_role("checkbox", name="Select night, Member").check()
    await page.get_by_role("button", name="Remove selected").click()
    await expect(page.get_by_role("main")).to_contain_text("60")
    await page.get_by_role("button", name="Remove", exact=True).click()
    await admin.go(HERE)
    await expect(page.get_by_text("60 changes wait for your approval")).to_be_visible()
    await expect(page.get_by_text("Waiting for your approval").first).to_be_visible()
    assert "60" in await mail_about(sink, "approval")
    assert members(both) == before

    await page.get_by_role("link", name="Review", exact=True).first.click()
    for name in NIGHT[:10]:
        await page.get_by_role("button", name=f"Approve {upn(name)}").click()
        await expect(page.get_by_text("1 change approved")).to_be_visible()
    await page.get_by_label("Type 50 to confirm").fill("50")
    await page.get_by_role("button", name="Reject all").click()
    await expect(page.get_by_text("50 changes rejected")).to_be_visible()

    await admin.go(HERE)
    await expect(page.get_by_text("In step, except for 50 writes that were rejected").first).to_be_visible()
    both.run("lockstep", "run", "documo", "--wait")
    assert members(both) == before | {upn(name): False for name in NIGHT[:10]}


async def test_revoked_key_quarantines_with_a_countdown_and_one_mail_and_a_new_key_ends_it_without_a_restart(
    both: Both, sink: MailSink, admin: Visitor
) -> None:
    page = admin.page
    both.run("documo", "keys", "revoke", "Lockstep")
    both.run("lockstep", "people", "set", upn("day00"), "surname=Changed")
    await admin.go(HERE)
    await expect(page.get_by_text("Provisioning is in quarantine")).to_be_visible(timeout=PATIENCE)
    await page.get_by_role("link", name="Review", exact=True).first.click()
    await expect(page.get_by_text("Quarantine").first).to_be_visible()
    await expect(page.get_by_text(re.compile(r"^in \d+ minutes?$"))).to_be_visible()
    assert "HTTP 401" in await mail_about(sink, "is in quarantine")

    whose = ("--account", "Contoso", "--member", DOCUMO_EMAIL, "--name", "second")
    key = json.loads(both.run("documo", "keys", "create", *whose, "-o", "json"))["key"]
    await page.get_by_role("link", name="Admin Credentials").click()
    await page.get_by_text("Replace", exact=True).click()
    await page.get_by_label("Secret Token", exact=True).fill(key)
    await page.get_by_role("button", name="Test Connection").click()
    await expect(page.get_by_text("Test connection passed", exact=False)).to_be_visible(timeout=PATIENCE)
    await save_settings(page)

    await admin.go(HERE)
    await expect(page.get_by_text("In step, except for 50 writes that were rejected").first).to_be_visible(
        timeout=PATIENCE
    )
    await expect(page.get_by_text("Provisioning is in quarantine")).to_be_hidden()
    await mail_about(sink, "left quarantine")
    await mail_about(sink, "is in quarantine")  # still the only one
    listed = json.loads(both.run("documo", "members", "list", "-o", "json"))["members"]
    assert [one["name"] for one in listed if one["user_name"] == upn("day00")] == ["Day00 Changed"]
