"""Single sign-on of Documo through Lockstep, set up in both products, finding everything by its label, and used by people in Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import EMAIL, NAME, PASSWORD, visiting
from tests.support.up_process import Up, running_up

pytestmark = pytest.mark.full
BIN = Path(sys.executable).parent
PATIENCE = 30_000.0  # milliseconds; only a test that fails waits so long


@dataclass(frozen=True)
class Both:
    """Both products, with the people of the demo organisation provisioned to Documo."""

    up: Up

    @property
    def documo(self) -> str:
        return str(json.loads(self.run("documo", "sso", "show", "-o", "json"))["identifier"])

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        environment = {**os.environ, "LOCKSTEP_DATA": str(self.up.data)}
        done = subprocess.run(
            [str(BIN / program), *arguments],
            input=given, capture_output=True, text=True, env=environment, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def people(self, *options: str) -> list[str]:
        """User principal names of enabled people."""
        listed = json.loads(self.run("lockstep", "people", "list", *options, "-o", "json"))
        return [one["userPrincipalName"] for one in listed["items"] if one["accountEnabled"]]

    def documo_admin(self) -> str:
        members = json.loads(self.run("documo", "members", "list", "-o", "json"))["members"]
        return next(str(one["user_name"]) for one in members if one["role"] == "Admin" and one["source"] == "local")


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with running_up("--people", "60", "--seed", "20261123") as up:
        yield Both(up)


async def set_up_lockstep(page: Page, both: Both) -> tuple[str, str, str]:
    """Returns what Documo must know: Lockstep's identifier, its login URL, and the certificate."""
    await page.goto(both.up.link)
    for label, text in (("Email", EMAIL), ("Name", NAME), ("Password", PASSWORD)):
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name="Set password and sign in").click()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Applications").click()
    await page.get_by_role("link", name="Documo", exact=True).click()
    await page.get_by_role("navigation", name="Documo").get_by_role("link", name="Single sign-on").click()
    await page.get_by_role("button", name="Select SAML").click()
    if not await page.get_by_label("Identifier (Entity ID)", exact=True).is_visible():
        await page.get_by_role("link", name="Edit Basic SAML Configuration").click()
    await page.get_by_label("Identifier (Entity ID)", exact=True).fill(both.documo)
    await page.get_by_label("Reply URL (Assertion Consumer Service URL)", exact=True).fill(f"{both.documo}/assert")
    await page.get_by_label("Sign on URL", exact=True).fill(f"{both.documo}/sso")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="SAML Signing Certificate")).to_be_visible()

    async with page.expect_download() as started:
        await page.get_by_role("link", name="Certificate (Base64)").click()
    certificate = (await (await started.value).path()).read_text()
    text = await page.get_by_role("main").inner_text()
    login = re.search(r"Login URL\s+(http://\S+)", text)
    identifier = re.search(r"Lockstep Identifier\s+(http\S+)", text)
    assert login and identifier, text
    return identifier[1], login[1], certificate


async def set_up_documo(page: Page, both: Both, identifier: str, login: str, certificate: str, domain: str) -> None:
    admin = both.documo_admin()
    both.run("documo", "members", "set-password", admin, "--password-stdin", given=PASSWORD)
    await page.goto(f"{both.documo}/login")
    await page.get_by_label("Email", exact=True).fill(admin)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Account Settings").click()
    await page.get_by_role("link", name="Security").click()
    await page.get_by_role("link", name="Configure SSO").first.click()
    await expect(page.get_by_role("heading", name="Setup SAML")).to_be_visible()
    for label, value in (
        ("Entity Id", identifier),
        ("SSO URL (Redirect URL)", login),
        ("Email Domain", domain),
        ("Signer Certificate", certificate),
    ):
        await page.get_by_label(re.compile(re.escape(label))).fill(value)
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("heading", name="Security")).to_be_visible()


async def join(page: Page, both: Both, person: str) -> None:
    """Set the password of *person* through the link that an administrator makes."""
    link = json.loads(both.run("lockstep", "people", "sign-in", "link", person, "-o", "json"))["path"]
    await page.goto(both.up.origin + link)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Set password and sign in").click()
    await expect(page.get_by_role("heading", name="My Apps")).to_be_visible()


async def shown_sign_in(page: Page, address: str) -> None:
    """Open *address* again and again, until its session has ended."""
    async with asyncio.timeout(PATIENCE / 1000):
        await page.goto(address)  # the page that is open may be another product's sign-in
        while not await page.get_by_role("heading", name="Sign in", exact=True).is_visible():
            await page.goto(address)


async def test_people_sign_in_to_documo_through_lockstep_until_they_are_disabled(chrome: Browser, both: Both) -> None:
    assigned = both.people("--app", "documo")
    person, other = assigned[0], assigned[1]
    stranger = next(one for one in both.people() if one not in assigned)
    async with visiting(chrome, both.up.origin) as admin:
        told = await set_up_lockstep(admin.page, both)
        await set_up_documo(admin.page, both, *told, person.rpartition("@")[2])

    async with visiting(chrome, both.documo) as visitor:  # beginning at Documo
        page = visitor.page
        await join(page, both, person)
        await page.get_by_role("link", name="Documo").click()
        await page.get_by_label("Email", exact=True).fill(person)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible(timeout=PATIENCE)
        assert page.url.startswith(both.documo)

        both.run("lockstep", "people", "disable", person)
        await shown_sign_in(page, both.documo)
        await shown_sign_in(page, f"{both.up.origin}/myapps")

    both.run("lockstep", "sso", "set", "documo", "--sign-on-url", "")
    async with visiting(chrome, both.documo) as visitor:  # beginning at Lockstep
        page = visitor.page
        await join(page, both, other)
        await page.get_by_role("link", name="Documo").click()
        await expect(page.get_by_role("heading", name=f"Sign in as {other}?")).to_be_visible(timeout=PATIENCE)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible(timeout=PATIENCE)
        assert page.url.startswith(both.documo)

    async with visiting(chrome, both.up.origin) as visitor:  # without an assignment
        page = visitor.page
        await join(page, both, stranger)
        await expect(page.get_by_role("link", name="Documo")).to_have_count(0)
        await visitor.go("/myapps/launch/documo")
        await expect(page.get_by_text("is not assigned to you")).to_be_visible()
