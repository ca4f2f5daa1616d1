"""Checks of the user requests that Entra sends (U1 to U10), in its default dialect and in the dialect of `aadOptscim062020`."""

from __future__ import annotations

from typing import Any

from lockstep.targets.conformance.catalogue import EmulatedClient, check
from lockstep.targets.conformance.conversation import ENTERPRISE, USER, Conversation, error_form, must_be, should
from lockstep.targets.conformance.findings import Broken, UnsupportedByServer

ENTRA, FLAG = EmulatedClient.ENTRA, EmulatedClient.ENTRA_FLAG


@check("U1", "an account is found by its user name", ENTRA)
async def find_known(c: Conversation) -> None:
    _, user = await c.new_user()
    reply = await c.get("/Users", filter=f'userName eq "{user["userName"]}"')
    must_be([one.get("id") for one in reply.listed()], [user["id"]], "the search result")
    must_be(reply.body["totalResults"], 1, "totalResults")


@check("U2", "a search for an unknown user name returns 200 and an empty list", ENTRA)
async def find_unknown(c: Conversation) -> None:
    reply = await c.get("/Users", filter=f'userName eq "{c.new_name()}"')
    must_be(reply.listed(), [], "the search result")
    must_be(reply.body["totalResults"], 0, "totalResults")
    should("Resources" in reply.body, "an empty list has no Resources: []")


@check("U3", "an account is read by its id, an unknown id gives 404", ENTRA)
async def read_one(c: Conversation) -> None:
    path, user = await c.new_user()
    must_be((await c.read(path))["userName"], user["userName"], "userName")
    (await c.send("GET", "/Users/lockstep-check-unknown")).must_be(404)


@check("U4", "an account is created from Entra's body and returned whole", ENTRA)
async def create_one(c: Conversation) -> None:
    name, external = c.new_name(), c.new_name()
    body = {
        "schemas": [USER, ENTERPRISE],
        "externalId": external,
        "userName": name,
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": name}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Anna Lind", "familyName": "Lind", "givenName": "Anna"},
        "roles": [],
    }
    reply = await c.send("POST", "/Users", body)
    user = reply.must_be(201).resource()
    must_be(user.get("userName"), name, "userName")
    must_be(user.get("externalId"), external, "externalId")
    must_be(user.get("active"), True, "active")
    must_be([one.get("value") for one in user.get("emails", ())], [name], "emails")
    must_be((user.get("name") or {}).get("familyName"), "Lind", "name.familyName")
    meta = user.get("meta") or {}
    should(meta.get("resourceType") == "User", "meta.resourceType is missing")
    should(bool(meta.get("location")) and "location" in reply.headers, "the 201 has no location (meta and header)")
    should("created" in meta and "lastModified" in meta, "meta lacks created or lastModified")


@check("U4a", "a create with explicit nulls is accepted", ENTRA)
async def create_with_nulls(c: Conversation) -> None:
    nothing = dict.fromkeys(("addresses", "title", "nickName", "phoneNumbers", "preferredLanguage", "locale"))
    await c.new_user(name={"givenName": "Anna", "familyName": None}, **nothing)


@check("U4b", 'active "True" as a string is accepted', ENTRA)
async def create_with_text(c: Conversation) -> None:
    path, _ = await c.new_user(active="True")
    must_be((await c.read(path)).get("active"), True, "active")


@check("U5", "work e-mail and family name are replaced", ENTRA)
async def replace_values(c: Conversation) -> None:
    path, name = await _with_email(c)
    await c.patch(
        path,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": f"new-{name}"},
        {"op": "Replace", "path": "name.familyName", "value": "Berg"},
    )
    await _has_email_and_name(c, path, f"new-{name}")


@check("U5-flag", "work e-mail is replaced, and other attributes in one operation without path", FLAG)
async def replace_values_by_flag(c: Conversation) -> None:
    path, name = await _with_email(c)
    merged = {"name.familyName": "Berg", "displayName": "Anna Berg", f"{ENTERPRISE}:department": "Sales"}
    await c.patch(
        path,
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": f"new-{name}"},
        {"op": "replace", "value": merged},
    )
    await _has_email_and_name(c, path, f"new-{name}")
    user = await c.read(path)
    must_be(user.get("displayName"), "Anna Berg", "displayName")
    must_be((user.get(ENTERPRISE) or {}).get("department"), "Sales", "department")
    _has_no_dotted_names(user)


@check("U5a", "a work e-mail is added to an account that has none", ENTRA)
async def add_email(c: Conversation) -> None:
    path, user = await c.new_user()
    await c.patch(path, {"op": "Add", "path": 'emails[type eq "work"].value', "value": user["userName"]})
    emails = (await c.read(path)).get("emails") or []
    must_be([(one.get("type"), one.get("value")) for one in emails], [("work", user["userName"])], "emails")


@check("U5b", "the primary role is set on an account that has none, and replaced", ENTRA)
async def set_role(c: Conversation) -> None:
    path, _ = await c.new_user()
    for op, value in (("Add", "User"), ("Replace", "Admin")):
        await c.patch(path, {"op": op, "path": 'roles[primary eq "True"].value', "value": value})
        roles = (await c.read(path)).get("roles") or []
        must_be([(one.get("value"), one.get("primary")) for one in roles], [(value, True)], f"roles after {op}")


@check("U5c", "an attribute is removed", ENTRA)
async def remove_value(c: Conversation) -> None:
    path, _ = await c.new_user(title="Tester")
    await c.patch(path, {"op": "Remove", "path": "title"})
    must_be((await c.read(path)).get("title"), None, "title")


@check("U6", "the user name is changed", ENTRA)
async def rename(c: Conversation) -> None:
    await _rename(c, "Replace")


@check("U6-flag", "the user name is changed", FLAG)
async def rename_by_flag(c: Conversation) -> None:
    await _rename(c, "replace")


@check("U7", 'an account is disabled with "False" as a string, stays readable, and is re-enabled', ENTRA)
async def disable(c: Conversation) -> None:
    await _disable(c, "Replace", "False", "True")


@check("U7-flag", "an account is disabled with false, stays readable, and is re-enabled", FLAG)
async def disable_by_flag(c: Conversation) -> None:
    await _disable(c, "replace", False, True)


@check("U8", "a manager is set by id alone", ENTRA)
async def set_manager(c: Conversation) -> None:
    await _set_manager(c, "Add")


@check("U8-flag", "a manager is set by id alone", FLAG)
async def set_manager_by_flag(c: Conversation) -> None:
    await _set_manager(c, "add")


@check("U9", "a deleted account can no longer be found", ENTRA)
async def delete_one(c: Conversation) -> None:
    path, user = await c.new_user()
    (await c.send("DELETE", path)).must_be(204)
    gone = (await c.send("GET", path)).must_be(404)
    must_be(
        (await c.get("/Users", filter=f'userName eq "{user["userName"]}"')).listed(),
        [],
        "the search result after deletion",
    )
    error_form(gone)
    should((await c.send("DELETE", path)).status == 404, "deleting it again is not a 404")


@check("U10", "a reference is checked with a filter by id and manager", ENTRA)
async def check_reference(c: Conversation) -> None:
    _, boss = await c.new_user()
    path, user = await c.new_user()
    body = {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss["id"]}
    await c.patch(path, body)
    reply = await c.get("/Users", filter=f'id eq "{user["id"]}" and manager eq "{boss["id"]}"', attributes="id")
    must_be([one.get("id") for one in reply.listed()], [user["id"]], "the search result")


async def _with_email(c: Conversation) -> tuple[str, str]:
    name = c.new_name()
    emails = [{"type": "work", "primary": True, "value": name}, {"type": "home", "value": f"home-{name}"}]
    path, _ = await c.new_user(userName=name, emails=emails, name={"givenName": "Anna", "familyName": "Lind"})
    return path, name


async def _has_email_and_name(c: Conversation, path: str, email: str) -> None:
    user = await c.read(path)
    emails = {one.get("type"): one.get("value") for one in user.get("emails", ())}
    must_be(emails.get("work"), email, "the work e-mail")
    if not str(emails.get("home", "")).startswith("home-"):
        raise Broken("the other e-mail address was changed too")
    must_be(user.get("name", {}).get("familyName"), "Berg", "name.familyName")
    must_be(user["name"].get("givenName"), "Anna", "name.givenName, which should not change,")


def _has_no_dotted_names(user: dict[str, Any]) -> None:
    odd = [name for name in user if "." in name and not name.startswith("urn:")]
    if odd:
        raise Broken(f"it created attributes with a dot in their name: {', '.join(odd)}")


async def _rename(c: Conversation, op: str) -> None:
    path, user = await c.new_user()
    name = c.new_name()
    await c.patch(path, {"op": op, "path": "userName", "value": name})
    must_be((await c.read(path)).get("userName"), name, "userName")
    must_be(
        len((await c.get("/Users", filter=f'userName eq "{name}"')).listed()),
        1,
        "the number of results for the new name",
    )
    old = await c.get("/Users", filter=f'userName eq "{user["userName"]}"')
    must_be(old.listed(), [], "the search result for the old name")


async def _disable(c: Conversation, op: str, off: Any, on: Any) -> None:
    path, user = await c.new_user()
    await c.patch(path, {"op": op, "path": "active", "value": off})
    must_be((await c.read(path)).get("active"), False, "active")
    found = (await c.get("/Users", filter=f'userName eq "{user["userName"]}"')).listed()
    must_be([one.get("id") for one in found], [user["id"]], "the search result for a disabled account")
    await c.patch(path, {"op": op, "path": "active", "value": on})
    must_be((await c.read(path)).get("active"), True, "active after re-enabling it")


async def _set_manager(c: Conversation, op: str) -> None:
    _, boss = await c.new_user()
    path, _ = await c.new_user()
    await c.patch(path, {"op": op, "path": f"{ENTERPRISE}:manager", "value": boss["id"]})
    extension = (await c.read(path)).get(ENTERPRISE)
    if extension is None:
        raise UnsupportedByServer("it does not store enterprise attributes")
    must_be((extension.get("manager") or {}).get("value"), boss["id"], "manager.value")
