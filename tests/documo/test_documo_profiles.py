"""Recorded conversations of clients: each profile accepts what its client is known to send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documo.store import request_log as table
from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER, Client, Documo

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MICROSOFT_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


async def test_entra_without_the_flag(documo: Documo) -> None:
    api = await documo.client(profile="entra", patch_answer="resource")
    boss = await api.user("boss@x.org")
    created = await api.send(
        "POST",
        "/Users",
        {
            "schemas": [USER, ENTERPRISE], "externalId": "jyoung", "userName": "u4@x.org", "active": "True",
            "addresses": None, "displayName": "Given Family", "emails": [{"primary": True, "type": "work", "value": "u4@x.org"}],
            "meta": {"resourceType": "User"}, "name": {"formatted": "Given Family", "familyName": "Family"}, "roles": [], "title": None,
        },
    )  # fmt: skip
    user = f"/Users/{created.body['id']}"

    found = await api.find("externalId eq jyoung")
    missing = await api.find('userName eq "0190c1a0-7b2e-7000-8000-000000000000"')
    mail = await api.patch(
        user,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@x.org"},
        {"op": "Replace", "path": "name.familyName", "value": "Updated"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+46 1"},
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Editor"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss},
    )
    off = await api.patch(user, {"op": "Replace", "path": "active", "value": "False"})
    check = await api.find(f'id eq "{created.body["id"]}" and manager eq "{boss}"')
    read = (await api.get(user)).body

    assert created.status == 201 and created.body["active"] is True
    assert found.ids == [created.body["id"]] == check.ids
    assert (missing.status, missing.body["totalResults"], missing.body["Resources"]) == (200, 0, [])
    assert [mail.status, off.status] == [200, 200]
    assert read["active"] is False
    assert read["emails"] == [{"primary": True, "type": "work", "value": "new@x.org"}]
    assert read["phoneNumbers"] == [{"type": "mobile", "value": "+46 1"}]
    assert read["roles"] == [{"primary": True, "value": "Editor"}]
    assert read["name"]["familyName"] == "Updated" and read[ENTERPRISE]["manager"]["value"] == boss


async def test_entra_with_the_flag(documo: Documo) -> None:
    api = await documo.client(profile="entra", patch_answer="resource")
    user = await api.user("u@x.org", emails=[{"type": "work", "value": "u@x.org"}])

    merged = await api.patch(
        f"/Users/{user}",
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@x.org"},
        {
            "op": "replace",
            "value": {
                "displayName": "Bob",
                "name.givenName": "Bob",
                f"{ENTERPRISE}:department": "Sales",
                "active": False,
            },
        },
    )

    assert merged.status == 200
    body = merged.body
    assert (body["displayName"], body["name"]["givenName"], body["active"]) == ("Bob", "Bob", False)
    assert body[ENTERPRISE]["department"] == "Sales" and body["emails"][0]["value"] == "new@x.org"


@pytest.mark.parametrize("flag", [False, True], ids=["without the flag", "with the flag"])
async def test_entra_groups(documo: Documo, flag: bool) -> None:
    api = await documo.client(profile="entra")
    first, second = await api.user("a@x.org"), await api.user("b@x.org")
    created = await api.send(
        "POST",
        "/Groups",
        {
            "schemas": [GROUP, MICROSOFT_GROUP],
            "externalId": "8aa1a0c0",
            "displayName": "Sales",
            "meta": {"resourceType": "Group"},
        },
    )
    group = f"/Groups/{created.body['id']}"
    add, remove = ("add", "remove") if flag else ("Add", "Remove")

    for user in (first, second):
        added = await api.patch(group, {"op": add, "path": "members", "value": [{"$ref": None, "value": user}]})
        assert added.status in (200, 204)
    by_value = {"op": remove, "path": "members", "value": [{"$ref": None, "value": first}]}
    gone = {"op": remove, "path": f'members[value eq "{first}"]'} if flag else by_value
    removed = await api.patch(group, gone)
    lean = await api.send("GET", "/Groups", excludedAttributes="members", filter='displayName eq "sales"')

    assert created.status == 201 and created.body["members"] == []
    assert removed.status in (200, 204) and await api.member_ids(created.body["id"]) == {second}
    assert lean.ids == [created.body["id"]] and "members" not in lean.body["Resources"][0]


async def test_okta(documo: Documo) -> None:
    api = await documo.client(profile="okta")
    created = await api.send(
        "POST",
        "/Users",
        {
            "schemas": [USER], "userName": "o@x.org", "name": {"givenName": "O", "familyName": "K"}, "locale": "en-US",
            "emails": [{"primary": True, "value": "o@x.org", "type": "work"}], "displayName": "O K",
            "externalId": "00u1", "password": "1mz050nq!", "groups": [], "active": True,
        },
    )  # fmt: skip
    user = created.body["id"]
    put = await api.send("PUT", f"/Users/{user}", {**created.body, "active": False})
    off = await api.patch(f"/Users/{user}", {"op": "replace", "value": {"active": False}})
    again = await api.send("POST", "/Users", {"schemas": [USER], "userName": "o@x.org", "active": True})
    group = await api.group("Push", user)
    renamed = await api.patch(f"/Groups/{group}", {"op": "replace", "value": {"id": group, "displayName": "Pushed"}})
    removed = await api.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{user}"]'})

    assert [created.status, put.status, off.status] == [201, 200, 200]
    assert (again.status, again.body["id"]) == (201, user)
    assert renamed.status in (200, 204) and removed.status in (200, 204)
    assert await api.member_ids(group) == set()


async def test_onelogin_and_jumpcloud_envelopes(documo: Documo) -> None:
    for profile in ("onelogin", "jumpcloud"):
        api = await documo.client(profile.capitalize(), profile=profile)
        created = await api.send(
            "POST", "/Users", {"schemas": [USER], "userName": "a@x.org", "emails": [{"value": "a@x.org", "primary": True}]},
            headers={"Content-Type": "application/json; charset=utf-8"},
        )  # fmt: skip
        off = await api.patch(f"/Users/{created.body['id']}", {"op": "replace", "path": "active", "value": False})

        assert (created.status, off.status, off.body["active"]) == (201, 200, False), profile


async def test_a_strict_account_refuses_what_entra_sends(documo: Documo) -> None:
    api = await documo.client(profile="strict")
    user = await api.user("a@x.org")

    for operation in (
        {"op": "Replace", "path": "title", "value": "x"},
        {"op": "replace", "path": "active", "value": "False"},
        {"op": "replace", "value": {"name.givenName": "x"}},
    ):
        assert (await api.patch(f"/Users/{user}", operation)).status == 400


@pytest.mark.parametrize(
    ("profile", "status"), [("lenient", 200), ("entra", 200), ("onelogin", 200), ("jumpcloud", 200), ("strict", 404)]
)
async def test_lower_case_endpoints_are_those_of_the_resources(documo: Documo, profile: str, status: int) -> None:
    api = await documo.client(profile=profile)
    user = await api.user("a@x.org")

    for path in ("/users", "/groups", "/roles", "/me", f"/users/{user}"):
        assert (await api.get(path)).status == status, path
    for path in ("/schemas", "/resourcetypes", "/serviceproviderconfig", "/serviceConfiguration"):
        assert (await api.get(path)).status == 200, path
    bulk = {"schemas": [BULK], "Operations": [{"method": "DELETE", "path": f"/users/{user}"}]}
    reply = await api.send("POST", "/bulk", bulk)
    assert reply.status == status and (status != 200 or reply.body["Operations"][0]["status"] == "204")


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"profile": "lenient"}, 200),
        ({"profile": "okta"}, 200),
        ({"profile": "entra"}, 204),
        ({"profile": "entra", "patch_answer": "resource"}, 200),
        ({"profile": "entra", "patch_answer": "profile"}, 204),
        ({"profile": "lenient", "patch_answer": "nothing"}, 204),
    ],
)
async def test_a_patch_is_answered_as_the_profile_or_the_account_says(
    documo: Documo, settings: dict[str, Any], status: int
) -> None:
    api = await documo.client(**settings)
    user = await api.user("a@x.org")

    reply = await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "x"})
    wanted = await api.patch(f"/Users/{user}?attributes=title", {"op": "replace", "path": "title", "value": "y"})

    assert (reply.status, bool(reply.raw), reply.headers["ETag"]) == (status, status == 200, '"2"')
    assert (wanted.status, wanted.body["title"]) == (200, "y"), "who asks for attributes gets them"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ('emails[type eq "work"]', {"emails"}),
        ('emails[type eq "work"].value,userName', {"emails", "userName"}),
        ('userName, emails[value eq "a,b]\\"" and type eq \'x\'].value , title', {"userName", "emails", "title"}),
        (f'{ENTERPRISE}:department,addresses[type eq "work"].locality', {ENTERPRISE, "addresses"}),
        ("emails.value", {"emails"}),
    ],
)
async def test_value_paths_among_attributes_mean_the_attribute_under_entra(
    documo: Documo, asked: str, names: set[str]
) -> None:
    for profile in ("entra", "lenient", "strict", "okta"):
        api = await documo.client(profile, profile=profile)
        emails = [{"type": "work", "value": "a@x.org"}]
        user = await api.user(
            "a@x.org", title="T", emails=emails, addresses=[{"type": "work", "locality": "Ulm"}],
            **{ENTERPRISE: {"department": "Sales"}},
        )  # fmt: skip

        read = await api.get(f"/Users/{user}", attributes=asked)
        search = {"schemas": [SEARCH], "attributes": [asked], "filter": f'id eq "{user}"'}
        found = await api.send("POST", "/Users/.search", search)
        left = await api.get(f"/Users/{user}", excludedAttributes='emails[type eq "work"]')

        if "[" in asked and profile in ("strict", "okta"):
            assert (read.status, read.body["scimType"], left.status) == (400, "invalidValue", 400)
            continue
        assert set(read.body) - {"schemas", "id", "meta"} == names
        assert profile in ("strict", "okta") or "emails" not in left.body
        if "," not in asked:
            assert found.body["Resources"] == [read.body]


async def test_what_was_forgiven_is_in_the_request_log(documo: Documo) -> None:
    api = await documo.client(profile="entra")
    user = await api.user("a@x.org")
    body = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    await api.send("PATCH", f"/Users/{user}", body, headers={"User-Agent": "Azure AD Provisioning"})

    (entry,) = await logged_patches(api, 1)
    assert entry["client"] == "Entra" and entry["status"] == 204
    assert entry["tolerances"], "capitalised op and boolean as text were forgiven"


async def test_blank_after_an_op_and_yes_or_no_are_forgiven_and_logged(documo: Documo) -> None:
    api = await documo.client()
    user = f"/Users/{await api.user('a@x.org')}"

    off = await api.patch(user, {"op": "REPLACE ", "path": "active", "value": "No"})
    on = await api.patch(user, {"op": "REPLACE ", "path": "active", "value": "Yes"})

    assert (off.status, off.body["active"], on.status, on.body["active"]) == (200, False, 200, True)
    for entry in await logged_patches(api, 2):
        assert entry["tolerances"] == ["booleans_as_yes_or_no", "capitalised_ops", "padded_ops"]


async def test_path_as_a_json_pointer_is_forgiven_and_logged(documo: Documo) -> None:
    api, strict = await documo.client(), await documo.client("Strict", profile="strict")
    user, other = await api.user("a@x.org"), await strict.user("a@x.org")
    operations: list[dict[str, Any]] = [
        {"op": "replace", "path": "/name/givenName", "value": "Ann"},
        {"op": "replace", "path": "/active", "value": False},
    ]

    reply = await api.patch(f"/Users/{user}", *operations)
    refused = await strict.patch(f"/Users/{other}", *operations)

    assert (reply.status, reply.body["name"]["givenName"], reply.body["active"]) == (200, "Ann", False)
    assert (refused.status, refused.body["scimType"]) == (400, "invalidPath")
    (entry,), (strictly,) = await logged_patches(api, 1), await logged_patches(strict, 1)
    assert (entry["tolerances"], strictly["tolerances"]) == (["paths_as_pointers"], [])


async def logged_patches(api: Client, count: int) -> list[dict[str, Any]]:
    """Wait until the request log has *count* PATCH requests; the log is written after the answer."""
    async with asyncio.timeout(5):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                entries = await table.rows(connection, api.account.id)
            if len(found := [entry for entry in entries if entry["method"] == "PATCH"]) == count:
                return found
            await asyncio.sleep(0.02)
