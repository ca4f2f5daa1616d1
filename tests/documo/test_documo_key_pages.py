"""The page of API keys: what each column says, when it warns, and what creating, rolling and revoking a key do."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import lxml.html
import pytest

from documo.access import api_keys
from documo.access.api_keys import NewKey
from documo.store import keys as table
from tests.support.documo_client import Client
from tests.support.documo_pages import signed_in

HERE = "/settings/api-keys"


async def key(api: Client, name: str, **given: object) -> NewKey:
    return await api_keys.create_key(api.store, api.account.id, name=name, **given)  # type: ignore[arg-type]


def rows_of(page: str) -> dict[str, dict[str, str]]:
    """The cells of the table of current keys, by the key's name and the heading of the column."""
    table = lxml.html.document_fromstring(page).xpath('//div[@aria-label="API keys"]/table')[0]
    headings = [one.text_content().strip() for one in table.xpath("./thead/tr/th")]
    rows = {}
    for row in table.xpath("./tbody/tr"):
        cells = [" ".join(one.text_content().split()) for one in row.xpath("./th|./td")]
        name = str(row.xpath("./th")[0].text)
        rows[name] = dict(zip(headings, cells, strict=True))
    return rows


def used_with(api: Client, made: NewKey) -> Client:
    return Client(api.session, api.url, made.secret, api.account, api.store)


async def test_columns_say_what_the_key_is_who_made_it_and_how_it_is_used(api: Client) -> None:
    made = await key(
        api, "Entra", scopes=("scim:read", "scim:users"), expires_in=timedelta(days=90), created_by="ada@x.org"
    )
    await key(api, "Idle", scopes=("scim:groups",))
    for _ in range(3):
        await used_with(api, made).send("GET", "/Users", headers={"User-Agent": "Microsoft-Entra-Provisioning/1.0"})
    async with signed_in(api) as ada:
        async with asyncio.timeout(10):
            while (row := rows_of((await ada.get(HERE))[1])["Entra"])["Requests, 7 days"] != "3" or row[
                "Last used"
            ] == "Never":
                await asyncio.sleep(0.05)
        _, page = await ada.get(HERE)

    entra, idle = rows_of(page)["Entra"], rows_of(page)["Idle"]
    assert entra["Name"] == f"Entra{made.prefix}…{made.secret[-4:]}" and made.secret not in page
    assert entra["Scopes"] == "scim:read, scim:users" and entra["Created by"].startswith("ada@x.org")
    assert "by Entra" in entra["Last used"] and entra["Last used"].endswith("127.0.0.1")
    assert "Microsoft-Entra-Provisioning/1.0" in page
    assert entra["Expires"] != "Never" and entra["Requests, 7 days"] == "3"
    assert (idle["Last used"], idle["Expires"], idle["Requests, 7 days"]) == ("Never", "Never", "0")


@pytest.mark.parametrize(("days", "warns"), [(13, True), (15, False), (None, False)])
async def test_page_warns_fourteen_days_before_a_key_expires(api: Client, days: int | None, warns: bool) -> None:
    made = await key(api, "Entra", expires_in=timedelta(days=days) if days else None)
    async with signed_in(api) as ada:
        _, page = await ada.get(HERE)

    day = made.expires_at.strftime("%d %b %Y") if made.expires_at else ""
    assert (f"The key Entra expires on {day}" in page) is warns


async def test_key_is_revealed_once(api: Client) -> None:
    async with signed_in(api) as ada:
        _, page = await ada.post(HERE, name="Entra", scope="scim:read", days="90")
        found = re.search(r"dk_live_[0-9a-f]{64}", page)
        _, again = await ada.get(HERE)

    assert found is not None and "I have stored it" in page
    assert found[0] not in again
    row = rows_of(again)["Entra"]
    assert row["Scopes"] == "scim:read" and row["Created by"].startswith("ada@x.org")


@pytest.mark.parametrize(("hours", "still_valid"), [("24", True), ("0", False)])
async def test_rolled_key_works_until_the_overlap_is_over(api: Client, hours: str, still_valid: bool) -> None:
    old = await key(api, "Entra", scopes=("scim:read",), expires_in=timedelta(days=90))
    async with signed_in(api) as ada:
        _, dialog = await ada.get(f"{HERE}?dialog=roll-{old.id}")
        _, page = await ada.post(f"{HERE}/{old.id}/roll", overlap=hours)
        found = re.search(r"dk_live_[0-9a-f]{64}", page)
    assert found is not None and found[0] != old.secret and "The old key ends" in dialog

    new = Client(api.session, api.url, found[0], api.account, api.store)
    assert (await new.get("/Users")).status == 200
    async with asyncio.timeout(5):
        while ((await used_with(api, old).get("/Users")).status == 200) is not still_valid:
            await asyncio.sleep(0.02)
    ends = {one.id: one for one in await api_keys.list_keys(api.store, api.account.id) if one.name == "Entra"}
    (successor,) = [one for one in ends.values() if one.id != old.id]
    assert (list(successor.scopes), successor.expires_at) == (["scim:read"], old.expires_at)
    replaced = ends[old.id].expires_at
    assert replaced is not None
    expected = datetime.now(UTC) + timedelta(hours=int(hours))
    assert abs(replaced - expected) < timedelta(minutes=1)


@pytest.mark.parametrize("typed", ["", "entra", "Okta", "Entr"])
async def test_key_that_was_used_is_revoked_only_when_its_name_is_typed(api: Client, typed: str) -> None:
    made = await key(api, "Entra")
    await used_with(api, made).get("/Users")
    async with asyncio.timeout(10):
        while not [
            one for one in await api_keys.list_keys(api.store, api.account.id) if one.id == made.id and one.last_used_at
        ]:
            await asyncio.sleep(0.02)
    async with signed_in(api) as ada:
        status, page = await ada.post(f"{HERE}/{made.id}/revoke", confirmation=typed)
        assert status == 409 and "Type Entra" in page
        assert (await used_with(api, made).get("/Users")).status == 200


async def test_key_that_nobody_has_used_is_revoked_without_typing_its_name(api: Client) -> None:
    made = await key(api, "Entra")
    async with signed_in(api) as ada:
        _, dialog = await ada.get(f"{HERE}?dialog=revoke-{made.id}")
        _, page = await ada.post(f"{HERE}/{made.id}/revoke")

    assert "It has never been used" in dialog and "to confirm" not in dialog
    assert "Requests with this key are refused from now on" in page
    [row] = [one for one in await api_keys.list_keys(api.store, api.account.id) if one.id == made.id]
    assert row.revoked_at is not None


async def test_fetching_a_token_and_using_it_are_uses_of_its_key(api: Client) -> None:
    made = await key(api, "Entra")

    async def agent() -> str | None:
        [row] = [one for one in await api_keys.list_keys(api.store, api.account.id) if one.id == made.id]
        return row.last_used_agent

    form = {"grant_type": "client_credentials", "client_id": made.id, "client_secret": made.secret}
    endpoint = f"{api.url.removesuffix('/scim/v2')}/oauth/token"
    async with api.session.post(endpoint, data=form, headers={"User-Agent": "Fetcher/1"}) as answer:
        token = (await answer.json())["access_token"]
    assert await agent() == "Fetcher/1"
    with_token = Client(api.session, api.url, token, api.account, api.store)
    await with_token.send("GET", "/Users", headers={"User-Agent": "Reader/1"})
    async with asyncio.timeout(10):
        while await agent() != "Reader/1":
            await asyncio.sleep(0.02)
    async with signed_in(api) as ada:
        status, page = await ada.post(f"{HERE}/{made.id}/revoke")
    assert status == 409 and "Type Entra" in page


async def test_older_use_that_is_noted_later_does_not_replace_a_newer_one(api: Client) -> None:
    made, now = await key(api, "Entra"), datetime.now(UTC)
    async with api.store.control() as connection:
        await table.note_use(connection, [(made.id, now, "127.0.0.1", "Fetcher/1")])
        await table.note_use(connection, [(made.id, now - timedelta(seconds=1), "127.0.0.1", "Reader/1")])

    [row] = [one for one in await api_keys.list_keys(api.store, api.account.id) if one.id == made.id]
    assert (row.last_used_agent, row.last_used_at) == ("Fetcher/1", now)


async def test_revoking_says_how_the_key_was_used_and_refuses_its_requests(api: Client) -> None:
    made = await key(api, "Entra")
    await used_with(api, made).send("GET", "/Users", headers={"User-Agent": "Okta SCIM Client 1.0"})
    async with signed_in(api) as ada:
        async with asyncio.timeout(10):
            while "Used " not in (dialog := (await ada.get(f"{HERE}?dialog=revoke-{made.id}"))[1]):
                await asyncio.sleep(0.05)
        _, page = await ada.post(f"{HERE}/{made.id}/revoke", confirmation="Entra")
    async with asyncio.timeout(5):
        while (await used_with(api, made).get("/Users")).status != 401:
            await asyncio.sleep(0.02)

    plain = " ".join(re.sub(r"<[^>]+>", " ", dialog).split())
    assert "by Okta from 127.0.0.1" in plain and "in the last 7 days" in plain
    assert "Entra" not in rows_of(page) and "(revoked)" in page and "1 key ended" in page
