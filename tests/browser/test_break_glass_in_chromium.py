"""Single sign-on is enforced and the identity provider is gone: who still gets in to Documo, and what the others read, in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from documo import members
from documo.access import password_links
from documo.access.sso import providers
from documo.access.sso.providers import SamlSetup
from documo.store.database import open_store
from lockstep.postgres.database import Database
from lockstep.saml.certificates import new_signing_key
from tests.support.browser import PASSWORD, Visitor, visiting
from tests.support.documo_client import Client, documo_on
from tests.support.saml_provider import ENTITY_ID, key_named
from tests.support.sign_on_world import PATIENCE, faults_here

pytestmark = pytest.mark.full
ADMIN, ANNA = "ada@contoso.test", "anna@contoso.test"
expect.set_options(timeout=PATIENCE)


@pytest.fixture
async def api(documo_database: Database) -> AsyncIterator[Client]:
    """An account with an Admin and a member who have passwords, whose identity provider does not answer."""
    async with open_store(documo_database) as store, documo_on(store) as documo, nobody_answers() as gone:
        client = await documo.client()
        for email, role in ((ADMIN, "Admin"), (ANNA, "Editor")):
            await members.add_member(store, client.account.id, email, role=role)
            await password_links.set_password(store, client.account, email, PASSWORD)
        setup = SamlSetup(ENTITY_ID, f"{gone}/sso", key_named("contoso").certificate.pem, email_domain="contoso.test")
        await providers.set_up(store, client.account.id, setup)
        yield client


@asynccontextmanager
async def nobody_answers() -> AsyncIterator[str]:
    """The origin of a server that hangs up on everybody."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def sign_in(visitor: Visitor, email: str) -> None:
    page = visitor.page
    await visitor.go("/login")
    await page.get_by_label("Email", exact=True).fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_admin_who_keeps_the_password_gets_in_while_the_provider_is_gone_and_nobody_else_does(
    chrome: Browser, api: Client
) -> None:
    origin = api.url.removesuffix("/scim/v2")
    async with visiting(chrome, origin) as ada, visiting(chrome, origin) as anna:
        await sign_in(anna, ANNA)
        await expect(anna.page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
        await sign_in(ada, ADMIN)
        await ada.page.get_by_role("navigation", name="Main").get_by_role("link", name="Account Settings").click()
        await ada.page.get_by_role("link", name="Security").click()
        await ada.page.get_by_label("Members sign in with SSO only").check()
        await ada.page.get_by_label("Admin who may use a password").select_option(ADMIN)
        await ada.page.get_by_role("button", name="Save").click()
        await expect(ada.page.get_by_text("SSO only", exact=True)).to_be_visible()
        found = await faults_here(ada, "enforced")

        await anna.go("/")  # the session that began with a password has ended
        await sign_in(anna, ANNA)
        refusal = anna.page.get_by_role("alert")
        await expect(refusal).to_contain_text(
            "Your account allows sign-in only through your company's identity provider"
        )
        await expect(refusal).to_contain_text("Use Sign in with SSO")
        await expect(anna.page.get_by_role("button", name="Sign in with SSO")).to_be_visible()
        found += await faults_here(anna, "password-refused")

    async with visiting(chrome, origin) as ada:
        await sign_in(ada, ADMIN)
        await expect(ada.page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
        await ada.go("/settings/security")
        await ada.page.get_by_label("Members sign in with SSO only").uncheck()
        await ada.page.get_by_role("button", name="Save").click()
        await expect(ada.page.get_by_text("Members can use passwords again")).to_be_visible()
        assert ada.said == []

    async with visiting(chrome, origin) as anna:
        await sign_in(anna, ANNA)
        await expect(anna.page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
        assert found == []


async def test_security_warns_of_a_signer_certificate_near_its_end(chrome: Browser, api: Client) -> None:
    origin = api.url.removesuffix("/scim/v2")
    setup = providers.setup_of(await providers.provider_of(api.store, api.account.id))
    ending = new_signing_key("contoso", now=datetime.now(UTC) - timedelta(days=3 * 365 - 20))
    async with visiting(chrome, origin) as ada:
        await sign_in(ada, ADMIN)
        await ada.go("/settings/security")
        await expect(ada.page.get_by_role("heading", name="Security", level=1)).to_be_visible()
        await expect(ada.page.get_by_text("The signer certificate expires soon")).to_have_count(0)
        await providers.set_up(api.store, api.account.id, replace(setup, certificates=ending.certificate.pem))
        await ada.go("/settings/security")

        await expect(ada.page.get_by_text("The signer certificate expires soon")).to_be_visible()
        await expect(
            ada.page.get_by_text("Add the new certificate of your identity provider under Configure SSO")
        ).to_be_visible()
        assert await faults_here(ada, "certificate-ends") == [] and ada.said == []
