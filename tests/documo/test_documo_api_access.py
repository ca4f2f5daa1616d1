"""An account whose plan does not include the API: programs are refused and told why; people and their pages are not affected."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson

from documo import accounts
from documo.access import api_keys
from documo.events.streams import add_stream
from documo.replay import replay_request
from documo.store import request_log as table
from tests.documo.test_documo_keys import granted
from tests.support.documo_client import USER, Client, Documo
from tests.support.documo_pages import signed_in


async def close_api(api: Client) -> None:
    """Take the API out of the plan, and wait until requests are refused."""
    await accounts.change_account(api.store, api.account.name, {"plan": "starter", "api_enabled": False})
    async with asyncio.timeout(5):
        while (await api.get("/ServiceProviderConfig")).status != 403:
            await asyncio.sleep(0.01)


async def logged(api: Client, path: str) -> dict[str, Any]:
    """The newest refused request for *path* in the log."""
    async with asyncio.timeout(5):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                found = await table.rows(connection, api.account.id, statuses=(403, 403))
                entries = [one for one in found if one["path"].endswith(path)]
                if entries:
                    entry = await table.entry(connection, api.account.id, entries[-1]["id"])
                    assert entry is not None
                    return entry
            await asyncio.sleep(0.02)


async def test_scim_request_names_the_plan_and_the_cure_and_is_in_the_log(api: Client) -> None:
    await close_api(api)
    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": "anna@x.org"})
    entry = await logged(api, "/Users")

    assert (reply.status, reply.body["status"]) == (403, "403")
    assert reply.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert "'starter' of this account does not include access to the API" in reply.body["detail"]
    assert "Ask Documo for a plan" in reply.body["detail"]
    assert (entry["status"], entry["method"]) == (403, "POST") and "starter" in entry["response_body"]

    again = await replay_request(api.store, api.account.id, entry)
    assert (again["status"], orjson.loads(again["body"])["detail"]) == (403, reply.body["detail"])


async def test_every_door_for_programs_is_closed_and_opens_again(api: Client, documo: Documo) -> None:
    made = await add_stream(api.store, api.account.id, delivery="poll", audience="https://app.example")
    url = f"{documo.running.api_url}/events/{made.stream.id}"
    headers = {"Authorization": f"Bearer {api.token}"}

    async def doors() -> list[int]:
        async with api.session.post(url, json={"returnImmediately": True}, headers=headers) as polled:
            return [(await api.get("/Users")).status, (await granted(api, documo))[0], polled.status]

    assert await doors() == [200, 200, 200]
    await close_api(api)
    _, refused = await granted(api, documo)
    assert await doors() == [403, 400, 403]
    assert refused["error"] == "unauthorized_client" and "'starter'" in refused["error_description"]

    await accounts.change_account(api.store, api.account.name, {"api_enabled": True})
    async with asyncio.timeout(5):
        while await doors() != [200, 200, 200]:
            await asyncio.sleep(0.01)


async def test_tokens_that_were_issued_before_are_refused_too(api: Client, documo: Documo) -> None:
    _, answer = await granted(api, documo)
    await close_api(api)

    assert (await api.get("/Users", headers={"Authorization": f"Bearer {answer['access_token']}"})).status == 403


async def test_other_accounts_keep_their_api(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await close_api(alpha)

    assert (await beta.get("/Users")).status == 200


async def test_pages_say_so_and_offer_nothing_that_would_fail(api: Client) -> None:
    made = await api_keys.create_key(api.store, api.account.id, name="entra", expires_in=timedelta(days=90))
    async with signed_in(api) as ada:
        _, before = await ada.get("/settings/api-keys")
        await accounts.change_account(api.store, api.account.name, {"api_enabled": False})
        _, keys = await ada.get("/settings/api-keys")
        _, scim = await ada.get("/settings/scim")
        _, account = await ada.get("/settings/account")
        created, said = await ada.post("/settings/api-keys", name="new", scope="scim:read")
        rolled, _ = await ada.post(f"/settings/api-keys/{made.id}/roll")
        revoked, _ = await ada.post(f"/settings/api-keys/{made.id}/revoke", confirmation="entra")

    assert "Create key" in before and "Roll entra" in before and "does not include" not in before
    assert "Your plan does not include access to the API" in keys and "Revoke entra" in keys
    assert "Create key" not in keys and "Roll entra" not in keys
    assert "Not in your plan" in scim and "Switch o" not in scim
    assert "Not included in the plan" in account
    assert (created, rolled, revoked) == (403, 403, 200)
    assert "no key can be created" in said
    assert len(await api_keys.list_keys(api.store, api.account.id)) == 2
