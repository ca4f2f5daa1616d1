"""How people join, leave and return: soft delete, restore policy, seats, roles, undelete."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from documo import members
from documo.access.api_keys import create_key
from documo.accounts import change_account, checked_settings
from documo.store import members as table
from documo.tenant_schemas import Custom
from lockstep.errors import LockstepError
from tests.support.documo_client import GROUP, USER, Client, Documo


async def post(api: Client, name: str, **attributes: object) -> tuple[int, str]:
    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": name, **attributes})
    return reply.status, reply.body.get("id", reply.body.get("scimType"))


@pytest.mark.parametrize("leaves_by", ["delete", "deactivate"])
async def test_restore_policy_gives_a_returning_person_the_same_id(documo: Documo, leaves_by: str) -> None:
    api = await documo.client(restore_policy="restore")
    user = await api.user("anna@x.org", title="Old")
    await leave(api, user, leaves_by)

    status, again = await post(api, "Anna@x.org", title="New")

    body = (await api.get(f"/Users/{user}")).body
    assert (status, again) == (201, user)
    assert (body["title"], body["active"], body["userName"]) == ("New", True, "Anna@x.org")
    assert (await api.get("/Users", count="0")).body["totalResults"] == 2


@pytest.mark.parametrize("leaves_by", ["delete", "deactivate"])
async def test_conflict_policy_refuses_a_returning_person(documo: Documo, leaves_by: str) -> None:
    api = await documo.client(restore_policy="conflict")
    user = await api.user("anna@x.org")
    await leave(api, user, leaves_by)

    assert await post(api, "anna@x.org") == (409, "uniqueness")


async def test_new_policy_gives_a_deleted_person_a_new_id(documo: Documo) -> None:
    api = await documo.client(restore_policy="new")
    user = await api.user("anna@x.org")
    await leave(api, user, "delete")

    status, again = await post(api, "anna@x.org")

    assert status == 201 and again != user


@pytest.mark.parametrize("policy", ["restore", "conflict", "new"])
async def test_an_account_made_in_documo_is_never_taken_over(documo: Documo, policy: str) -> None:
    api = await documo.client(restore_policy=policy)
    local = await members.add_member(api.store, api.account.id, "local@x.org", role="Admin")
    await members.disable(api.store, api.account, "local@x.org")

    answer = await post(api, "local@x.org", title="Mine now")

    assert answer == (409, "uniqueness")
    assert "title" not in (await api.get(f"/Users/{local}")).body


async def leave(api: Client, user: str, how: str) -> None:
    if how == "delete":
        assert (await api.send("DELETE", f"/Users/{user}")).status == 204
    else:
        assert (await api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False})).status == 200


async def test_a_held_name_stays_taken_after_the_person_is_gone(documo: Documo) -> None:
    api = await documo.client(restore_policy="new", hold_names=True)
    await leave(api, await api.user("anna@x.org"), "delete")

    assert await post(api, "anna@x.org") == (409, "uniqueness")


async def test_a_held_name_is_not_given_to_another_member_by_a_change(documo: Documo) -> None:
    api = await documo.client(restore_policy="new", hold_names=True)
    await leave(api, await api.user("anna@x.org"), "delete")
    other = await api.user("bo@x.org")

    patched = await api.patch(f"/Users/{other}", {"op": "replace", "path": "userName", "value": "Anna@x.org"})
    put = await api.send("PUT", f"/Users/{other}", {"schemas": [USER], "userName": "anna@x.org"})
    itself = await api.patch(f"/Users/{other}", {"op": "replace", "path": "userName", "value": "BO@x.org"})

    assert (patched.status, put.status, itself.status) == (409, 409, 200)
    assert "The new userName belongs to another" in patched.body["detail"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "active"},
        {"op": "replace", "path": "active", "value": None},
        {"op": "replace", "value": {"active": None}},
    ],
)
async def test_member_who_is_disabled_stays_so_when_active_is_unassigned(
    api: Client, operation: dict[str, Any]
) -> None:
    user = await api.user("anna@x.org")
    await leave(api, user, "deactivate")

    reply = await api.patch(f"/Users/{user}", operation)

    later = await api.patch(f"/Users/{user}", {"op": "add", "path": "title", "value": "Head"})
    listed = await members.list_members(api.store, api.account.id, default_role="Member", deleted=False)
    assert (reply.status, "active" in reply.body, later.status) == (200, False, 200)
    assert [one.active for one in listed if one.id == user] == [False]
    assert (await api.patch(f"/Users/{user}", {"op": "add", "path": "active", "value": True})).body["active"] is True
    listed = await members.list_members(api.store, api.account.id, default_role="Member", deleted=False)
    assert [one.active for one in listed if one.id == user] == [True]


@pytest.mark.parametrize("profile", ["lenient", "strict", "okta"])
async def test_attributes_below_the_urn_of_the_core_schema_are_those_of_the_resource(
    documo: Documo, profile: str
) -> None:
    api = await documo.client(profile=profile)
    user = await api.user("anna@x.org")
    group = await api.group("Team")

    by_key = await api.patch(f"/Users/{user}", {"op": "replace", "value": {USER: {"title": "Head"}}})
    texts = {"op": "Replace", "value": {USER.lower(): {"active": "False"}}}
    if profile == "lenient":
        assert (await api.patch(f"/Users/{user}", texts)).body["active"] is False, "forgiven there as anywhere else"
    by_path = await api.patch(f"/Users/{user}", {"op": "add", "path": USER, "value": {"nickName": "Ann"}})
    members = await api.patch(f"/Groups/{group}", {"op": "add", "value": {GROUP: {"members": [{"value": user}]}}})

    assert [reply.status for reply in (by_key, by_path, members)] == [200, 200, 200]
    assert (by_path.body["title"], by_path.body["nickName"]) == ("Head", "Ann")
    assert await api.member_ids(group) == {user}


async def test_read_of_a_version_that_is_no_more_is_refused(api: Client) -> None:
    user = await api.user("anna@x.org")

    assert (await api.send("GET", f"/Users/{user}", headers={"If-Match": '"9"'})).status == 412
    assert (await api.send("GET", f"/Users/{user}", headers={"If-Match": '"1"'})).status == 200


async def test_undelete_brings_a_person_back_under_the_same_id(api: Client) -> None:
    user = await api.user("anna@x.org")
    await leave(api, user, "delete")

    await members.undelete(api.store, api.account.id, "ANNA@x.org", window_days=30)

    assert (await api.get(f"/Users/{user}")).body["userName"] == "anna@x.org"
    assert (await api.find('userName eq "anna@x.org"')).ids == [user]
    assert (await api.get("/Users", count="0")).body["totalResults"] == 2


async def found_members(api: Client, *who: str) -> list[str | None]:
    async with api.store.tenant(api.account.id) as connection:
        return [await table.find_member(connection, api.account.id, one) for one in who]


async def test_id_finds_its_member_and_never_another_one_who_is_called_like_it(api: Client) -> None:
    anna = await api.user("anna@x.org")
    called_so = await api.user(anna)

    assert await found_members(api, anna, called_so, "anna@x.org") == [anna, called_so, anna]
    await api.send("DELETE", f"/Users/{anna}")
    assert await found_members(api, anna, called_so) == [None, called_so]
    await api.send("DELETE", f"/Users/{called_so}")
    await members.undelete(api.store, api.account.id, anna, window_days=30)
    assert await found_members(api, anna, called_so) == [anna, None]


async def test_member_whose_user_name_reads_as_an_id_is_found_by_it(api: Client) -> None:
    name = "0190a0b0-0000-7000-8000-000000000001"
    user = await api.user(name)

    assert await found_members(api, name, user) == [user, user]


async def test_undelete_is_refused_when_the_window_is_over_or_the_name_taken(documo: Documo) -> None:
    api = await documo.client(restore_policy="new")
    user = await api.user("anna@x.org")
    await leave(api, user, "delete")
    await api.user("anna@x.org")

    with pytest.raises(LockstepError, match="now belongs to another"):
        await members.undelete(api.store, api.account.id, user, window_days=30)
    with pytest.raises(LockstepError, match="was deleted in the last"):
        await members.undelete(api.store, api.account.id, user, window_days=0)


async def test_seats_limit_active_members_also_under_parallel_creates(documo: Documo) -> None:
    api = await documo.client(seats=4)  # the admin takes one seat

    answers = await asyncio.gather(*(post(api, f"p{number}@x.org") for number in range(8)))
    inactive = await post(api, "late@x.org", active=False)
    activated = await api.patch(f"/Users/{inactive[1]}", {"op": "replace", "path": "active", "value": True})

    assert sorted(status for status, _ in answers) == [201] * 3 + [402] * 5
    assert (inactive[0], activated.status) == (201, 402)
    assert "seats" in activated.body["detail"]


async def test_existing_account_is_told_as_a_conflict_also_when_no_seat_is_free(documo: Documo) -> None:
    """A client that repeats a create whose answer was lost must learn that the account exists."""
    api = await documo.client(seats=2)

    made = await post(api, "anna@x.org")
    again, other = await post(api, "Anna@x.org"), await post(api, "ben@x.org")
    inactive = await post(api, "anna@x.org", active=False)

    assert [one[0] for one in (made, again, other, inactive)] == [201, 409, 402, 409]


@pytest.mark.parametrize("policy", ["restore", "new", "conflict"])
async def test_name_of_a_deleted_member_gets_no_seat_that_is_not_free(documo: Documo, policy: str) -> None:
    api = await documo.client(seats=2, restore_policy=policy)
    await leave(api, await api.user("anna@x.org"), "delete")
    await api.user("ben@x.org")

    answer = await post(api, "anna@x.org")

    assert answer[0] == (409 if policy == "conflict" else 402)


async def test_roles_are_known_by_value_or_display_name_in_any_case(api: Client) -> None:
    role = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Role"],
        "value": "billing",
        "display": "Billing Manager",
        "supported": True,
    }
    assert (await api.send("POST", "/Roles", role)).status == 201
    for number, given in enumerate(("EDITOR", "Billing manager", "nonsense", None)):
        roles = [{"value": given, "primary": True}] if given else []
        await post(api, f"p{number}@x.org", roles=roles)

    listed = await members.list_members(api.store, api.account.id, default_role="Member", deleted=False)

    assert [member.role for member in listed] == ["Admin", "Editor", "billing", "Member", "Member"]


async def test_a_role_given_through_the_filtered_path_is_created_and_shown_as_sent(api: Client) -> None:
    user = await api.user("anna@x.org")

    reply = await api.patch(
        f"/Users/{user}", {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "editor"}
    )

    assert reply.body["roles"] == [{"primary": True, "value": "editor"}]


async def test_the_default_role_counts_but_is_not_shown_and_clearing_roles_stays_clear(api: Client) -> None:
    user = await api.user("anna@x.org")
    primary = 'roles[primary eq "True"].value'
    given = await api.patch(f"/Users/{user}", {"op": "Add", "path": primary, "value": "Editor"})
    cleared = await api.patch(f"/Users/{user}", {"op": "Replace", "path": "roles", "value": []})
    again = await api.patch(f"/Users/{user}", {"op": "Replace", "path": "roles", "value": []})

    await change_account(api.store, "Contoso", {"default_role": "Viewer"})

    shown = await api.get(f"/Users/{user}")
    listed = await members.list_members(api.store, api.account.id, default_role="Viewer", deleted=False)
    assert [entry["value"] for entry in given.body["roles"]] == ["Editor"]
    assert "roles" not in cleared.body and "roles" not in shown.body
    assert cleared.headers["ETag"] == again.headers["ETag"] == shown.headers["ETag"] != given.headers["ETag"]
    assert (await api.find('roles.value eq "Viewer"')).ids == [] == (await api.find('roles.value eq "Member"')).ids
    assert [member.role for member in listed if member.id == user] == ["Viewer"]


async def test_the_role_admin_cannot_be_removed_over_scim(api: Client) -> None:
    roles = (await api.get("/Roles")).body["Resources"]
    admin = next(role["id"] for role in roles if role["value"] == "Admin")

    assert (await api.send("DELETE", f"/Roles/{admin}")).status == 403


async def test_an_account_has_its_own_schemas(documo: Documo) -> None:
    api, other = await documo.client("Alpha"), await documo.client("Beta")
    urn = "urn:alpha:params:scim:schemas:Badge"
    schema = {
        "id": urn,
        "name": "Badge",
        "attributes": [{"name": "badgeNumber", "type": "string", "multiValued": False}],
    }
    await change_account(
        api.store,
        "Alpha",
        {"custom": Custom.of([schema], [], [{"resource": "User", "schema": urn, "required": False}])},
    )

    async def is_known() -> bool:
        return (await api.get(f"/Schemas/{urn}")).status == 200

    async with asyncio.timeout(5):
        while not await is_known():
            await asyncio.sleep(0.01)
    user = await api.user("anna@x.org", **{urn: {"badgeNumber": "B-7"}})

    assert (await api.find(f'{urn}:badgeNumber eq "b-7"')).ids == [user]
    assert (await other.get(f"/Schemas/{urn}")).status == 404
    assert urn not in str((await other.get("/ResourceTypes")).body)


DEVICE = {
    "id": "urn:x:Device",
    "name": "Device",
    "attributes": [{"name": "serial", "type": "string", "uniqueness": "server"}],
}
TYPE = {"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device"}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "must be a JSON object"),
        ({"schemas": 5}, "schemas must be a list"),
        ({"extensions": ["x"]}, "names a resource and a schema"),
        ({"extensions": [{}]}, "names a resource and a schema"),
        ({"bogus": 1}, "unknown key 'bogus'"),
        ({"schemas": [DEVICE], "resourceTypes": [{**TYPE, "endpoint": "/Me"}]}, "is reserved by the protocol"),
        (
            {"schemas": [{**DEVICE, "attributes": [{"name": "id", "type": "string"}]}]},
            "id is an attribute of every resource",
        ),
        ({"schemas": [DEVICE]}, "serial cannot be unique"),
    ],
)
def test_schemas_that_cannot_be_served_as_they_say_are_refused(document: Any, sentence: str) -> None:
    with pytest.raises(LockstepError, match=sentence):
        checked_settings({"custom": Custom.read(document)})


def test_a_resource_type_of_ones_own_may_have_one_unique_text() -> None:
    assert checked_settings({"custom": Custom.read({"schemas": [DEVICE], "resourceTypes": [TYPE]})})


@pytest.mark.parametrize("profile", ["strict", "lenient", "entra"])
async def test_the_only_admin_cannot_be_disabled_demoted_or_deleted_over_scim(documo: Documo, profile: str) -> None:
    api = await documo.client(profile=profile)
    me = f"/Users/{(await api.get('/Me')).body['id']}"
    name = (await api.get(me)).body["userName"]

    replies = [
        await api.patch(me, {"op": "replace", "path": "active", "value": False}),
        await api.patch(me, {"op": "replace", "path": "roles", "value": [{"value": "Viewer", "primary": True}]}),
        await api.patch(me, {"op": "remove", "path": "roles"}),
        await api.send("PUT", me, {"schemas": [USER], "userName": name}),
        await api.send("DELETE", me),
    ]

    assert [(reply.status, reply.body["scimType"]) for reply in replies] == [(400, "mutability")] * 5
    assert "only active Admin" in replies[0].body["detail"] and name in replies[0].body["detail"]
    assert (await api.patch(me, {"op": "replace", "path": "title", "value": "Head"})).status in (200, 204)
    await members.add_member(api.store, api.account.id, "second@x.org", role="Admin")
    assert (await api.send("DELETE", me)).status == 204


async def test_of_two_admins_who_are_disabled_at_once_one_stays(documo: Documo) -> None:
    for number in range(5):
        api = await documo.client(f"Account{number}")
        await members.add_member(api.store, api.account.id, "second@x.org", role="Admin")
        users = (await api.get("/Users")).ids

        replies = await asyncio.gather(
            *(api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False}) for user in users)
        )

        listed = await members.list_members(api.store, api.account.id, default_role="Member", deleted=False)
        assert [one.active for one in listed].count(True) == 1, [reply.status for reply in replies]


async def test_a_deleted_admin_comes_back_with_his_role_and_gets_a_new_key(documo: Documo) -> None:
    api = await documo.client()
    await members.add_member(api.store, api.account.id, "second@x.org", role="Admin")
    (second,) = (await api.find('userName eq "second@x.org"')).ids
    await api.send("DELETE", f"/Users/{second}")

    await members.undelete(api.store, api.account.id, "second@x.org", window_days=30)

    made = await create_key(api.store, api.account.id, member="second@x.org")
    assert (await replace(api, token=made.secret).get(f"/Users/{second}")).body["roles"][0]["value"] == "Admin"


async def test_a_member_made_by_hand_is_matched_changed_and_disabled_by_provisioning(api: Client) -> None:
    await members.add_member(api.store, api.account.id, "bo@x.org", role="Editor")
    (bo,) = (await api.find('userName eq "BO@x.org"')).ids

    taken = await api.send("POST", "/Users", {"schemas": [USER], "userName": "bo@x.org"})
    changed = await api.patch(f"/Users/{bo}", {"op": "replace", "path": "externalId", "value": "e1"})
    disabled = await api.patch(f"/Users/{bo}", {"op": "replace", "path": "active", "value": False})
    again = await api.send("POST", "/Users", {"schemas": [USER], "userName": "bo@x.org"})

    listed = await members.list_members(api.store, api.account.id, default_role="Member", deleted=False)
    assert (taken.status, changed.status, disabled.status) == (409, 200, 200)
    assert again.status == 409, "a create never takes over what was made by hand"
    assert [(one.source, one.active, one.role) for one in listed if one.id == bo] == [("local", False, "Editor")]
