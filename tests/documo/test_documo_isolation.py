"""No data of one account reaches another, not even with that account's ids, cursors, versions and keys."""

from __future__ import annotations

import psycopg
import pytest

from documo.accounts import account_with_id
from documo.store import resources
from documo.store.round_trip import one_trip
from lockstep.errors import LockstepError
from tests.support.documo_client import PATCH, USER, Client, Documo
from tests.support.documo_pages import signed_in

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


async def test_ids_of_another_account_do_not_exist(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user = await theirs.user("secret@beta.example", title="Secret")
    group = await theirs.group("Secret", user)

    for path in (f"/Users/{user}", f"/Groups/{group}"):
        own_answer = await mine.get(f"/Users/{user[:-1]}{'0' if user[-1] != '0' else '1'}")
        for reply in (
            await mine.get(path),
            await mine.patch(path, {"op": "replace", "path": "displayName", "value": "x"}),
            await mine.send("PUT", path, {"schemas": [USER], "userName": "x", "displayName": "x"}),
            await mine.send("DELETE", path),
            await mine.send("GET", path, headers={"If-None-Match": "*"}),
        ):
            assert reply.status in (404, 400) and b"secret" not in reply.raw.lower()
        assert own_answer.status == 404
    assert (await theirs.get(f"/Users/{user}")).body["title"] == "Secret"


async def test_account_called_like_the_number_of_another_is_never_taken_for_it(documo: Documo) -> None:
    mine, other = await documo.client("Alpha"), await documo.client("Beta")
    async with mine.store.control() as connection:  # which earlier code allowed
        await connection.execute(
            "update accounts set name = %s where id = %s", (str(mine.account.id), other.account.id)
        )

    user = await mine.user("a@alpha.example")
    async with signed_in(mine) as ada:
        _, page = await ada.get("/own-account")
        await ada.post("/settings/scim/users", default_role="Viewer", deprovision_action="delete")

    assert (await other.get(f"/Users/{user}")).status == 404
    assert "Alpha" in page
    settings = [await account_with_id(mine.store, one.account.id) for one in (mine, other)]
    assert [one.default_role for one in settings] == ["Viewer", "Member"]


@pytest.mark.parametrize("name", ["42", " 42 ", "\N{ARABIC-INDIC DIGIT FOUR}"])
async def test_account_cannot_be_named_like_a_number(documo: Documo, name: str) -> None:
    with pytest.raises(LockstepError, match="mistaken for the account with that number"):
        await documo.client(name)


async def test_filters_lists_and_searches_see_one_account_only(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user = await theirs.user(
        "secret@beta.example", externalId="s-1", emails=[{"value": "secret@beta.example", "type": "work"}]
    )
    group = await theirs.group("Secret", user)

    for path, question in (
        ("/Users", 'userName eq "secret@beta.example"'),
        ("/Users", 'emails.value eq "secret@beta.example"'),
        ("/Users", 'emails[type eq "work" and value co "secret"]'),
        ("/Users", 'externalId eq "s-1"'),
        ("/Users", f'id eq "{user}"'),
        ("/Users", f'groups.value eq "{group}"'),
        ("/Users", 'groups.display co "secret"'),
        ("/Groups", f'members.value eq "{user}"'),
        ("/Groups", 'displayName sw "secret"'),
        ("/", 'displayName pr or userName co "secret"'),
    ):
        reply = await mine.find(question, path)
        assert reply.status == 200 and b"secret" not in reply.raw.lower(), (path, question)
    assert (await mine.get("/Users")).body["totalResults"] == 1


async def test_a_cursor_of_another_account_is_refused(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    for number in range(3):
        await theirs.user(f"p{number}@beta.example")
    cursor = (await theirs.get("/Users", count="1", cursor="")).body["nextCursor"]

    reply = await mine.get("/Users", count="1", cursor=cursor)

    assert (reply.status, reply.body["scimType"]) == (400, "invalidCursor")
    assert (await theirs.get("/Users", count="1", cursor=cursor)).status == 200


async def test_members_of_another_account_cannot_be_added(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user = await theirs.user("secret@beta.example")
    group = await mine.group("Mine")

    await mine.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": user}]})

    assert await mine.member_ids(group) == set()
    assert "groups" not in (await theirs.get(f"/Users/{user}")).body


async def test_bulk_reaches_one_account_only(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    user = await theirs.user("secret@beta.example", title="Secret")
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "x"}]}

    reply = await mine.send(
        "POST",
        "/Bulk",
        {"schemas": [BULK], "Operations": [
            {"method": "PATCH", "path": f"/Users/{user}", "data": patch},
            {"method": "DELETE", "path": f"/Users/{user}"},
        ]},
    )  # fmt: skip

    assert [operation["status"] for operation in reply.body["Operations"]] == ["404", "404"]
    assert (await theirs.get(f"/Users/{user}")).body["title"] == "Secret"


async def test_a_manager_of_another_account_has_no_name(documo: Documo) -> None:
    mine, theirs = await documo.client("Alpha", profile="entra"), await documo.client("Beta")
    boss = await theirs.user("boss@beta.example", displayName="Secret Boss")
    extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    user = await mine.user("a@x.org", **{extension: {"manager": {"value": boss}}})

    reply = await mine.get(f"/Users/{user}")

    assert b"Secret" not in reply.raw


async def test_the_same_user_name_may_exist_in_both(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair

    assert await mine.user("same@x.org") != await theirs.user("same@x.org")


async def test_row_level_security_hides_rows_from_a_statement_that_forgot_the_tenant(
    pair: tuple[Client, Client],
) -> None:
    mine, theirs = pair
    user = await theirs.user("secret@beta.example")

    (seen, groups) = await one_trip(
        mine.store,
        mine.account.id,
        [("select distinct tenant_id from resources", ()), ("select id from resources where id = %s", (user,))],
    )
    async with mine.store.control() as connection:
        cursor = await connection.execute("select count(*) from resources")
        without_tenant = await cursor.fetchone()

    assert (seen, groups, without_tenant) == ([(mine.account.id,)], [], (0,))


async def test_row_level_security_refuses_a_write_into_another_account(pair: tuple[Client, Client]) -> None:
    mine, theirs = pair
    statement, values = resources.count_change(theirs.account.id, "User", 1)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await one_trip(mine.store, mine.account.id, [(statement, values)])
