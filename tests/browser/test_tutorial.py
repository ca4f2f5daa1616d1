"""Microsoft's tutorial for Documo, followed by its words alone, from the one-time link to accounts in Documo."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Dialog, Locator, Page, expect

from tests.support.browser import EMAIL, NAME, PASSWORD, Visitor, visiting
from tests.support.up_process import running_up

pytestmark = pytest.mark.full
PATIENCE = 60_000.0  # milliseconds; only a test that fails waits so long


@dataclass(frozen=True)
class Ready:
    """The output of `lockstep up --step -o json`."""

    origin: str
    link: str
    tenant_url: str
    api_key: str

    async def accounts(self) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(f"{self.tenant_url}/Users?count=500") as answer,
        ):
            found: list[dict[str, Any]] = (await answer.json(content_type=None))["Resources"]
            return found


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running_up("--step", "-o", "json", "--people", "60", "--seed", "20261123", ready='"apiKey"') as up:
        told = json.loads(up.lines[-1])
        yield Ready(
            told["lockstep"]["url"],
            told["lockstep"]["signInUrl"],
            told["documo"]["scimUrl"],
            told["documo"]["apiKey"],
        )


async def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    """Go to *wanted* with Tab alone, as somebody without a mouse does, and press *key* there."""
    for _ in range(250):
        if await wanted.evaluate("element => element === document.activeElement"):
            assert await wanted.evaluate("element => element.matches(':focus-visible')")
            await page.keyboard.press(key)
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with Tab")


class Hands:
    """How somebody works with the page: with a mouse, or with the keyboard alone."""

    def __init__(self, page: Page, *, has_mouse: bool) -> None:
        self.page, self.has_mouse = page, has_mouse

    async def click(self, wanted: Locator, key: str = "Enter") -> None:
        await expect(wanted).to_be_visible()
        if self.has_mouse:
            await wanted.click()
        else:
            await press(self.page, wanted, key)

    async def type(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        if self.has_mouse:
            await field.fill(text)
            return
        await press(self.page, field, "ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def choose(self, label: str, option: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        if self.has_mouse:
            await field.select_option(option)
            return
        await press(self.page, field, option[0])
        await expect(field.locator("option:checked")).to_have_text(option)

    async def tick(self, wanted: Locator) -> None:
        if self.has_mouse:
            await wanted.check()
        else:
            await press(self.page, wanted, "Space")


async def follow(page: Page, ready: Ready, hands: Hands, *, has_script: bool = True) -> None:
    """Steps 4 to 6 of the tutorial."""
    await page.goto(ready.link)
    for label, text in (("Email", EMAIL), ("Name", NAME), ("Password", PASSWORD)):
        await hands.type(label, text)
    await hands.click(page.get_by_role("button", name="Set password and sign in"))
    await hands.click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Applications"))
    await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()
    await hands.click(page.get_by_role("link", name="Documo", exact=True))

    await hands.click(page.get_by_role("navigation", name="Documo").get_by_role("link", name="Users and groups"))
    await hands.click(page.get_by_role("link", name="Add user/group").first)
    await hands.tick(page.get_by_role("checkbox", name=re.compile(r"\d+ people")).first)
    await hands.click(page.get_by_role("button", name="Continue"))
    await hands.click(page.get_by_role("button", name="Assign"))
    await expect(page.get_by_role("table")).to_be_visible()

    await hands.click(page.get_by_role("navigation", name="Documo").get_by_role("link", name="Provisioning"))
    await expect(page.get_by_role("heading", name="Get started")).to_be_visible()
    await hands.click(page.get_by_role("navigation", name="Provisioning").get_by_role("link", name="Settings"))
    await hands.choose("Provisioning Mode", "Automatic")
    credentials = page.get_by_role("region", name="Admin Credentials")
    await expect(credentials).to_be_visible()
    await hands.type("Tenant URL", ready.tenant_url)
    await hands.type("Secret Token", ready.api_key)
    await has_tested(hands, credentials)
    if not has_script:  # the page that came back does not contain the token
        await hands.type("Secret Token", ready.api_key)
    await hands.type("Notification Email", "idm@contoso.test")
    await hands.tick(page.get_by_label("Send an email notification when a failure occurs"))
    await hands.click(page.get_by_role("button", name="Save", exact=True))
    await expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()
    assert ready.api_key not in await page.content()

    mappings = page.get_by_role("region", name="Mappings")
    await hands.click(mappings.get_by_role("link", name="Synchronize Microsoft Entra users to Documo"))
    await expect(page.get_by_text("Attribute-Mapping").first).to_be_visible()
    await page.go_back()

    status = page.get_by_role("region", name="Settings", exact=True).get_by_role(
        "radiogroup", name="Provisioning Status"
    )
    if hands.has_mouse:
        await status.get_by_label("On").check()
    else:
        await press(page, status.get_by_label("Off"), "ArrowRight")
    await expect(status.get_by_label("On")).to_be_checked()


async def has_tested(hands: Hands, credentials: Locator) -> None:
    await hands.click(credentials.get_by_role("button", name="Test Connection"))
    await expect(credentials.get_by_text("Test connection passed", exact=False)).to_be_visible(timeout=PATIENCE)


async def is_finished(page: Page, ready: Ready) -> None:
    """100 % on the page, and the people in Documo."""
    bar = page.get_by_role("progressbar", name="Progress of the cycle")
    await expect(bar).to_have_attribute(
        "aria-valuetext", re.compile(r"^([1-9]\d*) of \1 (people|person)$"), timeout=PATIENCE
    )
    await expect(page.get_by_text("Healthy - idle").first).to_be_visible(timeout=PATIENCE)
    created = int(((await bar.get_attribute("aria-valuetext")) or "0").split()[0])
    accounts = await ready.accounts()
    assert created > 1
    assert sum("contoso.test" in one["userName"] for one in accounts) == created


@pytest.mark.parametrize("has_mouse", [True, False], ids=["mouse", "keyboard"])
async def test_the_tutorial_leads_to_accounts_in_documo(chrome: Browser, ready: Ready, has_mouse: bool) -> None:
    async with visiting(chrome, ready.origin) as visitor:
        page, hands = visitor.page, Hands(visitor.page, has_mouse=has_mouse)
        await follow(page, ready, hands)
        await expect(page.get_by_text("Saving shows what the initial cycle, which covers")).to_be_visible()
        before = await ready.accounts()
        await hands.click(page.get_by_role("button", name="Save", exact=True))
        switch_on = page.get_by_role("button", name="Switch on", exact=True)
        await expect(switch_on).to_be_visible(timeout=PATIENCE)
        await expect(page.get_by_role("region", name="Planned objects").get_by_role("row").nth(1)).to_be_visible()
        assert await ready.accounts() == before
        await hands.click(switch_on)

        await is_finished(page, ready)
        assert visitor.said == []


async def test_the_page_asks_before_unsaved_edits_are_lost_and_discard_restores_them(
    visitor: Visitor,
) -> None:
    page = visitor.page
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await visitor.go("/apps/documo/provisioning/settings")
    threshold = page.get_by_label("Accidental deletion threshold")
    before = await threshold.input_value()
    await threshold.fill("7")
    await expect(page.get_by_role("region", name="Unsaved changes")).to_contain_text("1 unsaved change")
    await expect(page.get_by_text(re.compile(r"Saving re-evaluates [0-9,]+ people"))).to_be_visible()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Home").click()
    await expect(page.get_by_role("heading", name="Provisioning", exact=True)).to_be_visible()
    assert asked == ["beforeunload"]

    await page.get_by_role("button", name="Discard").click()
    await expect(threshold).to_have_value(before)
    await expect(page.get_by_role("region", name="Unsaved changes")).to_be_hidden()


async def test_a_tenant_url_without_its_path_is_mended_with_one_click(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.go("/apps/documo/provisioning/settings")

    await page.get_by_label("Tenant URL").fill("https://api.documo.com/")
    await page.get_by_role("button", name="Use https://api.documo.com/scim/v2").click()

    await expect(page.get_by_label("Tenant URL")).to_have_value("https://api.documo.com/scim/v2")
    await expect(page.get_by_text("Looks right")).to_be_visible()
    await page.get_by_role("button", name="Discard").click()


async def test_the_settings_are_saved_without_script(chrome: Browser, ready: Ready) -> None:
    async with visiting(chrome, ready.origin, has_script=False) as visitor:
        page, hands = visitor.page, Hands(visitor.page, has_mouse=True)
        await follow(page, ready, hands, has_script=False)
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_text("Provisioning is still off").first).to_be_visible()
        await page.get_by_role("button", name=re.compile("[Ss]witch on$")).click()

        await expect(page.get_by_text("Provisioning is on").first).to_be_visible()
