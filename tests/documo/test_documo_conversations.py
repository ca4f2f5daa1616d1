"""Requests that clients send after the connection test: unusual bodies, corrections, leavers. Each gets the response that its sender
expects.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER, Client, Documo

ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


async def patched(api: Client, user: str, *operations: dict[str, Any]) -> Any:
    """The user after a PATCH, which must succeed."""
    reply = await api.patch(f"/Users/{user}", *operations)
    assert reply.status in (200, 204), reply.raw
    return (await api.get(f"/Users/{user}")).body


@pytest.fixture
async def entra(documo: Documo) -> Client:
    return await documo.client(profile="entra", patch_answer="resource")


@pytest.mark.parametrize("path", ["manager", f"{ENTERPRISE}:manager", f"{ENTERPRISE}.manager"])
@pytest.mark.parametrize("shape", ["text", "object", "list"])
async def test_manager_is_set_by_any_shape_and_path(entra: Client, path: str, shape: str) -> None:
    boss, user = await entra.user("boss@x.org"), await entra.user("u@x.org")
    value = {"text": boss, "object": {"value": boss}, "list": [{"$ref": f"../Users/{boss}", "value": boss}]}[shape]

    body = await patched(entra, user, {"op": "Add", "path": path, "value": value})

    assert body[ENTERPRISE]["manager"]["value"] == boss


@pytest.mark.parametrize(
    "clearing",
    [
        {"op": "Remove", "path": f"{ENTERPRISE}:manager"},
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ""},
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": None},
        {"op": "replace", "value": {f"{ENTERPRISE}:manager": ""}},
    ],
    ids=["remove", "empty text", "null", "path-less"],
)
async def test_manager_is_cleared_in_every_way(entra: Client, clearing: dict[str, Any]) -> None:
    boss = await entra.user("boss@x.org")
    user = await entra.user("u@x.org", **{ENTERPRISE: {"manager": {"value": boss}, "department": "Sales"}})

    body = await patched(entra, user, clearing)

    assert body[ENTERPRISE] == {"department": "Sales"}


async def test_a_role_in_a_text_of_json_is_read_twice(entra: Client) -> None:
    user = await entra.user("u@x.org")
    role = orjson.dumps({"id": "18d1", "value": "Viewer", "displayName": "Viewer"}).decode()

    body = await patched(entra, user, {"op": "Add", "path": "roles", "value": [{"value": role}]})

    assert [entry["value"] for entry in body["roles"]] == ["Viewer"]


async def test_a_new_address_keeps_the_others(entra: Client) -> None:
    user = await entra.user("u@x.org", emails=[{"type": "home", "value": "h@x.org"}], title="Engineer")

    body = await patched(
        entra,
        user,
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "w@x.org"},
        {"op": "Add", "path": 'addresses[type eq "work"].locality', "value": "Göteborg"},
        {"op": "Replace", "path": 'addresses[type eq "work"].country', "value": "SE"},
        {"op": "Remove", "path": "title"},
    )

    assert body["emails"] == [{"type": "home", "value": "h@x.org"}, {"type": "work", "value": "w@x.org"}]
    assert body["addresses"] == [{"type": "work", "locality": "Göteborg", "country": "SE"}]
    assert "title" not in body


async def test_a_value_is_emptied_by_empty_text_and_by_null(entra: Client) -> None:
    user = await entra.user("u@x.org", nickName="nick", title="Engineer", name={"givenName": "A", "familyName": "B"})

    body = await patched(
        entra,
        user,
        {"op": "Replace", "path": "nickName", "value": None},
        {"op": "Replace", "path": "title", "value": ""},
        {"op": "Replace", "path": "name.givenName", "value": None},
    )

    assert "nickName" not in body and not body.get("title") and body["name"] == {"familyName": "B"}


async def test_explicit_nulls_and_empty_lists_are_as_good_as_absent(entra: Client) -> None:
    body = {
        "schemas": [USER, ENTERPRISE], "userName": "n@x.org", "active": "False", "addresses": None, "emails": [], "name": None,
        "phoneNumbers": None, "roles": [], "title": None, ENTERPRISE: {"department": None, "manager": None},
    }  # fmt: skip

    created = await entra.send("POST", "/Users", body)

    assert (created.status, created.body["active"]) == (201, False)
    assert not {"addresses", "emails", "name", "phoneNumbers", "title"} & {k for k, v in created.body.items() if v}


async def test_a_second_delete_answers_404_in_the_form_of_the_protocol(entra: Client) -> None:
    user, group = await entra.user("u@x.org"), await entra.group("Sales")

    for path in (f"/Users/{user}", f"/Groups/{group}"):
        first, second = await entra.send("DELETE", path), await entra.send("DELETE", path)
        assert (first.status, first.raw, second.status, second.body["status"]) == (204, b"", 404, "404")
        assert (await entra.get(path)).status == 404


async def test_a_group_of_entra_lives_from_create_to_delete(entra: Client) -> None:
    user = await entra.user("u@x.org")
    created = await entra.send(
        "POST", "/Groups", {"schemas": [GROUP, ADSCIM], "externalId": "e-1", "displayName": "Sales", "members": None}
    )
    group = f"/Groups/{created.body['id']}"

    renamed = await entra.patch(group, {"op": "Replace", "path": "displayName", "value": "Sales EMEA"})
    added = await entra.patch(group, {"op": "Add", "path": "members", "value": [{"$ref": None, "value": user}]})
    member = await entra.find(f'id eq "{created.body["id"]}" and members eq "{user}"', "/Groups")
    lean = await entra.get(group, excludedAttributes="members")
    removed = await entra.patch(group, {"op": "Remove", "path": "members", "value": [{"value": user}]})

    assert {renamed.status, added.status, removed.status} <= {200, 204}
    assert member.ids == [created.body["id"]]
    assert (lean.body["displayName"], "members" in lean.body) == ("Sales EMEA", False)
    assert await entra.member_ids(created.body["id"]) == set()
    assert (await entra.send("DELETE", group)).status == 204


async def test_probes_of_test_connection_are_empty_lists(entra: Client) -> None:
    for path, question in (
        ("/Users", 'userName eq "a7f2-nobody"'),
        ("/Users", 'id eq "no-such-id" and manager eq "nobody"'),
        ("/Groups", 'displayName eq "a7f2-nobody"'),
        ("/Groups", 'id eq "no-such-id" and members eq "nobody"'),
    ):
        reply = await entra.find(question, path)
        assert (reply.status, reply.body["totalResults"], reply.body["Resources"]) == (200, 0, []), question


async def test_okta_reactivates_with_put_and_keeps_the_id(documo: Documo) -> None:
    api = await documo.client(profile="okta")
    user = await api.user("o@x.org", externalId="00u1", name={"givenName": "O", "familyName": "K"})
    whole = (await api.get(f"/Users/{user}")).body

    off = await api.send("PUT", f"/Users/{user}", {**whole, "active": False})
    found = await api.find('userName eq "o@x.org"')
    back = await api.send("PUT", f"/Users/{user}", {**found.body["Resources"][0], "active": True})

    assert (off.status, off.body["active"], back.status, back.body["active"], back.body["id"]) == (
        200,
        False,
        200,
        True,
        user,
    )


async def test_okta_pushes_a_group_whole(documo: Documo) -> None:
    api = await documo.client(profile="okta")
    people = [await api.user(f"p{number}@x.org") for number in range(3)]
    group = await api.group("Push", *people[:2])
    members = [{"value": people[1], "display": "p1@x.org"}, {"value": people[2], "display": "p2@x.org"}]

    whole = {"op": "replace", "path": "members", "value": members}
    replaced = await api.patch(
        f"/Groups/{group}", whole, {"op": "replace", "value": {"id": group, "displayName": "P2"}}
    )

    assert replaced.status in (200, 204)
    assert await api.member_ids(group) == set(people[1:])


async def test_onelogin_sends_emails_as_one_object(documo: Documo) -> None:
    api = await documo.client(profile="onelogin")

    created = await api.send(
        "POST", "/Users", {"schemas": [USER], "userName": "a@x.org", "emails": {"value": "a@x.org", "primary": True}}
    )

    assert (created.status, created.body["emails"]) == (201, [{"value": "a@x.org", "primary": True}])


async def test_jumpcloud_and_google_replace_without_a_path(documo: Documo) -> None:
    for profile in ("jumpcloud", "google"):
        api = await documo.client(profile.capitalize(), profile=profile)
        user = await api.user("j@x.org", name={"givenName": "J", "familyName": "C"})

        body = await patched(api, user, {"op": "replace", "value": {"active": False, "name": {"familyName": "Cloud"}}})

        assert (body["active"], body["name"]) == (False, {"givenName": "J", "familyName": "Cloud"}), profile


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/scim+json;charset=utf-8", "application/json; charset=UTF-8", ""]
)
async def test_media_types_in_use_are_taken(api: Client, media_type: str) -> None:
    body = {"schemas": [USER], "userName": "m@x.org"}

    reply = await api.send("POST", "/Users", body, headers={"Content-Type": media_type})

    assert reply.status == 201 and reply.headers["Content-Type"].startswith("application/scim+json")


@pytest.mark.parametrize("profile", ["lenient", "entra", "okta", "onelogin", "jumpcloud", "google"])
async def test_no_profile_clears_a_group_when_one_member_is_removed(documo: Documo, profile: str) -> None:
    api = await documo.client(profile=profile)
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(4)))
    group = await api.group("Sales", *people)

    forms = (
        {"op": "Remove", "path": "members", "value": [{"value": people[0]}]},
        {"op": "remove", "path": f'members[value eq "{people[1]}"]'},
        {"op": "remove", "path": "members", "value": {"value": people[2]}},
    )
    replies = [await api.patch(f"/Groups/{group}", form) for form in forms]

    done = {person for person, reply in zip(people, replies, strict=False) if reply.status in (200, 204)}
    assert all(reply.status in (200, 204, 400) for reply in replies) and people[1] in done
    assert await api.member_ids(group) == set(people) - done


async def test_a_patch_without_schemas_is_forgiven_but_not_one_without_operations(entra: Client) -> None:
    user = await entra.user("u@x.org")
    operation = {"op": "Replace", "path": "title", "value": "x"}

    without_schemas = await entra.send("PATCH", f"/Users/{user}", {"Operations": [operation]})
    without_operations = await entra.send("PATCH", f"/Users/{user}", {"schemas": [PATCH]})

    assert (without_schemas.status, without_operations.status) == (200, 400)
