"""Documo's pages: sign-in, users, account and API keys. Pages that manage the account are for Admins only."""

from __future__ import annotations

import re

import pytest

from documo import member_records, members
from documo.access import member_sign_in as sign_ins
from documo.access.sso.refreshing import MetadataReader
from documo.store.database import Store
from documo.web.app import pages_app
from documo.web.live import LiveRequests
from documo.web.sessions import COOKIE
from lockstep.http.outbound import OutboundRules
from lockstep.kit.pages import pages_in
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import PASSWORD, signed_in, visiting

ADMINS_ALONE = sorted(
    page.path.replace("{id}", "00000000-0000-7000-8000-000000000000")
    for page in pages_in("documo.web.pages")
    if page.path.startswith(("/users", "/settings"))
)


async def test_new_user_gets_a_link_sets_a_password_and_signs_in(api: Client) -> None:
    async with signed_in(api) as ada, visiting(api) as anna:
        status, page = await ada.post(
            "/users/new", email="anna@x.org", given_name="Anna", family_name="Berg", role="Editor", phone="+4912"
        )
        link = re.search(r"/links/[\w-]+", page)
        assert status == 200 and link is not None

        await anna.post(link[0], on=link[0], password=PASSWORD)
        assert "Anna Berg" in (await anna.get("/"))[1]
        await anna.post("/sign-out")
        assert "Sign in" in (await anna.get("/"))[1]
        status, home = await anna.post("/login", on="/login", email="ANNA@x.org", password=PASSWORD, next="/")
    assert status == 200 and "Editor" in home


@pytest.mark.parametrize("next_", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
async def test_signing_in_leads_to_no_other_server(api: Client, next_: str) -> None:
    await api.user("anna@x.org", password=PASSWORD)
    async with visiting(api) as anna:
        async with anna.http.post(
            f"{anna.origin}/login",
            data={"email": "anna@x.org", "password": PASSWORD, "next": next_},
            headers={"Origin": anna.origin},
            allow_redirects=False,
        ) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_signing_in_again_ends_the_session_that_the_browser_had(api: Client) -> None:
    await api.user("anna@x.org", password=PASSWORD)
    async with signed_in(api) as browser:
        before = next(one.value for one in browser.http.cookie_jar if one.key == COOKIE)
        await browser.post("/login", on="/login", email="anna@x.org", password=PASSWORD, next="/")

    assert await sign_ins.caller_of_session(api.store, before) is None


async def test_user_beyond_the_last_seat_is_refused_on_the_form(documo: Documo) -> None:
    api = await documo.client(seats=2)
    async with signed_in(api) as ada:  # with the account's own Admin, both seats are taken
        status, page = await ada.post("/users/new", email="anna@x.org", role="Member")

    assert (status, "No seat is free: the account has 2 seats" in page) == (409, True)
    assert (await api.find('userName eq "anna@x.org"')).ids == []


async def test_refused_sign_in_keeps_the_email_and_says_what_to_do(api: Client) -> None:
    async with visiting(api) as anna:
        status, page = await anna.post("/login", on="/login", email="<b>@x.org", password="wrong")

    assert status == 401
    assert "&lt;b&gt;@x.org" in page and "<b>" not in page
    assert "The email or the password is wrong" in page


@pytest.mark.parametrize(("email", "focused"), [("", "email"), ("anna@x.org", "password")])
async def test_sign_in_page_puts_the_cursor_into_the_field_that_is_empty(api: Client, email: str, focused: str) -> None:
    async with visiting(api) as anna:
        _, page = await anna.post("/login", on="/login", email=email, password="wrong")

    assert re.findall(r'<input[^>]* name="(\w+)"[^>]*autofocus', page) == [focused]


@pytest.mark.parametrize("path", ADMINS_ALONE)
async def test_only_an_admin_sees_or_changes_the_account(api: Client, path: str) -> None:
    async with signed_in(api, "Editor") as editor, visiting(api) as stranger:
        methods = {page.method for page in pages_in("documo.web.pages") if _fits(page.path, path)}
        for method in methods:
            status, page = await (editor.get(path) if method == "GET" else editor.post(path))
            assert (status, "Only an Admin" in page) == (403, True)
            _, page = await (stranger.get(path) if method == "GET" else stranger.post(path))
            assert "Sign in" in page or "did not come from a page" in page


def _fits(pattern: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path))


async def test_form_without_the_sessions_token_is_refused(api: Client) -> None:
    async with signed_in(api) as ada:
        async with ada.http.post(
            f"{ada.origin}/users/new", data={"email": "anna@x.org", "csrf": "AAAA"}, headers={"Origin": ada.origin}
        ) as answer:
            assert answer.status == 403
        async with ada.http.post(
            f"{ada.origin}/users/new", data={"email": "anna@x.org"}, headers={"Origin": "https://evil.example"}
        ) as answer:
            assert answer.status == 403

    assert (await api.find('userName eq "anna@x.org"')).ids == []


async def test_another_accounts_user_is_not_found(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    foreign = await beta.user("beta@x.org")
    async with signed_in(alpha) as ada:
        assert (await ada.get(f"/users/{foreign}"))[0] == 404
        assert (await ada.post(f"/users/{foreign}/deactivate"))[0] == 404
        assert "beta@x.org" not in (await ada.get("/users"))[1]


async def test_user_is_deactivated_activated_and_given_a_role_and_the_last_admin_stays(api: Client) -> None:
    user = await api.user("anna@x.org")
    async with signed_in(api) as ada:
        _, page = await ada.post(f"/users/{user}/deactivate")
        assert "Inactive" in page and "Managed by provisioning" in page
        await ada.post(f"/users/{user}/activate")
        await ada.post(f"/users/{user}/role", role="Editor")
        body = (await api.get(f"/Users/{user}")).body
        assert (body["active"], body["roles"][0]["value"]) == (True, "Editor")

        others = await members.list_members(api.store, api.account.id, default_role="", deleted=False)
        for other in others:
            if other.role == "Admin" and other.user_name != "ada@x.org":
                await members.disable(api.store, api.account, other.id)
        (me,) = [one.id for one in others if one.user_name == "ada@x.org"]
        status, page = await ada.post(f"/users/{me}/deactivate")
    assert (status, "the only active Admin" in page) == (409, True)


async def test_list_of_users_is_searched_and_paged_by_name(api: Client) -> None:
    for number in range(60):
        await members.add_member(
            api.store, api.account.id, f"p{number:02}@x.org", role="Member", given_name=f"Per{number:02}"
        )
    async with signed_in(api) as ada:
        _, first = await ada.get("/users")
        onward = re.search(r'rel="next" href="([^"]+)"', first)
        assert onward is not None
        _, second = await ada.get(onward[1].replace("&amp;", "&"))
        _, found = await ada.get("/users?search=per07")

    assert "p00@x.org" in first and "p59@x.org" not in first
    assert "p59@x.org" in second and "p00@x.org" not in second
    assert "p07@x.org" in found and "p08@x.org" not in found


async def test_users_are_found_by_any_part_of_their_name_in_every_state(api: Client) -> None:
    people = {
        "anna.berg@x.org": "Anna Berg", "ben_50%@x.org": "Ben", "carla@x.org": "Carla \\ Ångström", "dora@x.org": "Dora Berg",
    }  # fmt: skip
    for email, name in people.items():
        await api.user(email, displayName=name)
    await members.add_member(
        api.store, api.account.id, "eva@y.org", role="Member", given_name="Eva", family_name="Bergmann"
    )
    await member_records.delete_member(api.store, api.account, "dora@x.org")

    async def found(search: str, only: str = "") -> list[str]:
        rows = await members.find_members(api.store, api.account, search=search, only=only, after="", most=50)
        return [row.user_name for row in rows]

    assert await found("a Berg") == ["anna.berg@x.org", "eva@y.org"]
    assert await found("NA.BERG") == ["anna.berg@x.org"]
    assert await found("be") == ["anna.berg@x.org", "ben_50%@x.org", "eva@y.org"]
    assert await found("n_50%") == ["ben_50%@x.org"]
    assert await found("b_n") == await found("50%@%") == await found("org anna") == []
    assert await found("\\ ång") == ["carla@x.org"]
    assert await found("berg", "deleted") == ["dora@x.org"]


async def test_key_is_revealed_once_rolled_and_revoked(api: Client) -> None:
    here = "/settings/api-keys"
    async with signed_in(api) as ada:
        _, page = await ada.post(here, name="Entra", scope="scim:users", days="90")
        secret = re.search(r"dk_live_[0-9a-f]{64}", page)
        assert secret is not None and secret[0] not in (await ada.get(here))[1]
        key = re.findall(rf"{here}/([\w-]+)/revoke", (await ada.get(here))[1])[-1]

        _, rolled = await ada.post(f"{here}/{key}/roll", overlap="24")
        assert secret[0] not in rolled and re.search(r"dk_live_[0-9a-f]{64}", rolled)
        await ada.post(f"{here}/{key}/revoke", confirmation="Entra")

    reply = await api.send("GET", "/Users", headers={"Authorization": f"Bearer {secret[0]}"})
    assert reply.status == 401


async def test_account_page_has_the_addresses_to_copy(api: Client) -> None:
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/account")

    assert "SCIM Tenant URL" in page and f"{ada.origin}/scim/v2" in page


async def test_pages_carry_the_security_headers_and_are_not_stored(api: Client) -> None:
    async with signed_in(api) as ada, ada.http.get(f"{ada.origin}/users") as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_pages_are_found_without_a_list(store: Store) -> None:
    assert {"/login", "/users", "/settings/api-keys"} <= {
        getattr(route, "path", "")
        for route in pages_app(
            store, api_url="http://127.0.0.1", metadata=MetadataReader(store, OutboundRules()), live=LiveRequests(store)
        ).routes
    }
