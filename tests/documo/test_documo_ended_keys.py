"""An account's request log shows who still uses an ended key."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from documo.access import api_keys
from documo.access.ended_keys import MOST_A_MINUTE, MOST_KEYS, EndedKeys
from documo.cli.requests import _line
from documo.replay import replay_request
from documo.request_log import RequestLog
from documo.store import request_log as table
from documo.store.keys import KeyRow
from lockstep.errors import LockstepError
from tests.documo.test_documo_keys import granted, with_token
from tests.support.documo_client import Client, Documo
from tests.support.waiting import until


async def refusals(api: Client) -> list[dict[str, Any]]:
    async with api.store.tenant(api.account.id) as connection:
        return await table.rows(connection, api.account.id, statuses=(401, 401))


async def some_refusals(api: Client, number: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while len(found := await refusals(api)) < number:
            await asyncio.sleep(0.02)
    return found


async def refused(client: Client, path: str = "/Users") -> None:
    async def is_refused() -> bool:
        return (await client.get(path)).status == 401

    await until(is_refused)


async def replaced(api: Client, documo: Documo) -> tuple[KeyRow, Client]:
    """The ended key of *api*, and a client with its successor."""
    (old,) = await api_keys.list_keys(api.store, api.account.id)
    made = await api_keys.rotate_key(api.store, api.account.id, old.id, overlap=timedelta())
    await refused(api)
    return old, with_token(api, made.secret)


async def test_a_client_that_goes_on_with_the_old_key_stands_in_the_log_of_its_account(
    api: Client, documo: Documo
) -> None:
    other = await documo.client("Other")
    old, _ = await replaced(api, documo)

    entry = (await some_refusals(api))[0]
    (before,) = [key for key in await api_keys.list_keys(api.store, api.account.id) if key.id == old.id]

    assert (entry["method"], entry["path"], entry["status"], entry["key_id"]) == ("GET", "/scim/v2/Users", 401, old.id)
    assert entry["address"] == "127.0.0.1" and f"[key {old.name} {old.id[:8]} ended 20" in _line(entry)
    assert api.token not in repr(entry)
    assert before.last_used_at == old.last_used_at, "a key that is refused is not used"
    assert await refusals(other) == []
    with pytest.raises(LockstepError, match="request used a key that is no longer valid"):
        await replay_request(api.store, api.account.id, entry)


async def test_ended_keys_are_noted_at_every_door_and_tokens_count_as_their_key(api: Client, documo: Documo) -> None:
    (old,) = await api_keys.list_keys(api.store, api.account.id)
    _, answer = await granted(api, documo)
    token = with_token(api, answer["access_token"])
    await api_keys.revoke_key(api.store, api.account.id, old.id)
    await refused(token, "/Groups")
    async with api.session.post(
        documo.running.api_url + "/events/x", headers={"Authorization": f"Bearer {api.token}"}
    ) as response:
        polled = response.status
    status, _ = await granted(api, documo)

    found = await some_refusals(api, 3)

    assert (polled, status) == (401, 401)
    assert {entry["path"] for entry in found} == {"/scim/v2/Groups", "/events/x", "/oauth/token"}
    assert {entry["key_id"] for entry in found} == {old.id}


async def test_a_token_that_expires_while_its_key_lives_is_not_noted(api: Client, documo: Documo) -> None:
    _, answer = await granted(api, documo)
    async with api.store.control() as connection:
        await connection.execute("update api_keys set expires_at = now() where kind = 'token'")
    await refused(with_token(api, answer["access_token"]))
    await refused(with_token(api, "dk_live_" + "0" * 64))
    old, _ = await replaced(api, documo)

    assert {entry["key_id"] for entry in await some_refusals(api)} == {old.id}
    assert len({entry["path"] for entry in await refusals(api)}) == 1


async def test_one_key_fills_the_log_no_faster_than_so_many_a_minute(api: Client) -> None:
    keys = EndedKeys(api.store, RequestLog(api.store))

    first = [keys.may_note("a", at=float(second)) for second in range(60)]
    later = [keys.may_note("a", at=60.0), keys.may_note("b", at=60.0)]
    for number in range(MOST_KEYS):
        keys.may_note(f"k{number}", at=61.0)

    assert first.count(True) == MOST_A_MINUTE and first[:MOST_A_MINUTE] == [True] * MOST_A_MINUTE
    assert later == [True, True]
    assert len(keys._noted) == MOST_KEYS
