"""The request log: complete, without secrets, and able to replay a request on the current data."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documo.replay import as_curl, replay_request
from documo.store import request_log as table
from tests.support.documo_client import PATCH, USER, Client

SECRET = "MixedCasePw-1234567"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


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


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "Path": "password", "Value": SECRET},
        {"OP": "replace", "PATH": "PassWord", "VALUE": SECRET},
        {"op": "replace", "path": f"{USER}:password", "value": SECRET},
        {"op": "replace", "path": "/password", "value": SECRET},
        {"op": "replace", "path": f"/{USER}/password", "value": SECRET},
        {"op": "replace", "pa\u0074h": "password", "value": SECRET},
        {"op": "add", "value": {USER: {"Password": SECRET}}},
        {"op": "add", "value": {"password": [{"value": SECRET}]}},
        {"op": "add", "path": f'emails[value eq "{SECRET}" and password eq "x"]', "value": "x"},
    ],
)
async def test_passwords_are_hidden_whatever_the_spelling_of_their_names(
    api: Client, operation: dict[str, Any]
) -> None:
    user = await api.user("a@x.org")
    bulk = {"method": "PATCH", "path": f"/Users/{user}", "data": {"schemas": [PATCH], "Operations": [operation]}}

    await api.patch(f"/Users/{user}", operation)
    await api.send("POST", "/Bulk", {"schemas": [BULK], "Operations": [bulk]})

    entries = await logged(api, "PATCH") + await logged(api, "POST", 2)
    assert SECRET not in repr(entries) and "***" in repr(entries)


@pytest.mark.parametrize("path", ["password", "/password", f"/{USER}/Password"])
async def test_request_that_set_a_password_can_be_replayed(api: Client, path: str) -> None:
    user = await api.user("a@x.org")
    await api.patch(f"/Users/{user}", {"op": "Replace", "Path": path, "Value": SECRET})
    (entry,) = await logged(api, "PATCH")

    async with api.store.tenant(api.account.id) as connection:
        whole = await table.entry(connection, api.account.id, entry["id"])
    assert whole is not None and path in whole["request_body"]

    assert (await replay_request(api.store, api.account.id, whole))["status"] == 200


async def test_a_key_in_a_url_or_a_user_agent_is_not_logged(api: Client) -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"
    key, escaped = api.token, "%" + f"{ord('d'):x}" + api.token[1:]
    for path in (f"/Users/{key}", f"/{key}/Users", f"/Users/{escaped}", f"/Users?token={key}", f"/Users?t={escaped}"):
        await api.send("GET", path, headers={"User-Agent": f"client/{key}"})
    await api.send("GET", f"/Users/{jwt}")

    entries = await logged(api, "GET", 6)

    assert len(entries) == 6 and all(part not in repr(entries) for part in (key, key[4:], jwt))
    assert all(entry["path"].startswith("/scim/v2/") for entry in entries)


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
