"""The request log: complete, without secrets, and able to say what a request would get now."""

from __future__ import annotations

import asyncio
from typing import Any

from documo_client import USER, Client

from documo.cli.requests import as_curl
from documo.replay import replay_request
from documo.store import request_log as table


async def logged(api: Client, method: str, number: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                found = await table.rows(connection, api.account.id, limit=1000)
            mine = [entry for entry in found if entry["method"] == method]
            if len(mine) >= number:
                return mine
            await asyncio.sleep(0.02)


async def test_secrets_never_reach_the_log(api: Client) -> None:
    secret = "hunter2-hunter2"
    user = await api.user("a@x.org", password=secret)
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "password", "value": secret})
    await api.patch(f"/Users/{user}", {"op": "replace", "value": {"Password": secret}})
    await api.send("PATCH", f"/Users/{user}", raw=b'{"password": "' + secret.encode())
    await api.send("POST", "/Users", {"schemas": [USER], "userName": "b@x.org", "title": api.token})

    entries = await logged(api, "PATCH", 3) + await logged(api, "POST", 2)

    text = repr(entries)
    assert secret not in text and api.token not in text and "***" in text


async def test_replay_shows_the_present_answer_and_leaves_nothing(api: Client) -> None:
    await api.user("a@x.org")
    await api.send("POST", "/Users", {"schemas": [USER], "userName": "A@x.org"})
    first, second = await logged(api, "POST", 2)
    user = (await api.find('userName eq "a@x.org"')).ids[0]
    await api.send("DELETE", f"/Users/{user}")

    async with api.store.tenant(api.account.id) as connection:
        whole = await table.entry(connection, api.account.id, second["id"])
    assert whole is not None and first["status"] == 201
    answer = await replay_request(api.store, api.account.id, whole)

    assert (answer["was"], answer["status"]) == (409, 201)
    assert (await api.find('userName eq "a@x.org"')).ids == []


async def test_a_request_can_be_taken_away_as_curl_without_its_key(api: Client) -> None:
    await api.user("o'neill@x.org")
    (entry,) = await logged(api, "POST")

    command = as_curl(entry)

    assert command.startswith("curl -i -X POST") and "$DOCUMO_KEY" in command
    assert api.token not in command and "neill@x.org" in command


async def test_another_accounts_log_is_not_seen(api: Client) -> None:
    await api.user("a@x.org")
    await logged(api, "POST")

    async with api.store.tenant(api.account.id + 1) as connection:
        assert await table.rows(connection, api.account.id) == []


async def test_request_whose_path_is_not_utf8_is_logged_too(api: Client) -> None:
    reply = await api.send("GET", "/Users/%FF")

    (entry,) = await logged(api, "GET")
    assert (reply.status, entry["status"]) == (400, 400)
    assert "/Users/" in entry["path"]
