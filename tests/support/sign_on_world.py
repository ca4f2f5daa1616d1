"""Both products of one `lockstep up`, and what administrators and people do for single sign-on, by the labels of the pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from playwright.async_api import Page, expect

from tests.support.browser import EMAIL, NAME, PASSWORD, RULES_OF_COLOUR, THEMES, Theme, Visitor
from tests.support.up_process import BIN, Up

PATIENCE = 30_000.0  # milliseconds; only a test that fails waits so long
WINDOWS = (1440, 390)
expect.set_options(timeout=PATIENCE)
SEEN_BY_AXE: Mapping[tuple[Theme, int], Sequence[str]] = {("light", 390): (), ("dark", 1440): RULES_OF_COLOUR}


@dataclass(frozen=True)
class Both:
    """Both products, with the people of the demo organisation provisioned to Documo."""

    up: Up

    @cached_property  # a command takes seconds on a busy machine
    def documo(self) -> str:
        """The origin of Documo's pages."""
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

    def is_active_in_documo(self, person: str) -> bool:
        members = json.loads(self.run("documo", "members", "list", "-o", "json"))["members"]
        return next(bool(one["active"]) for one in members if one["user_name"] == person)


async def faults_here(visitor: Visitor, name: str) -> list[str]:
    """The findings of axe on the page as it is, and by how much it is too wide, in both themes on a laptop and a phone. In the dark theme,
    only the rules about colours are checked.
    """
    found: list[str] = []
    for theme, width in product(THEMES, WINDOWS):
        await visitor.look(theme=theme, width=width)
        if (theme, width) in SEEN_BY_AXE:
            found += [f"{name} in {theme} {line}" for line in await visitor.axe(only=SEEN_BY_AXE[theme, width])]
        if (by := await visitor.overflow()) > 0:
            found.append(f"{name} is {by} px too wide at {width} px")
    await visitor.look()
    return found


def complaints(visitor: Visitor, both: Both) -> list[str]:
    """What the browser said, without the requests from one product to the other, and without pages that are refused on purpose."""
    return [
        line
        for line in visitor.said
        if not line.startswith((f"foreign request: {both.up.origin}", f"foreign request: {both.documo}"))
        and "the server responded with a status of 4" not in line
    ]


async def accept_first_link(page: Page, both: Both) -> None:
    """Become the first administrator of Lockstep."""
    await page.goto(both.up.link)
    for label, text in (("Email", EMAIL), ("Name", NAME), ("Password", PASSWORD)):
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name="Set password and sign in").click()
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()


async def open_single_sign_on(page: Page, both: Both) -> None:
    """Go to the application's tab, from Home."""
    await page.goto(both.up.origin)
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Applications").click()
    await page.get_by_role("link", name="Documo", exact=True).click()
    await page.get_by_role("navigation", name="Documo").get_by_role("link", name="Single sign-on").click()


async def confirm_in_lockstep(page: Page, both: Both) -> None:
    """Enter the administrator's password again, so that certificates can be changed for the next ten minutes."""
    await page.goto(f"{both.up.origin}/step-up?next=/apps")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Enterprise applications")).to_be_visible()


async def set_up_lockstep(page: Page, both: Both) -> tuple[str, str, str]:
    """Returns what Documo must know: Lockstep's identifier, its login URL, and the certificate."""
    await open_single_sign_on(page, both)
    await page.get_by_role("button", name="Select SAML").click()
    if not await page.get_by_label("Identifier (Entity ID)", exact=True).is_visible():
        await page.get_by_role("link", name="Edit Basic SAML Configuration").click()
    await page.get_by_label("Identifier (Entity ID)", exact=True).fill(both.documo)
    await page.get_by_label("Reply URL (Assertion Consumer Service URL)", exact=True).fill(f"{both.documo}/assert")
    await page.get_by_label("Sign on URL", exact=True).fill(f"{both.documo}/sso")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="SAML Signing Certificate")).to_be_visible()
    text = await page.get_by_role("main").inner_text()
    login = re.search(r"Login URL\s+(http://\S+)", text)
    identifier = re.search(r"Lockstep Identifier\s+(http\S+)", text)
    assert login and identifier, text
    return identifier[1], login[1], await downloaded_certificate(page)


async def downloaded_certificate(page: Page) -> str:
    """The active certificate, downloaded from the page of the five cards."""
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Certificate (Base64)").click()
    return (await (await started.value).path()).read_text()


async def sign_in_as_admin(page: Page, both: Both) -> None:
    """Sign in to Documo as the account's Admin."""
    admin = both.documo_admin()
    both.run("documo", "members", "set-password", admin, "--password-stdin", given=PASSWORD)
    await page.goto(f"{both.documo}/login")
    await page.get_by_label("Email", exact=True).fill(admin)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()


async def open_security(page: Page, both: Both) -> None:
    """Go to Account Settings > Security, from Documo's start page."""
    await page.goto(both.documo)
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Account Settings").click()
    await page.get_by_role("link", name="Security").click()
    await expect(page.get_by_role("heading", name="Security", level=1)).to_be_visible()


async def open_setup(page: Page, both: Both) -> None:
    """Open *Setup SAML*, with the password if it was last entered more than ten minutes ago."""
    await open_security(page, both)
    await page.get_by_role("link", name="Configure SSO").first.click()
    await expect(page.get_by_role("heading", name=re.compile("Setup SAML|Confirm your password"))).to_be_visible()
    if await page.get_by_role("heading", name="Confirm your password").is_visible():
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Setup SAML")).to_be_visible()


async def set_up_documo(page: Page, both: Both, **fields: str) -> None:
    """Fill in *Setup SAML* and submit it. The names of *fields* are the labels' first words."""
    labels = {
        "entity": "Entity Id",
        "sso": "SSO URL (Redirect URL)",
        "domain": "Email Domain",
        "field": "Field Name in SAML Token containing Identity email",
        "certificate": "Signer Certificate",
        "logout": "Logout URL",
    }
    await open_setup(page, both)
    for name, value in fields.items():
        await page.get_by_label(re.compile("^" + re.escape(labels[name]))).fill(value)
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("heading", name="Security", level=1)).to_be_visible()


async def join(page: Page, both: Both, person: str) -> None:
    """Set the password of *person* through the link that an administrator makes."""
    link = json.loads(both.run("lockstep", "people", "sign-in", "link", person, "-o", "json"))["path"]
    await page.goto(both.up.origin + link)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Set password and sign in").click()
    await expect(page.get_by_role("heading", name="My Apps")).to_be_visible()


async def begin_at_documo(page: Page, both: Both, person: str) -> None:
    """Sign in with SSO from Documo's own page."""
    await page.goto(f"{both.documo}/sso")
    await page.get_by_label("Email", exact=True).fill(person)
    await page.get_by_role("button", name="Continue").click()


async def expect_documents(page: Page, both: Both) -> None:
    """Documo's start page, which only members see."""
    await expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    assert page.url.startswith(both.documo)


async def expect_signed_out(page: Page, address: str) -> None:
    """The very next request for *address* leads to a sign-in page."""
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
