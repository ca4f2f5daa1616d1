"""Sensitive changes on Documo's pages ask who is at the keyboard, unless the member proved it a short time ago."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from yarl import URL

from documo import accounts, member_records, members
from documo.access import api_keys
from documo.access.confirming import CONFIRMED, FORM_OPEN, confirm, seal_opened_form
from documo.access.member_sign_in import caller_of_session
from documo.access.sso import providers
from documo.web.sessions import COOKIE
from lockstep.errors import LockstepError
from tests.documo.test_documo_permissions import ROWS
from tests.documo.test_documo_sso import ANNA, bring, setup
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import PASSWORD, Visitor, signed_in, visiting
from tests.support.documo_world import Browser, Household, household
from tests.support.saml_provider import Asked, Provider

KEYS = "/settings/api-keys"
SETUP = "/settings/security/sso"
SENSITIVE = {
    "/users/new", "/users/{user}/link", "/users/{user}/role", "/users/{user}/second-factor/reset", KEYS, f"{KEYS}/{{key}}/revoke",
    f"{KEYS}/{{key}}/roll", "/settings/scim/users", "/settings/security/enforce", "/settings/security/certificates",
    "/settings/security/certificates/activate", "/settings/security/certificates/remove", SETUP, f"{SETUP}/metadata", f"{SETUP}/remove",
}  # fmt: skip


async def last_confirmed(api: Client, ago: timedelta) -> None:
    """Make every session of the account one that was confirmed so long ago."""
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute(
            "update member_sessions set confirmed_at = %s where tenant_id = %s",
            (datetime.now(UTC) - ago, api.account.id),
        )


async def names_of_keys(api: Client) -> list[str]:
    return [key.name for key in await api_keys.list_keys(api.store, api.account.id)]


def session_of(visitor: Visitor) -> str:
    return visitor.http.cookie_jar.filter_cookies(URL(visitor.origin))[COOKIE].value


def opened_in(page: str) -> str:
    """The proof in the first form of *page* that the page was opened."""
    found = re.search(r'name="opened" value="([^"]*)"', page)
    return found[1] if found else ""


async def create_key(visitor: Visitor) -> str:
    return (await visitor.post(KEYS, on="/own-account", name="Entra", scope="scim:read"))[1]


@pytest.fixture
async def home(documo: Documo) -> Household:
    return await household(await documo.client("Zebra"), "zebra")


async def test_exactly_the_sensitive_changes_ask(home: Household, browser: Browser) -> None:
    names, asked = await home.objects(), set()
    for row in ROWS:
        if row.method != "POST" or "Admin" not in (row.roles or ()):
            continue
        path, form = row.sent(names)
        secret = await home.session("Admin")
        await last_confirmed(home.api, FORM_OPEN)
        seen = await browser.send("POST", path, secret=secret, form=form | {"role": "Admin"})
        if seen.goes_to.startswith("/confirm?"):
            asked.add(row.path)

    assert asked == SENSITIVE


async def test_change_without_confirmation_does_nothing_and_works_after_the_password(api: Client) -> None:
    async with signed_in(api) as ada:
        before = await names_of_keys(api)
        await last_confirmed(api, CONFIRMED)
        page = await create_key(ada)
        assert "Confirm your password" in page and "Nothing was changed yet" in page
        assert await names_of_keys(api) == before

        status, page = await ada.post("/confirm", on="/confirm", password="not the password", next=KEYS)
        assert status == 400 and "The current password is wrong" in page
        assert "Confirm your password" in await create_key(ada)

        secret = session_of(ada)
        status, page = await ada.post("/confirm", on="/confirm", password=PASSWORD, next=KEYS)
        assert status == 200 and "<h1>API keys</h1>" in page
        assert session_of(ada) != secret
        assert "I have stored it" in await create_key(ada)

    assert await names_of_keys(api) == [*before, "Entra"]


async def test_user_who_is_no_admin_is_created_without_confirmation(api: Client) -> None:
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        _, page = await ada.post("/users/new", on="/users/new", email="new@x.org", role="Member")

    assert "Link to set a password" in page


@pytest.mark.parametrize("role", ["Admin", "admin", "OWNER"])
async def test_admin_is_not_created_without_confirmation_however_the_role_is_written(api: Client, role: str) -> None:
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute(
            'update resources set document = document || \'{"display": "Owner"}\''
            " where tenant_id = %s and kind = 'Role' and document->>'value' = 'Admin'",
            (api.account.id,),
        )
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        _, page = await ada.post("/users/new", on="/users/new", email="new@x.org", role=role)

    assert "Confirm your password" in page
    assert await members.effective_role(api.store, api.account, "new@x.org") == ""


async def test_admin_by_default_is_not_created_without_confirmation(api: Client) -> None:
    await accounts.change_account(api.store, api.account.name, {"default_role": "Admin"})
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        _, page = await ada.post("/users/new", on="/users/new", email="new@x.org")

    assert "Confirm your password" in page
    assert await members.effective_role(api.store, api.account, "new@x.org") == ""


@pytest.mark.parametrize("role", ["Admin", "Member"])
async def test_only_an_admin_is_renamed_activated_or_restored_after_a_confirmation(api: Client, role: str) -> None:
    named, idle, gone = [
        await members.add_member(api.store, api.account.id, f"{name}@x.org", role=role)
        for name in ("named", "idle", "gone")
    ]
    await members.disable(api.store, api.account, idle)
    await member_records.delete_member(api.store, api.account, gone)
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        asked = {
            path: "Confirm your password" in (await ada.post(f"/users/{path}", on="/users", **form))[1]
            for path, form in (
                (f"{named}/details", {"email": "named@x.org", "given_name": "Nell"}),
                (f"{named}/details?renamed", {"email": "other@x.org"}),
                (f"{idle}/activate", {}),
                (f"{gone}/undelete", {}),
            )
        }
        left = await member_records.details_of(api.store, api.account, named)

    assert list(asked.values()) == [False, *[role == "Admin"] * 3]
    assert left[0].user_name == ("named@x.org" if role == "Admin" else "other@x.org")


async def test_setup_saml_opens_after_a_confirmation_and_can_be_sent_for_an_hour(api: Client) -> None:
    entered = {"entity_id": "", "sign_in_url": "https://login.example/saml2"}
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        assert "Confirm your password" in (await ada.get(SETUP))[1]
        assert "Confirm your password" in (await ada.post(SETUP, on="/own-account", **entered))[1]

        await last_confirmed(api, timedelta())
        opened = opened_in((await ada.get(SETUP))[1])
        await last_confirmed(api, FORM_OPEN)
        _, page = await ada.post(f"{SETUP}/metadata", on="/own-account", opened=opened)
        assert "No metadata was given" in page and opened_in(page) == opened
        _, page = await ada.post(SETUP, on="/own-account", **entered, opened=opened)
        assert "Entity Id is missing" in page and opened_in(page) == opened


async def test_setup_saml_cannot_be_sent_with_the_proof_of_another_hour_session_or_key(api: Client) -> None:
    async with signed_in(api) as ada, signed_in(api, email="ben@x.org") as ben:
        caller = await caller_of_session(api.store, session_of(ada))
        assert caller is not None
        now, a_day = datetime.now(UTC), timedelta(days=1)
        late = await seal_opened_form(api.store, caller, now - FORM_OPEN)
        others = opened_in((await ben.get(SETUP))[1])
        mine = opened_in((await ada.get(SETUP))[1])
        later = f"{int((now + a_day).timestamp())}.{mine.partition('.')[2]}"
        await last_confirmed(api, CONFIRMED)

        for opened in ("", ".", mine.partition(".")[0], late, others, later):
            _, page = await ada.post(SETUP, on="/own-account", opened=opened)
            assert "Confirm your password" in page, opened
        assert "Confirm your password" not in (await ada.post(SETUP, on="/own-account", opened=mine))[1]


async def test_only_the_admin_who_keeps_a_password_confirms_with_it_while_sso_is_enforced(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    await providers.set_up(api.store, api.account.id, setup(provider))
    async with signed_in(api) as ada, signed_in(api, email="ben@x.org"):
        await providers.enforce(api.store, api.account.id, break_glass="ada@x.org")
        caller = await caller_of_session(api.store, session_of(ada))
        assert caller is not None
        ben_id = (await members.show(api.store, api.account, "ben@x.org"))["id"]

        with pytest.raises(LockstepError, match="only through your company"):
            await confirm(api.store, replace(caller, member_id=ben_id, user_name="ben@x.org"), PASSWORD)
        status, page = await ada.post("/confirm", on="/confirm", password=PASSWORD, next=KEYS)

    assert status == 200 and "<h1>API keys</h1>" in page


async def test_form_that_is_open_in_another_tab_can_be_sent_after_a_confirmation(api: Client) -> None:
    async with signed_in(api) as ada:
        token = await ada.token("/own-account")
        for _ in range(2):
            before = session_of(ada)
            await ada.post("/confirm", on="/confirm", password=PASSWORD, next=KEYS)
            assert session_of(ada) != before
            data, headers = {"csrf": token, "name": "Entra", "scope": "scim:read"}, {"Origin": ada.origin}
            async with ada.http.post(ada.origin + KEYS, data=data, headers=headers) as answer:
                assert "I have stored it" in await answer.text()


@pytest.mark.parametrize(
    ("shown", "back"),
    [
        ("/settings/api-keys/ID/roll", KEYS),
        (f"{SETUP}/metadata", SETUP),
        ("/settings/scim/users?saved=1", "/settings/scim"),
        ("/users/ID/role", "/users/ID"),
        ("/users?show=deleted", "/users?show=deleted"),
        ("/nosuch", "/"),
    ],
)
async def test_confirmation_leads_back_to_an_address_that_has_a_page(api: Client, shown: str, back: str) -> None:
    async with signed_in(api) as ada:
        await last_confirmed(api, CONFIRMED)
        headers = {"Origin": ada.origin, "Referer": ada.origin + shown}
        data = {"csrf": await ada.token("/own-account")}
        async with ada.http.post(ada.origin + KEYS, data=data, headers=headers, allow_redirects=False) as answer:
            assert answer.headers["Location"] == f"/confirm?next={quote(back, safe='')}"


async def test_session_of_the_provider_is_confirmed_only_by_a_new_proof_there(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    await providers.set_up(api.store, api.account.id, setup(provider))
    await api.user(ANNA, password=PASSWORD, roles=[{"value": "Admin", "primary": True}])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with visiting(api) as anna:
        await bring(anna, provider.response(ANNA, authenticated_at=yesterday))
        assert "Confirm who you are" in await create_key(anna)
        status, page = await anna.post("/confirm", on="/confirm", password=PASSWORD)
        assert status == 403 and "a password does not confirm who you are" in page
        assert "Confirm who you are" in await create_key(anna)

        asked = await _asked(anna, provider)
        assert asked.request.force_authn
        await bring(anna, provider.response(ANNA, asked=asked, authenticated_at=yesterday))
        assert "Confirm who you are" in await create_key(anna), "the provider did not ask again"

        _, _, path = await bring(anna, provider.response(ANNA, asked=await _asked(anna, provider)))
        assert path == KEYS
        assert "I have stored it" in await create_key(anna)


async def test_form_in_another_tab_outlasts_a_confirmation_at_the_provider_but_not_another_member(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    await providers.set_up(api.store, api.account.id, setup(provider))
    ben = "ben@contoso.example"
    for email in (ANNA, ben):
        await api.user(email, roles=[{"value": "Admin", "primary": True}])
    async with visiting(api) as browser:
        await bring(browser, provider.response(ANNA))
        token = await browser.token("/own-account")

        async def sent_from_the_tab() -> str:
            data, headers = {"csrf": token, "name": "Entra", "scope": "scim:read"}, {"Origin": browser.origin}
            async with browser.http.post(browser.origin + KEYS, data=data, headers=headers) as answer:
                return await answer.text()

        before = session_of(browser)
        await bring(browser, provider.response(ANNA, asked=await _asked(browser, provider)))
        assert session_of(browser) != before
        assert "I have stored it" in await sent_from_the_tab()

        await bring(browser, provider.response(ben))
        assert "The form belongs to another session" in await sent_from_the_tab()


async def _asked(visitor: Visitor, provider: Provider) -> Asked:
    return provider.asked_on((await visitor.post("/confirm/sso", on="/confirm", next=KEYS))[1])
