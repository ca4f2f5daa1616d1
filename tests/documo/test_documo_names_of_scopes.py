"""The names of scopes: names from before 0.1.0 are replaced in the database, and still accepted as input."""

from __future__ import annotations

from pathlib import Path

import pytest

from documo.access import api_keys
from documo.audit_log import AccountAuditFilter, find_entries
from documo.migrations import versions
from tests.documo.test_documo_keys import granted
from tests.support.documo_client import Client, Documo

MIGRATION = Path(next(iter(versions.__path__)), "0021_names_of_scopes.sql")


async def test_keys_of_an_older_version_get_the_present_names_and_keep_working(api: Client, documo: Documo) -> None:
    reader = await api_keys.create_key(api.store, api.account.id, name="reader", scopes=("scim:read",))
    both = await api_keys.create_key(api.store, api.account.id, name="both", scopes=("scim:groups", "admin"))
    async with api.store.control() as connection:
        for key, scopes in ((reader, ["read"]), (both, ["users", "groups", "admin"])):
            await connection.execute("update api_keys set scopes = %s where id = %s", (scopes, key.id))
    before = await _entries(api)

    async with api.store.control() as connection:
        await connection.execute(MIGRATION.read_bytes())

    found = {key.name: list(key.scopes) for key in await api_keys.list_keys(api.store, api.account.id)}
    with_reader = Client(api.session, api.url, reader.secret, api.account, api.store)
    assert (found["reader"], found["both"]) == (["scim:read"], ["scim:users", "scim:groups", "admin"])
    assert (await with_reader.get("/Users")).status == 200
    assert await _entries(api) == before, "nobody changed a key"


async def test_key_that_was_changed_after_the_upgrade_is_in_the_audit_log(api: Client) -> None:
    async with api.store.control() as connection:
        await connection.execute(MIGRATION.read_bytes())
    before = await _entries(api)

    (key, *_) = await api_keys.list_keys(api.store, api.account.id)
    await api_keys.revoke_key(api.store, api.account.id, key.id)

    assert len(await _entries(api)) == len(before) + 1


async def _entries(api: Client) -> list[str]:
    return [
        one.id for one in await find_entries(api.store, api.account.id, AccountAuditFilter(kind="API key"), most=500)
    ]


@pytest.mark.parametrize(
    ("former", "present"), [("read", "scim:read"), ("users", "scim:users"), ("groups", "scim:groups")]
)
async def test_former_name_of_a_scope_is_accepted_and_the_present_one_stored_and_shown(
    api: Client, documo: Documo, former: str, present: str
) -> None:
    made = await api_keys.create_key(api.store, api.account.id, name="former", scopes=(former,))
    status, answer = await granted(api, documo, scope=former)

    stored = {key.name: key.scopes for key in await api_keys.list_keys(api.store, api.account.id)}
    assert made.scopes == (present,) and list(stored["former"]) == [present]
    assert (status, answer["scope"]) == (200, present)


async def test_former_name_of_a_scope_gives_a_token_no_more_than_its_key_has(api: Client, documo: Documo) -> None:
    reader = await documo.client("Reader", scopes=("scim:read",))

    assert (await granted(reader, documo, scope="read"))[0] == 200
    assert (await granted(reader, documo, scope="users"))[0] == 400
