"""Checks of the requests that Okta sends: paged searches, PUT of whole profiles, PATCH without a path, and groups with members."""

from __future__ import annotations

from lockstep.targets.conformance.catalogue import EmulatedClient, check
from lockstep.targets.conformance.conversation import GROUP, USER, Conversation, must_be, should

OKTA = EmulatedClient.OKTA


@check("O1", "a search by user name returns a page", OKTA)
async def search(c: Conversation) -> None:
    _, user = await c.new_user()
    reply = await c.get("/Users", plus=False, filter=f'userName eq "{user["userName"]}"', startIndex="1", count="100")
    must_be([one.get("id") for one in reply.listed()], [user["id"]], "the search result")
    should(reply.body.get("startIndex") == 1, "startIndex is not in the response")


@check("O2", "an account is created from Okta's body, and its password is not returned", OKTA)
async def create_one(c: Conversation) -> None:
    name = c.new_name()
    body = {
        "schemas": [USER],
        "userName": name,
        "name": {"givenName": "Anna", "familyName": "Lind"},
        "emails": [{"primary": True, "value": name, "type": "work"}],
        "displayName": "Anna Lind",
        "locale": "en-US",
        "externalId": name,
        "groups": [],
        "password": f"Pw-1-{name}",
        "active": True,
    }
    user = (await c.send("POST", "/Users", body)).must_be(201).resource()
    must_be(user.get("password"), None, "the password in the response")
    must_be(user.get("active"), True, "active")


@check("O3", "a whole profile is replaced with PUT", OKTA)
async def replace_one(c: Conversation) -> None:
    path, user = await c.new_user(title="Tester", name={"givenName": "Anna", "familyName": "Lind"})
    body = {
        "schemas": [USER],
        "id": user["id"],
        "userName": user["userName"],
        "name": {"givenName": "Anna", "familyName": "Berg"},
        "emails": [{"primary": True, "value": user["userName"], "type": "work"}],
        "active": True,
        "groups": [],
        "meta": {"resourceType": "User"},
    }
    (await c.send("PUT", path, body)).must_be(200).resource()
    now = await c.read(path)
    must_be(now.get("name", {}).get("familyName"), "Berg", "name.familyName")
    must_be(now["id"], user["id"], "id")
    should(now.get("title") is None, "PUT kept an attribute that was not in the body (RFC 7644, 3.5.1)")


@check("O4", "an account is disabled with a PATCH without path", OKTA)
async def disable(c: Conversation) -> None:
    path, _ = await c.new_user()
    await c.patch(path, {"op": "replace", "value": {"active": False}})
    must_be((await c.read(path)).get("active"), False, "active")
    await c.patch(path, {"op": "replace", "value": {"active": True}})
    must_be((await c.read(path)).get("active"), True, "active after re-enabling it")


@check("O5", "a group is created with its members", OKTA, needs_groups=True)
async def create_group(c: Conversation) -> None:
    _, user = await c.new_user()
    members = [{"value": user["id"], "display": user["userName"]}]
    path, _ = await c.new_group(schemas=[GROUP], members=members)
    must_be([one.get("value") for one in (await c.read(path)).get("members") or ()], [user["id"]], "the members")


@check("O6", "a group is renamed with a PATCH without path", OKTA, needs_groups=True)
async def rename_group(c: Conversation) -> None:
    path, group = await c.new_group()
    name = c.new_name()
    await c.patch(path, {"op": "replace", "value": {"id": group["id"], "displayName": name}})
    must_be((await c.read(path)).get("displayName"), name, "displayName")


@check("O7", "members are added and removed in one PATCH", OKTA, needs_groups=True)
async def change_members(c: Conversation) -> None:
    ids = [(await c.new_user())[1]["id"] for _ in range(2)]
    path, _ = await c.new_group(members=[{"value": ids[0]}])
    await c.patch(
        path,
        {"op": "remove", "path": f'members[value eq "{ids[0]}"]'},
        {"op": "add", "path": "members", "value": [{"value": ids[1], "display": "Anna"}]},
    )
    must_be([one.get("value") for one in (await c.read(path)).get("members") or ()], [ids[1]], "the members")


@check("O8", "all members are replaced at once", OKTA, needs_groups=True)
async def replace_members(c: Conversation) -> None:
    ids = [(await c.new_user())[1]["id"] for _ in range(2)]
    path, _ = await c.new_group(members=[{"value": ids[0]}])
    await c.patch(path, {"op": "replace", "path": "members", "value": [{"value": ids[1]}]})
    must_be([one.get("value") for one in (await c.read(path)).get("members") or ()], [ids[1]], "the members")


@check("O9", "groups are listed by page", OKTA, needs_groups=True)
async def list_groups(c: Conversation) -> None:
    _, group = await c.new_group()
    reply = await c.get("/Groups", plus=False, startIndex="1", count="100")
    if reply.body.get("totalResults", 0) <= 100:
        should(group["id"] in [one.get("id") for one in reply.listed()], "a new group is not in the list")
