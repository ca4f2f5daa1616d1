"""Checks of the service as a whole: discovery, credentials, errors, filters and paging."""

from __future__ import annotations

from typing import Any

from lockstep.targets.conformance.catalogue import check
from lockstep.targets.conformance.conversation import USER, Conversation, error_form, must_be, should
from lockstep.targets.conformance.findings import Broken, UnsupportedByServer

WRONG = "wrong-token-of-lockstep-scim-check"


@check("D1", "/ServiceProviderConfig lists what is supported")
async def service_provider_config(c: Conversation) -> None:
    reply = (await c.get("/ServiceProviderConfig")).must_be(200)
    missing = [name for name in ("patch", "bulk", "filter", "changePassword", "sort", "etag") if name not in reply.body]
    if missing:
        raise Broken(f"it lacks {', '.join(missing)}")
    must_be(reply.body["patch"].get("supported"), True, "patch.supported")
    should(
        reply.body["filter"].get("supported") is True, "it says that filters are not supported, but clients need them"
    )
    should(bool(reply.body.get("authenticationSchemes")), "it lists no authenticationSchemes")


@check("D2", "/ResourceTypes lists User")
async def resource_types(c: Conversation) -> None:
    types = (await c.get("/ResourceTypes")).listed()
    user = next((one for one in types if one.get("name") == "User" or one.get("id") == "User"), None)
    if user is None:
        raise Broken("there is no resource type User")
    must_be(user.get("endpoint"), "/Users", "its endpoint")


@check("D3", "/Schemas describes the attributes of a User")
async def schemas(c: Conversation) -> None:
    schemas = (await c.get("/Schemas")).listed()
    user = next((one for one in schemas if str(one.get("id", "")).endswith(":core:2.0:User")), None)
    if user is None:
        raise Broken("there is no schema of User")
    attributes: dict[str, Any] = {one.get("name"): one for one in user.get("attributes", ())}
    if "userName" not in attributes:
        raise Broken("the schema of User has no attribute userName")
    wanted = ("name", "type", "multiValued", "required", "caseExact", "mutability", "returned", "uniqueness")
    lacking = [name for name in wanted if name not in attributes["userName"]]
    should(not lacking, f"userName is described without {', '.join(lacking)}")


@check("A1", "requests without a token are refused")
async def no_token(c: Conversation) -> None:
    reply = await c.send("GET", "/Users?count=1", token="")
    if reply.status == 200:
        raise Broken("GET /Users answered 200 without credentials: everyone can read the accounts")
    reply.must_be(401)
    should("www-authenticate" in reply.headers, "the 401 has no WWW-Authenticate header")
    error_form(reply)


@check("A2", "a wrong token is refused with 401")
async def wrong_token(c: Conversation) -> None:
    reply = await c.send("GET", "/Users?count=1", token=WRONG)
    reply.must_be(401)
    error_form(reply)


@check("E0", "a created account is answered with 201")
async def created(c: Conversation) -> None:
    body = {"schemas": [USER], "userName": c.new_name(), "active": True}
    (await c.send("POST", "/Users", body)).must_be(201).resource()


@check("E1", "a second account with the same user name gives 409")
async def duplicate(c: Conversation) -> None:
    _, user = await c.new_user()
    reply = await c.send("POST", "/Users", {"schemas": user["schemas"], "userName": user["userName"], "active": True})
    error_form(reply.must_be(409), "uniqueness")


@check("E2", "user names that differ only in case count as the same")
async def duplicate_by_case(c: Conversation) -> None:
    _, user = await c.new_user()
    reply = await c.send("POST", "/Users", {"schemas": user["schemas"], "userName": user["userName"].upper()})
    should(reply.status == 409, f"it answered {reply.status} instead of 409 (RFC 7643, 4.1.1: userName ignores case)")


@check("E3", "an account without user name is refused with 400")
async def missing_user_name(c: Conversation) -> None:
    reply = await c.send("POST", "/Users", {"schemas": [USER], "active": True})
    error_form(reply.must_be(400), "invalidValue")


@check("E4", "a body that is not JSON is refused with 400")
async def not_json(c: Conversation) -> None:
    error_form((await c.send("POST", "/Users", raw=b'{"userName": ')).must_be(400), "invalidSyntax")


@check("E5", "an unknown account gives 404 with a SCIM error")
async def unknown_account(c: Conversation) -> None:
    error_form((await c.send("GET", "/Users/no-such-account-0000")).must_be(404))
    error_form((await c.send("DELETE", "/Users/no-such-account-0000")).must_be(404))


@check("E6", "a PATCH with an operation that does not exist is refused with 400")
async def unknown_operation(c: Conversation) -> None:
    path, _user = await c.new_user()
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "upsert", "path": "displayName", "value": "x"}],
    }
    error_form((await c.send("PATCH", path, body)).must_be(400))


@check("F1", "a filter finds names that contain quotes, backslashes and ampersands")
async def filter_with_quotes(c: Conversation) -> None:
    name = f'o"neil\\& %20+{c.new_name()}'
    await c.new_user(displayName=name, userName=name)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    found = (await c.get("/Users", filter=f'userName eq "{quoted}"')).listed()
    must_be([one.get("userName") for one in found], [name], "the search result")


@check("F2", "a filter by user name ignores case")
async def filter_ignores_case(c: Conversation) -> None:
    _, user = await c.new_user()
    found = (await c.get("/Users", filter=f'USERNAME EQ "{user["userName"].upper()}"')).listed()
    must_be([one.get("id") for one in found], [user["id"]], "the search result")


@check("F3", "a filter by externalId finds the account")
async def filter_by_external_id(c: Conversation) -> None:
    external = c.new_name()
    _, user = await c.new_user(externalId=external)
    found = (await c.get("/Users", filter=f'externalId eq "{external}"')).listed()
    must_be([one.get("id") for one in found], [user["id"]], "the search result")


@check("F4", "a filter can combine comparisons with and")
async def filter_with_and(c: Conversation) -> None:
    _, user = await c.new_user()
    name = user["userName"]
    found = (await c.get("/Users", filter=f'userName eq "{name}" and active eq true')).listed()
    must_be([one.get("id") for one in found], [user["id"]], "the search result")
    none = (await c.get("/Users", filter=f'userName eq "{name}" and active eq false')).listed()
    must_be(none, [], "the search result for a filter that does not match")


@check("F5", "an invalid filter is refused with 400 invalidFilter")
async def unreadable_filter(c: Conversation) -> None:
    error_form((await c.get("/Users", filter='userName resembles "x"')).must_be(400), "invalidFilter")


@check("P0", "a list says in schemas that it is a ListResponse")
async def list_names_itself(c: Conversation) -> None:
    (await c.get("/Users", startIndex="1", count="1")).listed(names_itself=True)


@check("P1", "paging by startIndex and count returns every account once")
async def pages(c: Conversation) -> None:
    made = {(await c.new_user())[1]["id"] for _ in range(5)}
    seen: list[str] = []
    start, total = 1, 1
    while start <= total and len(seen) < 10_000:
        reply = await c.get("/Users", startIndex=str(start), count="3" if total < 100 else "100")
        page = reply.listed()
        total = reply.body["totalResults"]
        if not page:
            raise Broken(f"the page from {start} is empty although totalResults is {total}")
        if len(page) > 100:
            raise Broken(f"a page has {len(page)} accounts although at most 100 were requested")
        seen += [one["id"] for one in page]
        start += len(page)
    twice = len(seen) - len(set(seen))
    if twice or not made <= set(seen):
        raise Broken(f"{twice} accounts appeared twice and {len(made - set(seen))} of 5 new ones were missing")


@check("P2", "a page states its position and its size")
async def place_of_a_page(c: Conversation) -> None:
    await c.new_user()
    await c.new_user()
    reply = await c.get("/Users", startIndex="2", count="1")
    must_be(len(reply.listed()), 1, "the number of accounts on a page of one")
    should(reply.body.get("startIndex") == 2, "startIndex in the response is not the one requested")
    should(reply.body.get("itemsPerPage") == 1, "itemsPerPage is not the number of accounts on the page")


@check("P3", "count=0 returns the total and no accounts")
async def empty_page(c: Conversation) -> None:
    await c.new_user()
    reply = await c.get("/Users", count="0")
    should(reply.status == 200 and not reply.listed(), "count=0 returned accounts (RFC 7644, 3.4.2.4)")
    should(reply.body.get("totalResults", 0) >= 1, "totalResults is missing or wrong with count=0")


@check("P4", "attributes and excludedAttributes choose what is returned")
async def chosen_attributes(c: Conversation) -> None:
    path, _user = await c.new_user(displayName="Lockstep check", title="Tester")
    few = (await c.get(path, attributes="displayName")).must_be(200).body
    should("displayName" in few and "title" not in few, "attributes=displayName returned something else")
    rest = (await c.get(path, excludedAttributes="title")).must_be(200).body
    should("displayName" in rest and "title" not in rest, "excludedAttributes=title returned it anyway")


@check("V1", "ETags protect against overwriting, if supported")
async def etags(c: Conversation) -> None:
    config = await c.get("/ServiceProviderConfig")
    offered = config.body.get("etag")
    if not isinstance(offered, dict) or offered.get("supported") is not True:
        raise UnsupportedByServer("it does not support ETags")
    path, user = await c.new_user()
    reply = await c.send("GET", path)
    version = reply.headers.get("etag") or user.get("meta", {}).get("version")
    should(bool(version), "it says that it supports ETags, but an account has none")
