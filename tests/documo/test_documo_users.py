"""Guarantees for clients of /Users."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.documo_client import ENTERPRISE, USER, Client, Documo


async def test_created_user_comes_back_with_id_meta_and_location(api: Client) -> None:
    reply = await api.send(
        "POST", "/Users", {"schemas": [USER], "userName": "Anna@x.org", "name": {"givenName": "Anna"}}
    )

    body = reply.body
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/scim+json"
    assert reply.headers["Location"] == body["meta"]["location"] == f"{api.url}/Users/{body['id']}"
    assert reply.headers["ETag"] == body["meta"]["version"]
    assert (await api.get(f"/Users/{body['id']}")).body == body
    assert body["userName"] == "Anna@x.org" and body["active"] is True


async def test_user_name_is_unique_whatever_its_case(api: Client) -> None:
    await api.user("anna@x.org")

    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": "ANNA@X.ORG"})

    assert reply.status == 409
    assert (
        reply.body["scimType"] == "uniqueness" and reply.body["status"] == "409" and "userName" in reply.body["detail"]
    )


async def test_one_conflicting_create_in_a_batch_fails_and_the_others_are_made(api: Client) -> None:
    names = [f"person{number}@x.org" for number in range(30)] + ["PERSON7@x.org", "person8@X.org"]

    replies = await asyncio.gather(
        *(api.send("POST", "/Users", {"schemas": [USER], "userName": name}) for name in names)
    )

    assert sorted(reply.status for reply in replies) == [201] * 30 + [409] * 2
    assert (await api.get("/Users", count="0")).body["totalResults"] == 31  # including the admin


async def test_rename_to_a_taken_name_is_a_conflict_and_changes_nothing(api: Client) -> None:
    first, _ = await api.user("first@x.org"), await api.user("second@x.org")

    reply = await api.patch(f"/Users/{first}", {"op": "replace", "path": "userName", "value": "Second@x.org"})

    assert (reply.status, reply.body["scimType"]) == (409, "uniqueness")
    assert (await api.get(f"/Users/{first}")).body["userName"] == "first@x.org"


async def test_patch_is_all_or_nothing(api: Client) -> None:
    user = await api.user("a@x.org", title="Old")

    reply = await api.patch(
        f"/Users/{user}",
        {"op": "replace", "path": "title", "value": "New"},
        {"op": "replace", "path": "userName", "value": 5.5},
    )

    assert reply.status == 400
    assert (await api.get(f"/Users/{user}")).body["title"] == "Old"


async def test_parallel_patches_of_one_user_lose_nothing(api: Client) -> None:
    user = await api.user("a@x.org")
    kinds = [f"kind{number}" for number in range(40)]

    replies = await asyncio.gather(
        *(
            api.patch(f"/Users/{user}", {"op": "add", "path": "emails", "value": [{"type": k, "value": f"{k}@x.org"}]})
            for k in kinds
        )
    )

    versions = {reply.headers["ETag"] for reply in replies}
    assert {reply.status for reply in replies} == {200} and len(versions) == 40
    assert sorted(e["type"] for e in (await api.get(f"/Users/{user}")).body["emails"]) == sorted(kinds)


async def test_put_replaces_and_keeps_what_only_the_service_sets(api: Client) -> None:
    user = await api.user("a@x.org", title="Old", nickName="A")
    before = (await api.get(f"/Users/{user}")).body

    reply = await api.send(
        "PUT", f"/Users/{user}", {"schemas": [USER], "userName": "b@x.org", "id": "mine", "title": "New"}
    )

    assert reply.status == 200
    assert reply.body["id"] == user and reply.body["meta"]["created"] == before["meta"]["created"]
    assert reply.body["title"] == "New" and "nickName" not in reply.body


async def test_put_that_does_not_speak_of_active_leaves_a_disabled_user_disabled(api: Client) -> None:
    user = await api.user("a@x.org", active=False)

    reply = await api.send("PUT", f"/Users/{user}", {"schemas": [USER], "userName": "a@x.org"})

    assert reply.body["active"] is False


async def test_if_match_guards_every_change(api: Client) -> None:
    user = await api.user("a@x.org")
    old = (await api.get(f"/Users/{user}")).headers["ETag"]
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "x"})
    stale = {"If-Match": old}

    patched = await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "y"}, headers=stale)
    put = await api.send("PUT", f"/Users/{user}", {"schemas": [USER], "userName": "b@x.org"}, headers=stale)
    deleted = await api.send("DELETE", f"/Users/{user}", headers=stale)
    fresh = (await api.get(f"/Users/{user}")).headers["ETag"]

    assert [patched.status, put.status, deleted.status] == [412, 412, 412]
    assert (await api.send("DELETE", f"/Users/{user}", headers={"If-Match": fresh})).status == 204


async def test_if_none_match_keeps_a_change_from_a_resource_that_is_there(api: Client) -> None:
    user = await api.user("a@x.org")
    change = {"op": "replace", "path": "title", "value": "x"}

    patched = await api.patch(f"/Users/{user}", change, headers={"If-None-Match": "*"})
    deleted = await api.send("DELETE", f"/Users/{user}", headers={"If-None-Match": "*"})
    other = await api.patch(f"/Users/{user}", change, headers={"If-None-Match": '"99"'})

    assert [patched.status, deleted.status, other.status] == [412, 412, 200]


async def test_if_none_match_answers_304_without_a_body(api: Client) -> None:
    user = await api.user("a@x.org")
    version = (await api.get(f"/Users/{user}")).headers["ETag"]

    reply = await api.send("GET", f"/Users/{user}", headers={"If-None-Match": version})

    assert (reply.status, reply.raw, reply.headers["ETag"]) == (304, b"", version)


async def test_patch_that_changes_nothing_keeps_the_version(api: Client) -> None:
    user = await api.user("a@x.org", title="Same")
    before = (await api.get(f"/Users/{user}")).headers["ETag"]

    reply = await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Same"})

    assert (reply.status, reply.headers["ETag"]) == (200, before)


async def test_password_is_hashed_and_never_comes_back(api: Client) -> None:
    secret = "correct horse battery"
    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": "a@x.org", "password": secret})
    user = reply.body["id"]
    changed = await api.patch(f"/Users/{user}", {"op": "replace", "path": "password", "value": secret + "!"})
    filtered = await api.find('password eq "correct horse battery"')

    async with api.store.tenant(api.account.id) as connection:
        cursor = await connection.execute("select password_hash, document::text from resources where id = %s", (user,))
        [(digest, document)] = await cursor.fetchall()
    assert digest.startswith("$argon2id$") and secret not in document
    assert b"password" not in reply.raw + changed.raw
    assert (filtered.status, filtered.body["scimType"]) == (400, "invalidFilter")


async def test_manager_goes_in_as_text_and_comes_out_with_reference_and_name(documo: Documo) -> None:
    api = await documo.client(profile="entra", patch_answer="resource")
    boss = await api.user("boss@x.org", displayName="The Boss")
    user = await api.user("a@x.org")

    reply = await api.patch(f"/Users/{user}", {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss})

    expected = {"value": boss, "$ref": f"{api.url}/Users/{boss}", "displayName": "The Boss"}
    assert reply.body[ENTERPRISE]["manager"] == expected
    cleared = await api.patch(f"/Users/{user}", {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ""})
    assert "manager" not in cleared.body.get(ENTERPRISE, {})


async def test_attributes_and_excluded_attributes_choose_what_is_returned(api: Client) -> None:
    user = await api.user("a@x.org", name={"givenName": "A", "familyName": "B"}, title="T")

    some = (await api.get(f"/Users/{user}", attributes="name.familyName")).body
    rest = (await api.get(f"/Users/{user}", excludedAttributes="name,title")).body

    assert some == {"schemas": [USER], "id": user, "name": {"familyName": "B"}}
    assert "name" not in rest and "title" not in rest and rest["userName"] == "a@x.org"


async def test_deleted_user_is_gone_for_every_request(api: Client) -> None:
    user = await api.user("a@x.org", emails=[{"value": "a@x.org", "type": "work"}])

    first = await api.send("DELETE", f"/Users/{user}")

    assert first.status == 204
    for reply in (
        await api.get(f"/Users/{user}"),
        await api.send("DELETE", f"/Users/{user}"),
        await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "x"}),
        await api.send("PUT", f"/Users/{user}", {"schemas": [USER], "userName": "a@x.org"}),
    ):
        assert reply.status == 404
    for question in ('userName eq "a@x.org"', 'emails.value eq "a@x.org"', f'id eq "{user}"', 'userName sw "a@"'):
        assert (await api.find(question)).body["totalResults"] == 0


async def test_me_is_the_member_whose_key_it_is(api: Client) -> None:
    reply = await api.get("/Me")

    assert reply.body["userName"] == "admin@contoso.example"


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("GET", "/Nothing", None, 404),
        ("GET", "/Users/no-such-id", None, 404),
        ("GET", "/Users/%FF", None, 400),
        ("DELETE", "/Users", None, 405),
        ("POST", "/Users", b"{", 400),
        ("POST", "/Users", b"[]", 400),
        ("POST", "/Users", b"", 400),
        ("POST", "/Users", b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a\\u0000b"}', 400),
        ("POST", "/Users", b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}', 400),
        ("POST", "/Users", b'"' + b"x" * 1_100_000 + b'"', 413),
        ("GET", "/Users?filter=userName%20zz%20%22x%22", None, 400),
        ("GET", "/Users?filter=nothing%20eq%20%22x%22", None, 400),
        ("GET", "/Users?count=many", None, 400),
        ("GET", "/Users?cursor=forged", None, 400),
        ("GET", "/Users?sortBy=nothing", None, 400),
    ],
)
async def test_every_mistake_is_an_error_of_the_protocol(
    api: Client, method: str, path: str, raw: bytes | None, status: int
) -> None:
    reply = await api.send(method, path, raw=raw)

    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/scim+json"
    assert reply.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert reply.body["status"] == str(status) and reply.body["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/Users", "GET, POST, HEAD"), ("POST", "/Schemas", "GET, HEAD"), ("GET", "/Users/.search", "POST")],
)
async def test_refused_method_is_answered_with_those_that_are_possible(
    api: Client, method: str, path: str, allowed: str
) -> None:
    reply = await api.send(method, path)

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


async def test_head_answers_like_get_without_the_body(api: Client) -> None:
    whole = await api.get("/Me")

    head = await api.send("HEAD", "/Me")
    after = await api.get("/Me")

    assert (head.status, head.headers["ETag"]) == (200, whole.headers["ETag"])
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert not head.body
    assert after.body == whole.body, "the connection is still in step"


async def test_count_and_start_index_have_no_largest_number(api: Client) -> None:
    everybody = await api.get("/Users?count=99999999999999999999")
    nobody = await api.get("/Users?startIndex=99999999999999999999")

    assert len(everybody.body["Resources"]) == everybody.body["totalResults"] > 0
    assert nobody.body["Resources"] == []


async def test_other_media_types_are_refused(api: Client) -> None:
    reply = await api.send("POST", "/Users", raw=b"<user/>", headers={"Content-Type": "text/xml"})

    assert reply.status == 415
