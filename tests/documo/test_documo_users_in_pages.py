"""Users in Documo's pages: filters, profile, deletion, sessions; who manages a member, and what may then be changed by hand."""

from __future__ import annotations

import re

import pytest

from documo import member_records, members
from documo.access import api_keys, own_sign_in
from documo.access import member_sign_in as sign_ins
from documo.member_records import MemberDetails
from lockstep.errors import LockstepError
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import PASSWORD, signed_in, visiting

ANNA = MemberDetails("anna@x.org", "Anna", "Berg", "+49 12")


async def test_user_who_is_given_a_password_needs_no_link(api: Client) -> None:
    async with signed_in(api) as ada, visiting(api) as anna:
        await ada.post("/users/new", email="anna@x.org", role="Member", password=PASSWORD)
        _, home = await anna.post("/login", on="/login", email="anna@x.org", password=PASSWORD, next="/")

    assert "Signed in" in home or "anna@x.org" in home


async def test_user_with_a_password_that_may_not_be_used_is_not_created(api: Client) -> None:
    async with signed_in(api) as ada:
        status, page = await ada.post("/users/new", email="anna@x.org", role="Member", password="short")

    assert (status, "shorter than 12" in page, "anna@x.org" in page) == (400, True, True)
    assert "short" not in re.findall(r'type="password" value="([^"]*)"', page)
    assert (await api.find('userName eq "anna@x.org"')).ids == []


async def test_list_shows_the_key_that_provisions_and_the_last_sign_in(api: Client) -> None:
    await api_keys.create_key(api.store, api.account.id, name="unused")
    await api.user("anna@x.org", password=PASSWORD)
    await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
    async with signed_in(api) as ada:
        _, page = await ada.get("/users?search=anna")

    row = page[page.index("anna@x.org") :]
    assert "SCIM</span>" in row and "by key" in row
    assert "<time" in row


async def test_filters_of_the_list_are_combined(api: Client) -> None:
    await api.user("scim@x.org", roles=[{"value": "Editor"}])
    for role in ("Editor", "Member"):
        await members.add_member(api.store, api.account.id, f"{role.lower()}@x.org", role=role)
    async with signed_in(api) as ada:
        _, page = await ada.get("/users?role=Editor&source=local&show=active")
        _, none = await ada.get("/users?role=Viewer")
        _, odd = await ada.get("/users?role=%3Cscript%3E&source=moon&show=eclipse")

    assert "editor@x.org" in page and "scim@x.org" not in page and "member@x.org" not in page
    assert "No users match these filters" in none
    assert "scim@x.org" in odd and "<script>" not in odd


async def test_profile_that_the_directory_writes_is_read_only_with_the_reason(api: Client) -> None:
    user = await api.user("anna@x.org", name={"givenName": "Anna"})
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/users/{user}")
        status, refused = await ada.post(
            f"/users/{user}/details", email="anna@x.org", given_name="Eve", family_name="", phone=""
        )

    assert "Managed by provisioning" in page and page.count("readonly") == 4
    assert (status, "Your directory writes the email, name and phone of anna@x.org" in refused) == (409, True)
    assert (await api.get(f"/Users/{user}")).body["name"] == {"givenName": "Anna"}


async def test_member_made_by_hand_becomes_managed_with_the_first_change_over_scim(api: Client) -> None:
    user = await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")
    _, before = await member_records.details_of(api.store, api.account, user)
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Boss"})
    _, after = await member_records.details_of(api.store, api.account, user)

    assert (before.is_managed, after.is_managed, after.is_read_only, after.key) == (False, True, True, "key")


async def test_profile_may_be_changed_again_once_no_key_can_provision(api: Client) -> None:
    user = await api.user("anna@x.org", name={"givenName": "Anna"})
    for key in await api_keys.list_keys(api.store, api.account.id):
        await api_keys.revoke_key(api.store, api.account.id, key.id)

    await member_records.change_details(api.store, api.account, user, ANNA)

    details, management = await member_records.details_of(api.store, api.account, user)
    assert (details, management.is_managed, management.is_read_only) == (ANNA, True, False)


async def test_changed_profile_is_what_scim_clients_find(api: Client) -> None:
    user = await members.add_member(
        api.store, api.account.id, "anna@x.org", role="Member", given_name="Anna", phone="1"
    )
    async with signed_in(api) as ada:
        await ada.post(
            f"/users/{user}/details", email="anna.berg@x.org", given_name="Anna", family_name="Berg", phone="2"
        )

    assert (await api.find('userName eq "ANNA.BERG@x.org"')).ids == [user]
    assert (await api.find('name.familyName eq "berg"')).ids == [user]
    assert (await api.find('userName eq "anna@x.org"')).ids == []
    body = (await api.get(f"/Users/{user}")).body
    assert body["emails"] == [{"value": "anna.berg@x.org", "type": "work", "primary": True}]
    assert body["phoneNumbers"] == [{"value": "2", "type": "work"}]


async def test_change_of_a_profile_keeps_what_the_page_does_not_show() -> None:
    document = {
        "userName": "anna@x.org",
        "displayName": "Anna B",
        "title": "Boss",
        "name": {"givenName": "Anna", "middleName": "Q", "formatted": "Anna Q B"},
        "emails": [{"value": "other@x.org"}, {"value": "anna@x.org", "primary": True}],
        "phoneNumbers": [{"value": "1", "type": "mobile"}],
    }

    after = member_records.changed(document, MemberDetails("a@x.org", "Eve", "", ""))

    assert after == {
        "userName": "a@x.org",
        "displayName": "Eve",
        "title": "Boss",
        "name": {"givenName": "Eve", "middleName": "Q"},
        "emails": [{"value": "other@x.org"}, {"value": "a@x.org", "primary": True}],
    }


async def test_email_of_another_member_is_refused(api: Client) -> None:
    await members.add_member(api.store, api.account.id, "eve@x.org", role="Member")
    user = await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")

    with pytest.raises(LockstepError, match="already exists"):
        await member_records.change_details(api.store, api.account, user, MemberDetails("EVE@x.org", "", "", ""))


async def test_user_is_deleted_by_typing_the_email_and_restored(api: Client) -> None:
    user = await api.user("anna+1@x.org", password=PASSWORD)
    session = await sign_ins.sign_in(api.store, "anna+1@x.org", PASSWORD)
    async with signed_in(api) as ada:
        status, page = await ada.post(f"/users/{user}/delete", confirmation="anna")
        assert (status, "Nothing was deleted" in page) == (409, True)
        assert r'pattern="\s*anna\+1@x\.org\s*"' in page
        _, deleted = await ada.post(f"/users/{user}/delete", confirmation="anna+1@x.org")
        assert "anna+1@x.org" in deleted and "Undelete" in deleted
        assert await sign_ins.caller_of_session(api.store, session.secret) is None
        assert (await api.get(f"/Users/{user}")).status == 404
        await ada.post(f"/users/{user}/undelete")

    assert (await api.get(f"/Users/{user}")).status == 200
    assert (await api.get("/Users")).body["totalResults"] == 3


async def test_only_admin_is_not_deleted(documo: Documo) -> None:
    api = await documo.client()
    with pytest.raises(LockstepError, match="the only active Admin"):
        await member_records.delete_member(api.store, api.account, "admin@contoso.example")


async def test_admin_sees_and_ends_the_sessions_of_a_user(api: Client) -> None:
    user = await api.user("anna@x.org", password=PASSWORD)
    first = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, device="<b>Firefox", address="192.0.2.7")
    second = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, device="Chromium", address="192.0.2.8")
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/users/{user}")
        assert "&lt;b&gt;Firefox" in page and "192.0.2.7" in page
        one = (await own_sign_in.sessions_of(api.store, api.account, user))[-1]
        await ada.post(f"/users/{user}/sessions/end", session=one.id)
        assert await sign_ins.caller_of_session(api.store, first.secret) is None
        assert await sign_ins.caller_of_session(api.store, second.secret) is not None
        await ada.post(f"/users/{user}/sessions/end")

    assert await sign_ins.caller_of_session(api.store, second.secret) is None


async def test_sessions_of_another_accounts_user_stay(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    foreign = await beta.user("anna@x.org", password=PASSWORD)
    session = await sign_ins.sign_in(beta.store, "anna@x.org", PASSWORD)
    async with signed_in(alpha) as ada:
        status, _ = await ada.post(f"/users/{foreign}/sessions/end")

    assert status == 404
    assert await sign_ins.caller_of_session(beta.store, session.secret) is not None


async def test_names_that_are_markup_are_shown_as_text(api: Client) -> None:
    script = "<script>alert(1)</script>"
    user = await api.user("anna@x.org", displayName=script, title=script)
    async with signed_in(api) as ada:
        await ada.post("/settings/api-keys", name=script, scope="scim:read")
        pages = [await ada.get(path) for path in ("/users", f"/users/{user}", "/settings/api-keys")]

    for _, page in pages:
        assert script not in page and "&lt;script&gt;" in page
