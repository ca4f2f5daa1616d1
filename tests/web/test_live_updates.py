"""`/events`: who receives which events, and how a page continues after its connection was lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack

import aiohttp
import pytest

from lockstep.actions import applications
from lockstep.actions.groups import create_group
from lockstep.actions.live import READING_SECONDS, READING_SHARE, RESET, LiveHub, Topic, live_hub
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import sign_out
from lockstep.kit import streams
from lockstep.storage.notices import notify
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.statements import counted_statements

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
            assert [event.topic for event in await anext(listener)] == [RESET]


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
    assert event["data"].partition(" ")[2] == mine.job


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
    await centre.live.connected.wait()  # what was told before is told with a reset
    happening = asyncio.create_task(happen()) if beats > 1 else None
    answer = await open_events(admin)
    assert (await read_event(answer))["event"] == ("change" if happening else "beat")

    await admin.post("/sign-out", {})

    async with asyncio.timeout(PATIENCE):
        await answer.content.read()
    assert answer.content.at_eof()
    if happening is not None:
        happening.cancel()


def test_pages_that_read_again_together_use_a_fixed_share_of_a_core_however_many_they_are() -> None:
    hub = LiveHub()

    def use(listeners: int, cost: float) -> float:
        with ExitStack() as stack:
            for _ in range(listeners):
                stack.enter_context(hub.listening())
            for _ in range(50):
                hub.note_readings(4, 4 * cost)
            return listeners * cost / hub.reading_pause

    assert hub.reading_pause == READING_SECONDS[0]
    assert use(1, 0.01) < READING_SHARE, "a page alone reads every second"
    for listeners in (10, 50, 200):
        for cost in (0.002, 0.01):
            assert use(listeners, cost) <= READING_SHARE * 1.001
    with ExitStack() as stack:
        for _ in range(2_000):
            stack.enter_context(hub.listening())
        assert hub.reading_pause == READING_SECONDS[1]


async def test_an_event_says_how_long_its_page_waits_and_readings_are_measured(centre: Centre, admin: Browser) -> None:
    await centre.live.connected.wait()
    answer = await open_events(admin)
    centre.live.note_readings(1, 100.0)  # a server that is very busy
    busy = centre.live.reading_pause

    await applications.add_application(centre.hub.context, "documo")
    event = await read_event(answer)
    for _ in range(30):
        await (await admin.http.get(f"{admin.origin}/apps", headers={"X-Live": "yes"})).read()

    assert event["data"].partition(" ")[0] == str(int(busy * 1000)) and busy > READING_SECONDS[0]
    assert centre.live.reading_pause < busy


async def readings(browsers: Sequence[Browser], path: str) -> list[Page]:
    """Send the requests that the script of each browser sends, all at the same time."""
    return list(await asyncio.gather(*(browser.get(path, **{"X-Live": "yes"}) for browser in browsers)))


async def test_browsers_that_show_the_same_page_cost_one_reading_for_each_change(centre: Centre) -> None:
    await centre.live.connected.wait()
    await applications.add_application(centre.hub.context, "documo")
    few = [await centre.signed_in(email=f"few{number}@contoso.test") for number in range(2)]
    many = [*few, *[await centre.signed_in(email=f"many{number}@contoso.test") for number in range(18)]]
    for browser in many:
        await browser.get("/apps")

    async def statements_of(browsers: list[Browser], topic: Topic) -> int:
        latest = centre.live.latest
        async with centre.hub.pool.connection() as connection:
            await notify(connection, topic)
        while centre.live.latest == latest:
            await asyncio.sleep(0.01)
        with counted_statements() as sent:
            await readings(browsers, "/apps")
        return sum("from application" in one or "job" in one for one in sent)

    counts = [await statements_of(browsers, Topic.CHANGE) for browsers in (few, many)]
    with counted_statements() as sent:
        again = await readings(many, "/apps")

    assert counts[0] == counts[1] > 0
    assert not [one for one in sent if "job" in one] and all("documo" in page.html for page in again)


async def test_a_shared_reading_has_what_changed_before_it(centre: Centre, admin: Browser) -> None:
    await centre.live.connected.wait()
    await readings([admin], "/apps")
    latest = centre.live.latest

    await applications.add_application(centre.hub.context, "documo")
    while centre.live.latest == latest:
        await asyncio.sleep(0.01)

    assert "documo" in (await readings([admin], "/apps"))[0].html


async def test_a_shared_reading_says_nothing_about_the_one_who_caused_it_and_forms_keep_their_own_token(
    centre: Centre,
) -> None:
    await centre.live.connected.wait()
    group = await create_group(centre.hub.context, "sales")
    first, second = [await centre.signed_in(email=f"{name}@contoso.test") for name in ("first", "second")]
    path = f"/groups/{group.id}"

    pages = [(await readings([browser], path))[0] for browser in (first, second)]
    answer = await second.post(f"{path}/members/remove", {"member": "none"})

    assert "sales" in pages[1].html and "first@" not in pages[0].html + pages[1].html
    assert pages[0].token != pages[1].token
    assert "belongs to another session" not in answer.text and answer.status != 403


async def test_browsers_with_other_rights_share_no_reading(centre: Centre) -> None:
    await centre.live.connected.wait()
    await applications.add_application(centre.hub.context, "documo", name="theirs")
    [(mine,)] = await centre.hub.fetch("select id::text from application")
    await applications.add_application(centre.hub.context, "documo", name="secret-app")
    everybody = await centre.signed_in()
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=str(mine))

    whole, own = await readings([everybody, owner], "/apps")

    assert "secret-app" in whole.html and "theirs" in own.html and "secret-app" not in own.html


async def test_a_page_about_oneself_is_never_shared(centre: Centre) -> None:
    first, second = [await centre.signed_in(email=f"{name}@contoso.test") for name in ("first", "second")]

    pages = [(await readings([browser], "/settings/sessions"))[0] for browser in (first, second)]

    assert "first@contoso.test" in pages[0].html and "second@contoso.test" in pages[1].html
    assert "first@contoso.test" not in pages[1].html
