"""Every page that a one-time link leads to, in the admin centre, in the portal and in Documo: axe and the keyboard, in both themes."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from tests.support.browser import PASSWORD, THEMES, Visitor, visiting
from tests.support.keyboard import faults_of_walk
from tests.support.up_process import BIN, Up

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]
WIDTHS = (320, 390, 1280)
OBVIOUS = "password12345"
ADMINISTRATOR, MEMBER = "nora.links@contoso.test", "otto.links@documo.test"


def run(up: Up, words: str) -> dict[str, Any]:
    """The answer of a command. It names the folder of the data first or last, as either program wants it."""
    program, *rest = words.split()
    place = ["--data", str(up.data)]
    command = [program, *place, *rest] if program == "lockstep" else [program, *rest, *place]
    command[0] = str(BIN / program)
    answer: dict[str, Any] = json.loads(
        subprocess.run([*command, "-o", "json"], check=True, capture_output=True).stdout
    )
    return answer


def link_of(up: Up, words: str) -> str:
    """The path of the link that the command makes."""
    answer = run(up, words)
    return urlsplit(str(answer.get("url") or answer["path"])).path


async def faults_of(visitor: Visitor, name: str) -> list[str]:
    """The faults of the page as it is shown, in both themes and three widths."""
    found: list[str] = []
    for theme, width in itertools.product(THEMES, WIDTHS):
        await visitor.look(theme=theme, width=width)
        lines = [*await visitor.axe(), *await faults_of_walk(visitor.page, has_way_back=True)]
        if (by := await visitor.overflow()) > 0:
            lines.append(f"is {by} px too wide")
        found += [f"{name} in {theme} at {width} px: {line}" for line in lines]
    return found


@asynccontextmanager
async def opened(chrome: Browser, origin: str, state: Any = None) -> AsyncIterator[Visitor]:
    async with visiting(chrome, origin, state) as visitor:
        yield visitor
        assert [line for line in visitor.said if "the server responded with a status of 4" not in line] == []


async def faults_of_link(visitor: Visitor, signed_in: Visitor, link: str, name: str) -> list[str]:
    """The faults of all states of a link that sets a password: the form, a refused password, the question whether another session may be
    replaced, and the link once it was used. *signed_in* is somebody else.
    """
    page, other = visitor.page, signed_in.page
    await visitor.go(link)
    await page.get_by_label("Password").wait_for()
    found = await faults_of(visitor, f"{name}, form")
    for label in ("Name", "Email"):
        if await page.get_by_label(label).count():
            await page.get_by_label(label).fill("Nora Links")
    await page.get_by_label("Password").fill(OBVIOUS)
    await page.get_by_role("button", name="Set password and sign in").click()
    await page.get_by_role("alert").wait_for()
    found += await faults_of(visitor, f"{name}, refused")

    await signed_in.go(link)
    await other.get_by_role("heading", name="Somebody else is signed in", level=1).wait_for()
    found += await faults_of(signed_in, f"{name}, question")
    await other.get_by_role("link", name="Continue as").click()
    await other.get_by_label("Password").wait_for()
    found += await faults_of(signed_in, f"{name}, form after the question")

    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Set password and sign in").click()
    await page.wait_for_url(lambda url: urlsplit(url).path != link)
    await signed_in.go(link)
    assert await other.get_by_label("Password").count() == 0
    return found + await faults_of(signed_in, f"{name}, used")


async def test_links_of_administrators_pass_axe_and_are_walked_with_keys(chrome: Browser, up: Up, session: Any) -> None:
    found: list[str] = []
    for name, words in (
        ("invitation", f"lockstep admins invite {ADMINISTRATOR} --role operator"),
        ("reset of a password", f"lockstep admins reset-password {ADMINISTRATOR}"),
    ):
        async with opened(chrome, up.origin) as visitor, opened(chrome, up.origin, session) as ada:
            found += await faults_of_link(visitor, ada, link_of(up, words), name)

    assert not found, "\n".join(found)


async def test_links_of_people_pass_axe_and_are_walked_with_keys(chrome: Browser, up: Up) -> None:
    liam, maya = (one["userPrincipalName"] for one in run(up, "lockstep people list --limit 200")["items"][-2:])
    async with opened(chrome, up.origin) as visitor, opened(chrome, up.origin) as signed_in:
        await signed_in.go(link_of(up, f"lockstep people sign-in link {maya}"))
        await signed_in.page.get_by_label("Password").fill(PASSWORD)
        await signed_in.page.get_by_role("button", name="Set password and sign in").click()
        await signed_in.page.get_by_role("heading", name="My Apps").wait_for()
        found = await faults_of_link(visitor, signed_in, link_of(up, f"lockstep people sign-in link {liam}"), "link")

    assert not found, "\n".join(found)


async def test_links_of_members_pass_axe_and_are_walked_with_keys(chrome: Browser, up: Up, documo_session: Any) -> None:
    run(up, f"documo members add {MEMBER} --role viewer")
    async with opened(chrome, up.documo_origin) as visitor, opened(chrome, up.documo_origin, documo_session) as admin:
        found = await faults_of_link(visitor, admin, link_of(up, f"documo members link {MEMBER}"), "link")

    assert not found, "\n".join(found)
