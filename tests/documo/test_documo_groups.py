"""Guarantees for clients of /Groups. Each member is a separate row."""

from __future__ import annotations

import asyncio

import pytest

from documo.store.database import Store, open_store
from documo.store.round_trip import one_trip
from lockstep.postgres.database import Database
from tests.support.documo_client import GROUP, Client, Documo, documo_on


async def test_members_come_back_with_reference_and_type_and_users_show_their_groups(api: Client) -> None:
    anna = await api.user("anna@x.org")

    group = await api.group("Sales", anna)

    member = {"value": anna, "$ref": f"{api.url}/Users/{anna}", "type": "User"}
    assert (await api.get(f"/Groups/{group}")).body["members"] == [member]
    shown = (await api.get(f"/Users/{anna}")).body["groups"]
    assert shown == [{"value": group, "$ref": f"{api.url}/Groups/{group}", "display": "Sales", "type": "direct"}]


async def test_names_of_members_are_shown_to_those_who_ask_for_them(api: Client) -> None:
    group = await api.group("Sales", await api.user("anna@x.org", displayName="Anna"))

    reply = await api.get(f"/Groups/{group}", attributes="members")

    assert [member["display"] for member in reply.body["members"]] == ["Anna"]


async def test_64_parallel_member_patches_without_if_match_lose_nobody(api: Client) -> None:
    group = await api.group("Everybody")
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(64)))

    replies = await asyncio.gather(
        *(api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": p}]}) for p in people)
    )

    assert {reply.status for reply in replies} == {200}
    assert await api.member_ids(group) == set(people)


@pytest.mark.parametrize(
    "removal",
    [
        lambda user: {"op": "remove", "path": f'members[value eq "{user}"]'},
        lambda user: {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": user}]},
    ],
    ids=["by filter", "by value, as Entra does"],
)
async def test_removing_one_member_keeps_the_others(api: Client, removal: object) -> None:
    first, second, third = [await api.user(f"p{number}@x.org") for number in range(3)]
    group = await api.group("Sales", first, second, third)

    reply = await api.patch(f"/Groups/{group}", removal(second))  # type: ignore[operator]

    assert reply.status == 200
    assert await api.member_ids(group) == {first, third}


async def test_bare_remove_of_members_clears_the_group(api: Client) -> None:
    group = await api.group("Sales", await api.user("a@x.org"), await api.user("b@x.org"))

    await api.patch(f"/Groups/{group}", {"op": "remove", "path": "members"})

    assert await api.member_ids(group) == set()


async def test_replace_of_members_leaves_exactly_those(api: Client) -> None:
    first, second, third = [await api.user(f"p{number}@x.org") for number in range(3)]
    group = await api.group("Sales", first, second)

    await api.patch(
        f"/Groups/{group}", {"op": "replace", "path": "members", "value": [{"value": second}, {"value": third}]}
    )

    assert await api.member_ids(group) == {second, third}


async def test_put_without_members_keeps_them_and_with_an_empty_list_removes_them(api: Client) -> None:
    anna = await api.user("anna@x.org")
    group = await api.group("Sales", anna)

    await api.send("PUT", f"/Groups/{group}", {"schemas": [GROUP], "displayName": "Sales 2"})
    kept = await api.member_ids(group)
    await api.send("PUT", f"/Groups/{group}", {"schemas": [GROUP], "displayName": "Sales 2", "members": []})

    assert (kept, await api.member_ids(group)) == ({anna}, set())


async def test_deleting_a_user_ends_its_memberships_and_moves_the_groups_version(api: Client) -> None:
    anna, bert = await api.user("anna@x.org"), await api.user("bert@x.org")
    group = await api.group("Sales", anna, bert)
    before = (await api.get(f"/Groups/{group}")).headers["ETag"]

    await api.send("DELETE", f"/Users/{anna}")

    after = await api.get(f"/Groups/{group}")
    assert [member["value"] for member in after.body["members"]] == [bert]
    assert after.headers["ETag"] != before


async def test_deleting_a_group_takes_it_from_its_members(api: Client) -> None:
    anna = await api.user("anna@x.org")
    group = await api.group("Sales", anna)

    await api.send("DELETE", f"/Groups/{group}")

    assert "groups" not in (await api.get(f"/Users/{anna}")).body


async def test_joining_and_leaving_a_group_changes_the_version_of_the_group_alone(api: Client) -> None:
    anna = await api.user("anna@x.org")
    group = await api.group("Sales")
    alone, empty = await api.get(f"/Users/{anna}"), await api.get(f"/Groups/{group}")

    await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": anna}]})
    joined, filled = await api.get(f"/Users/{anna}"), await api.get(f"/Groups/{group}")
    await api.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{anna}"]'})
    left, emptied = await api.get(f"/Users/{anna}"), await api.get(f"/Groups/{group}")

    assert [entry["value"] for entry in joined.body["groups"]] == [group]
    assert "groups" not in alone.body and "groups" not in left.body
    assert alone.body["meta"] == joined.body["meta"] == left.body["meta"]
    assert len({reply.headers["ETag"] for reply in (empty, filled, emptied)}) == 3
    guarded = {"If-Match": alone.headers["ETag"]}
    change = {"op": "replace", "path": "title", "value": "x"}
    assert (await api.patch(f"/Users/{anna}", change, headers=guarded)).status == 200


async def test_a_member_who_does_not_exist_is_left_out_unless_the_profile_is_strict(documo: Documo) -> None:
    lenient, strict = await documo.client("Lenient"), await documo.client("Strict", profile="strict")
    nobody = "0190a0b0-0000-7000-8000-000000000000"
    added = {"op": "add", "path": "members", "value": [{"value": nobody}]}

    forgiven = await lenient.patch(f"/Groups/{await lenient.group('A')}", added)
    refused = await strict.patch(f"/Groups/{await strict.group('A')}", added)

    assert (forgiven.status, forgiven.body["members"]) == (200, [])
    assert (refused.status, refused.body["scimType"]) == (400, "invalidValue") and nobody in refused.body["detail"]


async def test_a_group_cannot_be_its_own_member(api: Client) -> None:
    group = await api.group("Sales")

    reply = await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": group}]})

    assert (reply.status, reply.body["scimType"]) == (400, "invalidValue")


async def test_indirect_groups_are_shown_by_setting_even_in_a_circle(documo: Documo) -> None:
    api = await documo.client(indirect_groups=True)
    anna = await api.user("anna@x.org")
    inner = await api.group("Inner", anna)
    outer = await api.group("Outer", inner)
    await api.patch(f"/Groups/{inner}", {"op": "add", "path": "members", "value": [{"value": outer}]})

    shown = (await api.get(f"/Users/{anna}")).body["groups"]

    assert {(group["display"], group["type"]) for group in shown} == {("Inner", "direct"), ("Outer", "indirect")}


async def test_group_filters_of_entra_find_by_id_and_member(api: Client) -> None:
    anna, bert = await api.user("anna@x.org"), await api.user("bert@x.org")
    group = await api.group("Sales", anna)

    found = await api.find(f'id eq "{group}" and members eq "{anna}"', "/Groups")
    missed = await api.find(f'id eq "{group}" and members eq "{bert}"', "/Groups")

    assert (found.ids, missed.ids) == ([group], [])


async def test_a_change_of_one_member_does_not_send_a_large_group_back(api: Client) -> None:
    people = await asyncio.gather(*(api.user(f"p{number}@x.org") for number in range(102)))
    group = await api.group("Large", *people[:101])

    reply = await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": people[101]}]})

    assert (reply.status, reply.raw) == (204, b"") and reply.headers["ETag"]


async def test_a_group_is_made_with_its_members_at_once(api: Client) -> None:
    people = [await api.user(f"u{number}@x.org") for number in range(3)]
    body = {"schemas": [GROUP], "displayName": "Whole", "members": [{"value": person} for person in people]}

    reply = await api.send("POST", "/Groups", body)

    assert reply.body["meta"]["version"] == '"1"'
    assert reply.body == (await api.get(f"/Groups/{reply.body['id']}")).body
    assert {member["value"] for member in reply.body["members"]} == set(people)


async def test_the_answer_to_a_change_of_members_is_what_a_read_shows(api: Client) -> None:
    people = [await api.user(f"u{number}@x.org") for number in range(4)]
    group = await api.group("Sales", people[0])
    inner = await api.group("Inner")
    added = [{"value": member} for member in (people[2], inner, people[1])]

    reply = await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": added})

    assert reply.body == (await api.get(f"/Groups/{group}")).body
    assert {member["value"] for member in reply.body["members"]} == {*people[:3], inner}


async def test_a_group_that_conflicts_adds_no_member_to_anything(api: Client) -> None:
    anna = await api.user("anna@x.org")
    await api.group("Sales")

    reply = await api.send(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "sales", "members": [{"value": anna}]}
    )

    assert reply.status == 409
    (rows,) = await one_trip(api.store, api.account.id, [("select count(*) from group_members", ())])
    assert rows[0][0] == 0


async def test_excluded_members_are_not_read(documo_database: Database) -> None:
    # A single connection, whose statistics count this test alone.
    async with open_store(documo_database, max_size=1) as store, documo_on(store) as documo:
        api = await documo.client()
        group = await api.group("Sales", await api.user("anna@x.org"))
        before = await member_rows_read(store)
        lean = await api.get(f"/Groups/{group}", excludedAttributes="members")
        listed = await api.send("GET", "/Groups", excludedAttributes="members", filter='displayName eq "Sales"')
        after_lean = await member_rows_read(store)
        await api.get(f"/Groups/{group}")
        after_whole = await member_rows_read(store)

    assert "members" not in lean.body and "members" not in listed.body["Resources"][0]
    assert after_lean == before < after_whole


async def member_rows_read(store: Store) -> int:
    await one_trip(store, 1, [("select pg_stat_force_next_flush()", ())])
    question = (
        "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'group_members'"
    )
    (found,) = await one_trip(store, 1, [(question, ())])
    return int(found[0][0])
