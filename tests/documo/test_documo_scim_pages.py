"""The pages about SCIM: the switch, the last day, the log of requests and their replay."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlencode

import aiohttp
import pytest

from documo.store import request_log as table
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import signed_in

SCRIPT = "<script>alert(1)</script>"


async def next_event(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event of a stream, beats apart."""
    async with asyncio.timeout(10):
        event: dict[str, str] = {}
        while True:
            line = (await answer.content.readline()).decode().rstrip("\n")
            name, _, value = line.partition(": ")
            event |= {name: value} if name in ("id", "event") else {}
            if not line and event.get("event") == "request":
                return event


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


async def test_share_of_refused_requests_has_a_decimal_unless_none_was_refused(api: Client) -> None:
    async with signed_in(api) as ada:
        await api.user("anna@x.org")
        await logged(api, 1)
        _, none = await ada.get("/settings/scim")
        for _ in range(2):
            await api.send("POST", "/Users", {"userName": "anna@x.org"})
        await logged(api, 3)
        _, some = await ada.get("/settings/scim")

    assert ">0% refused<" in none
    assert ">66.7% refused<" in some


async def test_request_is_shown_replayed_without_effect_and_copied_without_its_key(api: Client) -> None:
    await api.user("anna@x.org", title=SCRIPT)
    (entry,) = await logged(api, 1)
    async with signed_in(api) as ada:
        _, log = await ada.get("/settings/scim/logs?method=POST&status=2xx&text=users")
        _, none = await ada.get("/settings/scim/logs?status=5xx")
        _, detail = await ada.get(f"/settings/scim/logs/{entry}")
        _, replayed = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert entry in log and "No request matches this filter" in none
    assert "&lt;script&gt;" in detail and SCRIPT not in detail + replayed
    assert "$DOCUMO_KEY" in detail and api.token not in detail
    assert "Replayed now: 409, was 201" in replayed


async def test_bodies_are_indented_and_what_is_no_json_stays_as_it_is(api: Client) -> None:
    await api.user("anna@x.org", title="Clerk")
    await api.send("POST", "/Users", raw=b'{"userName": ')
    made, broken = await logged(api, 2)
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/settings/scim/logs/{made}")
        _, replayed = await ada.post(f"/settings/scim/logs/{made}/replay")
        _, other = await ada.get(f"/settings/scim/logs/{broken}")

    assert "\n  &#34;userName&#34;: &#34;anna@x.org&#34;,\n" in page
    assert "\n  &#34;status&#34;: &#34;409&#34;" in replayed
    assert "{&#34;userName&#34;: <" in other


async def test_request_of_another_account_is_not_found(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await beta.user("secret@x.org")
    (entry,) = await logged(beta, 1)
    async with signed_in(alpha) as ada:
        status, page = await ada.get(f"/settings/scim/logs/{entry}")
        replayed, _ = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert (status, replayed) == (404, 404) and "secret" not in page


async def test_replay_shows_what_differs_from_the_recorded_answer(api: Client) -> None:
    user = await api.user("anna@x.org", title="Clerk")
    boss = {"op": "replace", "path": "title", "value": "Boss"}
    await api.patch(f"/Users/{user}", boss, {"op": "replace", "path": "nickName", "value": SCRIPT})
    entry = (await logged(api, 2))[-1]
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "displayName", "value": "Anna"})
    async with signed_in(api) as ada:
        _, detail = await ada.get(f"/settings/scim/logs/{entry}")
        _, page = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert "&#34;2&#34;" in detail  # the recorded entity tag
    assert "Replayed now: 200, as recorded" in page
    assert "<del>&#34;2&#34;</del> <ins>&#34;3&#34;</ins>" in page
    changed = re.findall(r'<th scope="row" class="mono">([^<]+)</th>', page)
    assert set(changed) == {"etag", "displayName", "meta.lastModified", "meta.version"}
    assert "<ins>Anna</ins>" in page and SCRIPT not in page


async def test_replay_of_a_read_says_that_its_answer_was_not_kept(api: Client) -> None:
    await api.get("/Users")
    (entry,) = await logged(api, 1)
    async with signed_in(api) as ada:
        _, page = await ada.post(f"/settings/scim/logs/{entry}/replay")

    assert "The log does not store responses to GET, so the bodies are not compared" in page


async def test_requests_that_are_alike_share_a_row_that_opens(api: Client) -> None:
    for _ in range(3):
        await api.get("/Users")
    await api.get("/Groups")
    ids = await logged(api, 4)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim/logs")
        _, opened = await ada.get(f"/settings/scim/logs?run={ids[0]}")

    assert "GET /scim/v2/Groups" in page and "× 3" in page
    assert [one in page for one in ids] == [
        True,
        False,
        False,
        True,
    ]  # the run is opened by its first, the other row by itself
    assert all(f'href="/settings/scim/logs/{one}"' in opened for one in ids)


async def test_each_change_has_a_row_of_its_own(api: Client) -> None:
    for number in range(3):
        await api.user(f"u{number}@x.org")
    ids = await logged(api, 3)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim/logs")

    assert all(f'href="/settings/scim/logs/{one}"' in page for one in ids) and "× 3" not in page


async def test_burst_of_throttled_requests_is_one_row_whatever_they_asked(documo: Documo) -> None:
    api = await documo.client(rate_per_second=1, rate_burst=1)
    replies = [await api.get(f"/Users/{number}") for number in range(6)]
    assert [reply.status for reply in replies].count(429) == 5
    await logged(api, 6)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim/logs?status=429")

    assert "5 requests throttled" in page and "5 requests on this page" in page


async def test_older_rows_of_the_log_have_every_request_once(api: Client) -> None:
    for number in range(60):
        await api.get(f"/Users/{number}")
    ids = await logged(api, 50)
    async with asyncio.timeout(10):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                ids = [row["id"] for row in await table.rows(connection, api.account.id, limit=100)]
            if len(ids) == 60:
                break
            await asyncio.sleep(0.02)
    async with signed_in(api) as ada:
        _, first = await ada.get("/settings/scim/logs")
        older = re.search(r'href="(/settings/scim/logs\?after=[^"]+)"', first)
        assert older is not None
        _, second = await ada.get(older[1])

    shown = re.findall(r'href="/settings/scim/logs/(req_\w+)"', first + second)
    assert sorted(shown) == sorted(ids)


async def test_open_page_is_told_of_requests_and_continues_after_a_cut(api: Client) -> None:
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim/logs")
        assert 'data-live-topics="request" data-live-after=""' in page and 'id="stale"' in page
        answer = await ada.http.get(f"{ada.origin}/events?after=")
        await api.get("/Users")
        first = await next_event(answer)
        answer.close()
        await api.get("/Groups")
        ids = await logged(api, 2)
        again = await ada.http.get(f"{ada.origin}/events", headers={"Last-Event-ID": first["id"]})
        second = await next_event(again)
        again.close()

    assert [first["id"], second["id"]] == ids


async def test_stream_tells_nothing_of_other_accounts_and_is_for_admins_alone(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    async with signed_in(alpha) as ada, signed_in(alpha, "Member", "ben@x.org") as ben:
        answer = await ada.http.get(f"{ada.origin}/events")
        await beta.get("/Users")
        await logged(beta, 1)
        await alpha.get("/Users")
        event = await next_event(answer)
        answer.close()
        assert [event["id"]] == await logged(alpha, 1)
        async with ben.http.get(f"{ben.origin}/events") as refused:
            assert refused.status == 204


async def test_tail_that_is_paused_is_not_live(api: Client) -> None:
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim/logs?tail=paused")

    assert "data-live-topics" not in page and "Resume live tail" in page and "curl -H" in page


@pytest.mark.parametrize("typed", ['userName eq "anna@x.org"', "USERNAME EQ", "userName%20eq%20%22anna", "userName+eq"])
async def test_filter_of_a_request_is_shown_unescaped_and_found_in_any_form(api: Client, typed: str) -> None:
    await api.get("/Users?filter=userName%20eq%20%22anna@x.org%22")
    await api.get("/Users?filter=userName+eq+%22anna%40x.org%22")
    await api.get("/Groups")
    ids = await logged(api, 3)
    async with signed_in(api) as ada:
        _, log = await ada.get("/settings/scim/logs?" + urlencode({"text": typed}))
        _, page = await ada.get(f"/settings/scim/logs/{ids[0]}")

    shown = "/scim/v2/Users?filter=userName eq &#34;anna@x.org&#34;"
    assert shown in log and "/scim/v2/Groups" not in log
    assert shown in page


async def test_query_that_hides_a_line_break_stays_escaped(api: Client) -> None:
    await api.get("/Users?filter=a%0Ab")
    (entry,) = await logged(api, 1)
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/settings/scim/logs/{entry}")

    assert "/scim/v2/Users?filter=a%0Ab" in page


async def test_headers_of_the_response_stand_below_its_heading(api: Client) -> None:
    await api.user("anna@x.org")
    (entry,) = await logged(api, 1)
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/settings/scim/logs/{entry}")

    headings = ("<h2>Request</h2>", "<h2>Response</h2>", "Headers of the response", "<h2>Copy as curl</h2>")
    assert sorted(headings, key=page.index) == list(headings)
