"""Single sign-on of Documo through Lockstep, set up in both products, finding everything by its label, and used by people in Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import visiting
from tests.support.sign_on_world import (
    Both,
    accept_first_link,
    begin_at_documo,
    complaints,
    expect_documents,
    expect_signed_out,
    faults_here,
    join,
    set_up_documo,
    set_up_lockstep,
    sign_in_as_admin,
)

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
async def both(chrome: Browser, up_both: Both) -> AsyncIterator[Both]:
    """Set up by hand on both sides, as the tutorial does it."""
    found: list[str] = []
    person = up_both.people("--app", "documo")[0]
    async with visiting(chrome, up_both.up.origin) as admin:
        await accept_first_link(admin.page, up_both)
        identifier, login, certificate = await set_up_lockstep(admin.page, up_both)
        found += await faults_here(admin, "lockstep-set-up")
        await sign_in_as_admin(admin.page, up_both)
        await set_up_documo(
            admin.page, up_both, entity=identifier, sso=login, domain=person.rpartition("@")[2], field="",
            certificate=certificate,
        )  # fmt: skip
        found += await faults_here(admin, "documo-set-up")
        assert found == [] and complaints(admin, up_both) == []
    yield up_both


async def test_disabled_person_gets_no_further_page_of_either_product(chrome: Browser, both: Both) -> None:
    """The sessions end with the write: Documo's in the transaction that deactivates the member, so its next answer is a refusal."""
    person = both.people("--app", "documo")[0]
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await join(page, both, person)
        await page.get_by_role("link", name="Documo").click()
        await page.get_by_label("Email", exact=True).fill(person)
        await page.get_by_role("button", name="Continue").click()
        await expect_documents(page, both)

        both.run("lockstep", "people", "disable", person)
        await expect_signed_out(page, f"{both.up.origin}/myapps")
        while both.is_active_in_documo(person):
            pass  # each look starts a program, so this does not spin
        await expect_signed_out(page, both.documo)
        assert complaints(visitor, both) == []


async def test_sign_in_begins_at_lockstep_where_documo_has_no_sign_on_url(chrome: Browser, both: Both) -> None:
    person = both.people("--app", "documo")[1]
    both.run("lockstep", "sso", "set", "documo", "--sign-on-url", "")
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await join(page, both, person)
        await page.get_by_role("link", name="Documo").click()
        await expect(page.get_by_role("heading", name=f"Sign in as {person}?")).to_be_visible()
        found = await faults_here(visitor, "sign-in-as")
        await page.get_by_role("button", name="Continue").click()
        await expect_documents(page, both)

        assert found == [] and complaints(visitor, both) == []
    both.run("lockstep", "sso", "set", "documo", "--sign-on-url", f"{both.documo}/sso")


async def test_person_without_an_assignment_reads_whom_to_ask(chrome: Browser, both: Both) -> None:
    stranger = next(one for one in both.people() if one not in both.people("--app", "documo"))
    both.run("lockstep", "people", "sign-in", "set", "--contact", "the help desk, phone 4711")
    async with visiting(chrome, both.up.origin) as visitor:
        page = visitor.page
        await join(page, both, stranger)
        await expect(page.get_by_role("link", name="Documo")).to_have_count(0)
        for begin in ("My Apps", "Documo"):
            if begin == "Documo":
                await begin_at_documo(page, both, stranger)
            else:
                await visitor.go("/myapps/launch/documo")
            await expect(page.get_by_role("heading", name="No access to Documo")).to_be_visible()
            await expect(
                page.get_by_text(f"You are signed in as {stranger}, but Documo is not assigned to you")
            ).to_be_visible()
            await expect(page.get_by_text("Ask the help desk, phone 4711 for access")).to_be_visible()

        assert await faults_here(visitor, "not-assigned") == [] and complaints(visitor, both) == []


async def test_person_whom_documo_does_not_know_reads_a_number_for_the_admin(chrome: Browser, both: Both) -> None:
    """The assignment is not required, so Lockstep signs in somebody without an account in Documo."""
    stranger = next(one for one in both.people() if one not in both.people("--app", "documo"))
    both.run("lockstep", "sso", "set", "documo", "--no-assignment-required")
    async with visiting(chrome, both.up.origin) as visitor:
        page = visitor.page
        await join(page, both, stranger)
        await begin_at_documo(page, both, stranger)
        await expect(page.get_by_role("heading", name="Sign-in failed")).to_be_visible()
        await expect(page.get_by_text("Ask your administrator")).to_be_visible()

        assert page.url.startswith(f"{both.documo}/sso/failed?number=")
        assert await faults_here(visitor, "unknown-to-documo") == [] and complaints(visitor, both) == []
    both.run("lockstep", "sso", "set", "documo", "--assignment-required")
