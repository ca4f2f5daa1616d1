"""Single sign-on of Documo through Lockstep, set up from metadata: signing out of both, Test SSO, and a certificate that is replaced."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, expect

from lockstep.saml.bindings import redirect_url
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import LogoutRequest, write_logout_request
from tests.support.browser import PASSWORD, Visitor, visiting
from tests.support.sign_on_world import (
    Both,
    accept_first_link,
    begin_at_documo,
    complaints,
    confirm_in_lockstep,
    downloaded_certificate,
    expect_documents,
    expect_signed_out,
    faults_here,
    join,
    open_security,
    open_setup,
    open_single_sign_on,
    set_up_documo,
    set_up_lockstep,
    sign_in_as_admin,
)

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
async def admin(chrome: Browser, up_both: Both) -> AsyncIterator[Visitor]:
    """A browser in which the administrator of Lockstep and the Admin of Documo have exchanged the metadata of both."""
    async with visiting(chrome, up_both.up.origin) as visitor:
        page = visitor.page
        await accept_first_link(page, up_both)
        await set_up_lockstep(page, up_both)
        await sign_in_as_admin(page, up_both)
        await take_metadata_of_documo(page, up_both)
        await take_metadata_of_lockstep(page, up_both)
        yield visitor
        assert complaints(visitor, up_both) == []


async def take_metadata_of_documo(page: Page, both: Both) -> None:
    """Upload what Documo publishes: it adds the Logout URL, and the certificate that verifies Documo's requests."""
    await open_security(page, both)
    address = await page.get_by_label("Metadata", exact=True).inner_text()
    document = await (await page.request.get(address.strip())).body()
    await open_single_sign_on(page, both)
    await page.get_by_role("link", name="Edit Basic SAML Configuration").click()
    await page.get_by_label("File", exact=True).set_input_files(
        {"name": "documo.xml", "mimeType": "application/samlmetadata+xml", "buffer": document}
    )
    await page.get_by_role("button", name="Upload metadata").click()
    await expect(page.get_by_label("Logout URL", exact=True)).to_have_value(f"{both.documo}/saml/logout")
    await page.get_by_label("Sign on URL", exact=True).fill(f"{both.documo}/sso")
    await page.get_by_role("button", name="Save", exact=True).click()


async def take_metadata_of_lockstep(page: Page, both: Both) -> None:
    """Download the Federation Metadata XML and let Documo fill the form from it. The email domain is entered by hand."""
    await open_single_sign_on(page, both)
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Federation Metadata XML").click()
    document = (await (await started.value).path()).read_text()
    await open_setup(page, both)
    await page.get_by_label("Metadata XML", exact=True).fill(document)
    await page.get_by_role("button", name="Read metadata").click()
    await expect(page.get_by_text("The fields were filled from the metadata")).to_be_visible()
    await page.get_by_label(re.compile("^Email Domain")).fill(both.people("--app", "documo")[0].rpartition("@")[2])
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("heading", name="Security", level=1)).to_be_visible()


async def sign_in_to_both(page: Page, both: Both, person: str) -> None:
    await join(page, both, person)
    await begin_at_documo(page, both, person)
    await expect_documents(page, both)


async def sign_out_of_documo(page: Page) -> None:
    await page.get_by_role("banner").get_by_label("Account", exact=True).click()
    await page.get_by_role("banner").get_by_role("button", name="Sign out").click()


async def test_signing_out_of_documo_ends_both_sessions(chrome: Browser, up_both: Both, admin: Visitor) -> None:
    both, person = up_both, up_both.people("--app", "documo")[0]
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await sign_in_to_both(page, both, person)

        await sign_out_of_documo(page)

        await expect(page.get_by_text("You are signed out")).to_be_visible()
        assert page.url.startswith(f"{both.documo}/login")
        assert await faults_here(visitor, "signed-out-of-documo") == []
        await expect_signed_out(page, f"{both.up.origin}/myapps")
        await expect_signed_out(page, f"{both.documo}/own-account")
        assert complaints(visitor, both) == []


async def test_signing_out_of_my_apps_ends_both_sessions(chrome: Browser, up_both: Both, admin: Visitor) -> None:
    both, person = up_both, up_both.people("--app", "documo")[0]
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await sign_in_to_both(page, both, person)

        await page.goto(f"{both.up.origin}/myapps")
        await page.get_by_role("button", name="Sign out").click()

        await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
        assert page.url.startswith(f"{both.up.origin}/myapps/signed-out")
        assert await faults_here(visitor, "signed-out-of-my-apps") == []
        await expect_signed_out(page, f"{both.documo}/own-account")
        await expect_signed_out(page, f"{both.up.origin}/myapps")
        assert complaints(visitor, both) == []


async def test_logout_request_without_a_signature_ends_no_session(
    chrome: Browser, up_both: Both, admin: Visitor
) -> None:
    both, person = up_both, up_both.people("--app", "documo")[0]
    lockstep = f"{both.up.origin}/saml2/documo"
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await sign_in_to_both(page, both, person)
        for issuer, address in (
            (both.documo, f"{lockstep}/logout"),
            (f"{lockstep}/metadata", f"{both.documo}/saml/logout"),
        ):
            request = LogoutRequest(new_id(), issuer, address, datetime.now(UTC), person)
            answer = await page.goto(
                redirect_url(address, message=write_logout_request(request), field="SAMLRequest", key=None)
            )
            assert answer is not None and answer.status == 400
            assert await faults_here(visitor, f"unsigned-sign-out-{issuer.count('/')}") == []

        await page.goto(f"{both.up.origin}/myapps")
        await expect(page.get_by_role("heading", name="My Apps")).to_be_visible()
        await page.goto(both.documo)
        await expect_documents(page, both)


async def test_person_reads_that_documo_could_not_sign_them_out_of_lockstep(
    chrome: Browser, up_both: Both, admin: Visitor
) -> None:
    """Documo signs its request with a certificate that Lockstep does not know."""
    both, person = up_both, up_both.people("--app", "documo")[0]
    async with visiting(chrome, both.documo) as visitor:
        page = visitor.page
        await sign_in_to_both(page, both, person)
        made = both.run("documo", "sso", "keys", "new", "-o", "json")
        thumbprint = re.findall(r'"thumbprint": *"([0-9A-F]+)"', made)[-1]
        both.run("documo", "sso", "keys", "activate", thumbprint, "--yes")

        await sign_out_of_documo(page)

        await expect(page.get_by_text("Documo could not sign you out of Lockstep")).to_be_visible()
        await expect(page.get_by_text("Sign out in My Apps")).to_be_visible()
        assert await faults_here(visitor, "unknown-key-sign-out") == []
        await expect_signed_out(page, f"{both.documo}/own-account")
    await confirm_in_lockstep(admin.page, both)
    await take_metadata_of_documo(admin.page, both)


async def test_test_sso_shows_on_the_page_that_it_works_or_why_not(up_both: Both, admin: Visitor) -> None:
    both, page = up_both, admin.page
    person = both.people("--app", "documo")[0]
    await join(page, both, person)
    found: list[str] = []

    async def tried(name: str, heading: str) -> None:
        await open_security(page, both)
        await page.get_by_role("button", name="Test SSO").click()
        await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
        await page.get_by_label("User name", exact=True).fill(person)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("heading", name="Test of single sign-on")).to_be_visible()
        await expect(page.get_by_role("main").get_by_text(heading)).to_be_visible()
        found.extend(await faults_here(admin, name))

    await tried("test-sso-works", "Single sign-on works")
    await expect(page.get_by_text(person)).to_be_visible()
    await set_up_documo(page, both, field="no-such-claim")
    await tried("test-sso-fails", "The assertion does not contain the field that identifies the person")
    await expect(page.get_by_text("one value of no-such-claim")).to_be_visible()

    await set_up_documo(page, both, field="")
    assert found == []


async def test_sign_in_works_before_during_and_after_the_certificate_is_replaced(
    chrome: Browser, up_both: Both, admin: Visitor
) -> None:
    both, page = up_both, admin.page
    person = both.people("--app", "documo")[0]
    await confirm_in_lockstep(page, both)
    await open_single_sign_on(page, both)
    old = await downloaded_certificate(page)
    async with visiting(chrome, both.documo) as visitor:
        await sign_in_to_both(visitor.page, both, person)

        await page.get_by_role("link", name="Edit SAML Signing Certificate").click()
        await page.get_by_role("button", name="New Certificate").click()
        await expect(page.get_by_role("button", name=re.compile("^Make active"))).to_have_count(1)
        found = await faults_here(admin, "two-certificates")
        await sign_in_again(visitor, both, person)
        async with page.expect_download() as started:
            await page.get_by_role("link", name=re.compile("^Download")).last.click()
        new = (await (await started.value).path()).read_text()
        metadata = await (await page.request.get(f"{both.up.origin}/saml2/documo/metadata")).text()
        assert all(body_of(one) in "".join(metadata.split()) for one in (old, new)) and old != new

        await set_up_documo(page, both, certificate=old + new)
        found += await faults_here(admin, "documo-trusts-both")
        await sign_in_again(visitor, both, person)

        await confirm_in_lockstep(page, both)
        await open_single_sign_on(page, both)
        await page.get_by_role("link", name="Edit SAML Signing Certificate").click()
        await page.get_by_role("button", name=re.compile("^Make active")).click()
        await expect(page.get_by_text("Lockstep signs with this certificate from now on")).to_be_visible()
        await sign_in_again(visitor, both, person)

        await set_up_documo(page, both, certificate=new)
        await sign_in_again(visitor, both, person)
        assert found == [] and complaints(visitor, both) == []


def body_of(certificate: str) -> str:
    """The Base64 text of a PEM, without line breaks."""
    return "".join(line for line in certificate.split() if "-" not in line and "CERTIFICATE" not in line)


async def sign_in_again(visitor: Visitor, both: Both, person: str) -> None:
    """Forget Documo's session, and sign in once more through the session at Lockstep."""
    await visitor.page.context.clear_cookies(name="documo_session")
    await begin_at_documo(visitor.page, both, person)
    await expect_documents(visitor.page, both)
