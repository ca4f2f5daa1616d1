"""The pages about SCIM: the switch, the last day, the log of requests and their replay."""

from __future__ import annotations

import asyncio

from documo.store import request_log as table
from tests.support.documo_client import Client
from tests.support.documo_pages import signed_in

SCRIPT = "<script>alert(1)</script>"


async def logged(api: Client, count: int) -> list[str]:
    """The ids of the log's entries once it has *count*, oldest first."""
    async with asyncio.timeout(10):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                rows = await table.rows(connection, api.account.id)
            if len(rows) >= count:
                return [row["id"] for row in rows]
            await asyncio.sleep(0.02)


async def test_account_that_switches_scim_off_refuses_requests_until_it_is_on(api: Client) -> None:
    async with signed_in(api) as ada:
        await ada.post("/settings/scim/enabled")
        async with asyncio.timeout(10):
            while (refused := await api.get("/Users")).status != 403:
                await asyncio.sleep(0.02)
        _, page = await ada.get("/settings/scim")
        await ada.post("/settings/scim/enabled", enabled="on")
        async with asyncio.timeout(10):
            while (await api.get("/Users")).status != 200:
                await asyncio.sleep(0.02)

    assert refused.body["status"] == "403" and "switched off" in refused.body["detail"]
    assert "Switch on" in page


async def test_request_is_shown_replayed_without_effect_and_copied_without_its_key(api: Client) -> None:
    await api.user("anna@x.org", title=SCRIPT)
    (entry,) = await logged(api, 1)
    async with signed_in(api) as ada:
        _, log = await ada.get("/settings/scim/logs?method=POST&status=2xx&text=users")
        _, none = await ada.get("/settings/scim/logs?status=5xx")
        _, detail = await ada.get(f"/settings/scim/logs/{entry}")
        _, replayed = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert entry in log and "No request passes this filter" in none
    assert "&lt;script&gt;" in detail and SCRIPT not in detail + replayed
    assert "$DOCUMO_KEY" in detail and api.token not in detail
    assert "Replayed now: 409, was 201" in replayed


async def test_request_of_another_account_is_not_found(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await beta.user("secret@x.org")
    (entry,) = await logged(beta, 1)
    async with signed_in(alpha) as ada:
        status, page = await ada.get(f"/settings/scim/logs/{entry}")
        replayed, _ = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert (status, replayed) == (404, 404) and "secret" not in page
