"""User names are compared as prepared by RFC 8265, and stored as they were sent."""

from __future__ import annotations

import unicodedata
from importlib import import_module

import orjson
import psycopg
import pytest

from documo import members
from documo.user_names import fault_of, key_of
from lockstep.errors import LockstepError
from tests.documo.test_documo_cases import PROFILES, case
from tests.support.documo_client import USER, Client, Documo

COMPOSED, WIDE = "jos\u00e9@p.test", "\uff4aos\u00e9@p.test"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


async def test_spellings_of_one_name_are_one_name_and_invisible_letters_are_refused(documo: Documo) -> None:
    first, *others = case("documo-03")["POST userName"]
    for profile in PROFILES:
        api = await documo.client(profile, profile=profile)
        user = await api.user(first)
        answers = [await api.send("POST", "/Users", {"schemas": [USER], "userName": name}) for name in others]

        assert [(reply.status, reply.body["scimType"]) for reply in answers] == [
            *[(409, "uniqueness")] * 2,
            *[(400, "invalidValue")] * 5,
        ], profile
        for spelling in (COMPOSED, DECOMPOSED, WIDE, COMPOSED.upper()):
            assert (await api.find(f'userName eq "{spelling}"')).ids == [user]
            assert (await api.find(f'userName sw "{spelling.partition("@")[0]}"')).ids == [user]
            assert (await api.find(f'userName co "{spelling}" and active eq true')).ids == [user]
        assert (await api.get(f"/Users/{user}")).body["userName"] == first


async def test_a_refused_name_is_told_with_the_character_that_is_wrong(api: Client) -> None:
    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": "zw\u200b@p.test"})

    assert "U+200B (ZERO WIDTH SPACE), an invisible character" in reply.body["detail"]


async def test_new_names_are_checked_in_every_way_of_giving_one(api: Client) -> None:
    user = await api.user("anna@p.test")
    body = {"schemas": [USER], "userName": "anna\u200b@p.test"}
    rename = {"op": "replace", "path": "userName", "value": "anna\u200b@p.test"}

    put = await api.send("PUT", f"/Users/{user}", body)
    patch = await api.patch(f"/Users/{user}", rename)

    assert [(r.status, r.body["scimType"]) for r in (put, patch)] == [(400, "invalidValue")] * 2
    with pytest.raises(LockstepError, match="U\\+200B"):
        await members.add_member(api.store, api.account.id, "anna\u200b@p.test", role="Member")


async def test_a_member_is_found_by_any_spelling_on_the_command_line(api: Client) -> None:
    await api.user(COMPOSED)

    assert (await members.show(api.store, api.account, WIDE))["user_name"] == COMPOSED
    await members.disable(api.store, api.account, DECOMPOSED)


async def test_external_ids_are_compared_letter_by_letter(api: Client) -> None:
    one = await api.user("one@p.test", externalId=COMPOSED)
    two = await api.user("two@p.test", externalId=DECOMPOSED)

    assert (await api.find(f'externalId eq "{COMPOSED}"')).ids == [one]
    assert (await api.find(f'externalId eq "{DECOMPOSED}"')).ids == [two]


async def spoil(api: Client, user: str, name: str) -> None:
    """Give a member the name and key that an older version, which did not prepare names, would have stored."""
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute(
            "update resources set unique_name = %s, document = document || %s where tenant_id = %s and id = %s",
            (name.casefold(), orjson.dumps({"userName": name}).decode(), api.account.id, user),
        )


async def test_a_name_from_before_the_rules_stays_until_it_is_changed(api: Client) -> None:
    user = await api.user("old@p.test")
    await spoil(api, user, "old\u200b@p.test")

    changed = await api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False})
    put = await api.send("PUT", f"/Users/{user}", {"schemas": [USER], "userName": "old\u200b@p.test", "title": "x"})
    renamed = await api.patch(f"/Users/{user}", {"op": "replace", "path": "userName", "value": "older\u200b@p.test"})

    assert (changed.status, changed.body["active"], put.status, renamed.status) == (200, False, 200, 400)


async def test_names_of_before_get_their_key_and_two_members_with_one_name_both_stay(api: Client) -> None:
    alone, first, second = [await api.user(f"{name}@p.test") for name in ("alone", "first", "second")]
    await spoil(api, alone, "zoe\u0308@p.test")
    await spoil(api, first, COMPOSED)
    await spoil(api, second, DECOMPOSED)

    with psycopg.connect(api.store.database.conninfo) as connection:
        import_module("documo.migrations.versions.0005_user_names").give_keys(connection)
    disabled = await api.patch(f"/Users/{second}", {"op": "replace", "path": "active", "value": False})

    assert (await api.find('userName eq "zo\u00eb@p.test"')).ids == [alone]
    assert (await api.find(f'userName eq "{DECOMPOSED}"')).ids == [first]
    assert (disabled.status, disabled.body["active"]) == (200, False), "who leaves is disabled under any name"
    assert (await api.get(f"/Users/{first}")).body["active"] is True


@pytest.mark.parametrize(
    "name", ["Anna", "anna smith", "o'neil@p.test", "\u05d3\u05d5\u05d3@p.test", "Stra\u00dfe", "\uff21nna", COMPOSED]
)
def test_names_that_people_have_are_taken(name: str) -> None:
    assert fault_of(name) == ""


@pytest.mark.parametrize(
    "name", ["", " ", "a ", " a", "a\u3000", "a\u00a0b", "a\u00adb", "a\x7fb", "\ufb01na", "\u0378"]
)
def test_names_that_look_like_others_are_refused(name: str) -> None:
    assert fault_of(name)


def test_the_key_of_a_key_is_itself() -> None:
    for name in ("ANNA", COMPOSED, DECOMPOSED, WIDE, "STRASSE", "Stra\u00dfe", "\u0390", "\u1fb3"):
        assert key_of(key_of(name)) == key_of(name)
