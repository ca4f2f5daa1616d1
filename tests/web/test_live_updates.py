"""`/events`: who receives what, and how a page continues after a cut."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from lockstep.actions import applications
from lockstep.actions.live import RESET, Topic, live_hub
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import sign_out
from lockstep.kit import streams
from lockstep.storage.notices import notify
from tests.support.admin_centre import Browser, Centre

PATIENCE = 10.0  # seconds; only a test that fails waits so long


async def read_event(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event; comments and the retry line are passed over."""
    async with asyncio.timeout(PATIENCE):
        event: dict[str, str] = {}
        while True:
            line = (await answer.content.readline()).decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if not line and "event" in event:
                return event
            if name in ("id", "event", "data"):
                event[name.rstrip(":")] = value


async def open_events(browser: Browser, after: str = "") -> aiohttp.ClientResponse:
    headers = {"Last-Event-ID": after} if after else {}
    answer = await browser.http.get(f"{browser.origin}/events", headers=headers)
    assert (await answer.content.readline()).startswith(b"retry:")
    return answer


async def test_a_page_is_told_of_a_change_and_continues_after_a_cut_without_a_gap(
    centre: Centre, admin: Browser
) -> None:
    await centre.live.connected.wait()
    answer = await open_events(admin)
    assert answer.headers["Content-Type"].startswith("text/event-stream")

    await applications.add_application(centre.hub.context, "documo")
    first = await read_event(answer)
    answer.close()
    await applications.add_application(centre.hub.context, "documo", name="second")
    seen = (await read_event(await open_events(admin, first["id"])))["id"]

    assert first["event"] == Topic.CHANGE
    assert int(seen.rpartition("-")[2]) == int(first["id"].rpartition("-")[2]) + 1


async def test_a_page_is_told_what_happened_between_its_reading_and_its_listening(
    centre: Centre, admin: Browser
) -> None:
    await centre.live.connected.wait()
    page = await admin.get("/")
    read_after = re.search(r'data-live-after="([^"]+)"', page.html)
    assert read_after is not None

    await applications.add_application(centre.hub.context, "documo")
    while centre.live.latest == read_after[1]:
        await asyncio.sleep(0.01)
    answer = await admin.http.get(f"{admin.origin}/events", params={"after": read_after[1]})

    event = await read_event(answer)
    assert event["event"] == Topic.CHANGE


async def test_a_page_that_was_read_before_the_database_was_listened_to_reads_everything_again(
    centre: Centre,
) -> None:
    async with live_hub(centre.hub.pool) as live:
        before = live.latest
        await live.connected.wait()
        with live.listening(after=before) as listener:
            assert (await anext(listener)).topic == RESET


async def test_an_owner_is_told_nothing_of_somebody_elses_application(centre: Centre) -> None:
    mine = await applications.add_application(centre.hub.context, "documo", name="mine")
    other = await applications.add_application(centre.hub.context, "documo", name="other")
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=mine.id)
    await centre.live.connected.wait()
    answer = await open_events(owner)

    async with centre.hub.pool.connection() as connection:
        await notify(connection, Topic.PROGRESS, job=other.job)
        await notify(connection, Topic.PROGRESS, job=mine.job)

    event = await read_event(answer)
    while event["event"] != Topic.PROGRESS:
        event = await read_event(answer)
    assert event["data"] == mine.job


async def test_events_need_a_session(centre: Centre) -> None:
    stranger = centre.browser()

    assert (await stranger.get("/events")).status == 204

    secret = await centre.new_session()
    await sign_out(centre.hub.context, secret)
    assert (await centre.browser(secret).get("/events")).status == 204


@pytest.mark.parametrize("beats", [0.01, 3_600.0], ids=["nothing happens", "something always happens"])
async def test_a_stream_that_is_open_ends_once_its_session_has_ended(
    centre: Centre, admin: Browser, monkeypatch: pytest.MonkeyPatch, beats: float
) -> None:
    async def happen() -> None:
        while True:
            centre.live.publish(Topic.CHANGE)
            await asyncio.sleep(0.01)

    monkeypatch.setattr(streams, "BEAT_SECONDS", beats)
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.0)
    happening = asyncio.create_task(happen()) if beats > 1 else None
    answer = await open_events(admin)
    assert (await read_event(answer))["event"] == ("change" if happening else "beat")

    await admin.post("/sign-out", {})

    async with asyncio.timeout(PATIENCE):
        await answer.content.read()
    assert answer.content.at_eof()
    if happening is not None:
        happening.cancel()
