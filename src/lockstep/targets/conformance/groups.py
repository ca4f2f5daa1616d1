"""Checks of the group requests that Entra sends (G1 to G8), in both of its dialects.

A remove that names members must remove only those members. The most frequent fault of servers is to empty the group instead.
"""

from __future__ import annotations

from typing import Any

from lockstep.targets.conformance.catalogue import EmulatedClient, check
from lockstep.targets.conformance.conversation import GROUP, Conversation, error_form, must_be, should
from lockstep.targets.conformance.findings import Broken

ENTRA, FLAG = EmulatedClient.ENTRA, EmulatedClient.ENTRA_FLAG
ADSCIM_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


@check("G1", "a group is found by its name, without its members", ENTRA, needs_groups=True)
async def find_group(c: Conversation) -> None:
    path, group, _ = await _with_members(c, 1)
    found = (
        await c.get("/Groups", excludedAttributes="members", filter=f'displayName eq "{group["displayName"]}"')
    ).listed()
    must_be([one.get("id") for one in found], [group["id"]], f"the search result instead of {path}")
    should(not found[0].get("members"), "excludedAttributes=members returned the members anyway")
    nobody = await c.get("/Groups", excludedAttributes="members", filter=f'displayName eq "{c.new_name()}"')
    must_be(nobody.listed(), [], "the search result for an unknown name")


@check("G2", "a group is read without its members", ENTRA, needs_groups=True)
async def read_group(c: Conversation) -> None:
    path, group, _ = await _with_members(c, 1)
    read = (await c.get(path, excludedAttributes="members")).must_be(200).resource()
    must_be(read.get("displayName"), group["displayName"], "displayName")
    should(not read.get("members"), "excludedAttributes=members returned the members anyway")


@check("G3", "a group is created from Entra's body", ENTRA, needs_groups=True)
async def create_group(c: Conversation) -> None:
    external = c.new_name()
    body = {
        "schemas": [GROUP, ADSCIM_GROUP],
        "displayName": c.new_name(),
        "externalId": external,
        "meta": {"resourceType": "Group"},
    }
    group = (await c.send("POST", "/Groups", body)).must_be(201).resource()
    must_be(group.get("externalId"), external, "externalId")
    should(group.get("meta", {}).get("resourceType") == "Group", "meta.resourceType is missing")


@check("G3a", "a second group with the same name is a conflict", ENTRA, needs_groups=True)
async def duplicate_group(c: Conversation) -> None:
    _, group = await c.new_group()
    reply = await c.send("POST", "/Groups", {"schemas": [GROUP], "displayName": group["displayName"]})
    should(reply.status == 409, f"it answered {reply.status} instead of 409: Entra needs unique group names")
    error_form(reply, "uniqueness")


@check("G4", "a group is renamed", ENTRA, needs_groups=True)
async def rename_group(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 1)
    name = c.new_name()
    await c.patch(path, {"op": "Replace", "path": "displayName", "value": name})
    must_be((await c.read(path)).get("displayName"), name, "displayName")
    must_be(await _members(c, path), set(ids), "the members, which should not change,")


@check("G5", "members are added", ENTRA, needs_groups=True)
async def add_members(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 1)
    more = [(await c.new_user())[1]["id"] for _ in range(2)]
    value = [{"$ref": None, "value": one} for one in more]
    await c.patch(path, {"op": "Add", "path": "members", "value": value})
    must_be(await _members(c, path), {*ids, *more}, "the members")
    await c.patch(path, {"op": "Add", "path": "members", "value": value[:1]})
    must_be(await _members(c, path), {*ids, *more}, "the members after adding one of them again")


@check("G6", "only the members in the value are removed", ENTRA, needs_groups=True)
async def remove_members(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 3)
    await c.patch(path, {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ids[0]}]})
    await _only_the_first_is_gone(c, path, ids)


@check("G6-flag", "the member in the path is removed, and no one else", FLAG, needs_groups=True)
async def remove_members_by_flag(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 3)
    await c.patch(path, {"op": "remove", "path": f'members[value eq "{ids[0]}"]'})
    await _only_the_first_is_gone(c, path, ids)


@check("G6a", "the last member can be removed", ENTRA, needs_groups=True)
async def remove_last_member(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 1)
    await c.patch(path, {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ids[0]}]})
    must_be(await _members(c, path), set(), "the members")


@check("G7", "a deleted group can no longer be found, but its members can", ENTRA, needs_groups=True)
async def delete_group(c: Conversation) -> None:
    path, _, ids = await _with_members(c, 1)
    (await c.send("DELETE", path)).must_be(204)
    (await c.send("GET", path)).must_be(404)
    (await c.send("GET", f"/Users/{ids[0]}")).must_be(200)


@check("G8", "a membership is checked with a filter by id and members", ENTRA, needs_groups=True)
async def check_membership(c: Conversation) -> None:
    _, group, ids = await _with_members(c, 1)
    yes = await c.get("/Groups", filter=f'id eq "{group["id"]}" and members eq "{ids[0]}"')
    must_be([one.get("id") for one in yes.listed()], [group["id"]], "the search result for a member")
    no = await c.get("/Groups", filter=f'id eq "{group["id"]}" and members eq "nobody"')
    must_be(no.listed(), [], "the search result for a non-member")


async def _with_members(c: Conversation, count: int) -> tuple[str, dict[str, Any], list[str]]:
    ids = [(await c.new_user())[1]["id"] for _ in range(count)]
    path, group = await c.new_group()
    value = [{"value": one} for one in ids]
    await c.patch(path, {"op": "add", "path": "members", "value": value})
    return path, group, ids


async def _members(c: Conversation, path: str) -> set[str]:
    return {one.get("value", "") for one in (await c.read(path)).get("members") or ()}


async def _only_the_first_is_gone(c: Conversation, path: str, ids: list[str]) -> None:
    left = await _members(c, path)
    if not left:
        raise Broken("it removed all members, although only one was named")
    must_be(left, set(ids[1:]), "the members")
