"""Live events: one LISTEN connection for any number of listeners, none of which can make the process store an unlimited number
of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from lockstep.actions import applications, groups, provisioning
from lockstep.actions.credentials import set_credentials
from lockstep.actions.live import DELIVERY_SECONDS, DELIVERY_SHARE, RESET, Listener, LiveEvent, LiveHub, Topic, live_hub
from lockstep.postgres.pool import transaction
from lockstep.storage.notices import notify
from lockstep.vault import Secret
from tests.support.hub import Hub

pytestmark = pytest.mark.timeout(30)  # an event that is lost would be waited for without end
LISTENERS = 200


@pytest.fixture
async def live(hub: Hub) -> AsyncIterator[LiveHub]:
    async with live_hub(hub.pool, most_waiting=20) as made:
        await made.connected.wait()
        yield made


async def until(listener: Listener, topic: str) -> LiveEvent:
    async with asyncio.timeout(10):
        async for event in one_by_one(listener):
            if event.topic == topic:
                return event
    raise AssertionError(f"the listener ended without a {topic}")


async def one_by_one(listener: Listener) -> AsyncIterator[LiveEvent]:
    async for events in listener:
        for event in events:
            yield event


async def test_two_hundred_listeners_share_one_connection(hub: Hub, live: LiveHub) -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(live.listening()) for _ in range(LISTENERS)]
        async with transaction(hub.pool) as connection:
            await notify(connection, Topic.SOURCE, name="hr")
        got = await asyncio.gather(*(until(one, Topic.SOURCE) for one in listeners))

        [(connections,)] = await hub.fetch(
            "select count(*) from pg_stat_activity where application_name = 'lockstep-live' and datname = current_database()"
        )

    assert {event.name for event in got} == {"hr"}
    assert (connections, len(live)) == (1, 0)


async def test_change_that_is_rolled_back_tells_nobody(hub: Hub, live: LiveHub) -> None:
    with live.listening() as listener:
        with pytest.raises(LookupError):
            async with transaction(hub.pool) as connection:
                await notify(connection, Topic.SOURCE, name="rolled back")
                raise LookupError
        async with transaction(hub.pool) as connection:
            await notify(connection, Topic.SOURCE, name="committed")

        assert (await until(listener, Topic.SOURCE)).name == "committed"


async def test_slow_listener_is_cut_and_the_others_go_on() -> None:
    live = LiveHub(most_waiting=3)
    with live.listening() as slow, live.listening() as quick:
        seen: list[str] = []
        for number in range(5):
            live.publish("source", name=str(number))
            seen.extend(event.name for event in await anext(quick))

        assert [events async for events in slow] == []
        assert (slow.is_cut, len(live), seen) == (True, 1, ["0", "1", "2", "3", "4"])


async def test_listener_of_more_events_than_it_can_queue_at_once_reads_everything_again_and_stays() -> None:
    live = LiveHub(most_waiting=3)
    with live.listening() as listener, live.listening(wanted=lambda event: event.name == "4") as picky:
        live.publish("source", name="delivered at once")
        await anext(listener)
        for number in range(5):
            live.publish("source", name=str(number))

        assert [(event.topic, event.id) for event in await anext(listener)] == [(RESET, live.latest)]
        assert [event.name for event in await anext(picky)] == ["4"]
        assert len(live) == 2


async def test_listener_that_returns_continues_after_the_last_event_it_saw() -> None:
    live = LiveHub()
    with live.listening() as first:
        live.publish("source", name="seen")
        last = (await anext(first))[-1].id
    live.publish("source", name="missed")

    with live.listening(after=last) as second:
        assert [event.name for event in await anext(second)] == ["missed"]


@pytest.mark.parametrize("after", ["0000aaaa-1", "nonsense", "-", "{era}-9999", "{era}-1"])
async def test_listener_that_cannot_continue_is_told_to_read_everything_again(after: str) -> None:
    live = LiveHub(kept=2)
    with live.listening() as first:
        live.publish("source")
        era = (await anext(first))[0].era
    for _ in range(3):
        live.publish("source")

    with live.listening(after=after.format(era=era)) as listener:
        [event] = await anext(listener)

    assert event.topic == RESET


async def test_listener_receives_only_what_it_wants() -> None:
    live = LiveHub()
    with live.listening(wanted=lambda event: event.application == "mine") as listener:
        live.publish("progress", job="documo.tenant.other")
        live.publish("progress", job="documo.tenant.mine")

        assert [event.application for event in await anext(listener)] == ["mine"]


async def test_progress_that_comes_in_quick_succession_is_passed_on_together() -> None:
    live = LiveHub(progress_seconds=0.01)
    with live.listening() as listener:
        for _ in range(100):
            live.hear(Topic.PROGRESS, job="documo.tenant.one")
        live.hear(Topic.PROGRESS, job="documo.tenant.two")
        events = one_by_one(listener)
        first, other, together = [await anext(events) for _ in range(3)]
        live.hear(Topic.CYCLE, job="documo.tenant.one")
        last = await anext(events)

    assert [event.application for event in (first, other, together)] == ["one", "two", "one"]
    assert last.topic == Topic.CYCLE


async def test_events_after_a_delivery_are_delivered_together_and_equal_ones_once() -> None:
    live = LiveHub()
    with live.listening() as listener:
        live.publish(Topic.STATUS, job="documo.tenant.one")
        [at_once] = await anext(listener)
        live.publish(Topic.CYCLE, job="documo.tenant.one")
        with live.listening() as late:
            for _ in range(3):
                live.publish(Topic.CHANGE, name="all-sales")
            live.publish(Topic.CYCLE, job="documo.tenant.one")

            collected, after_joining = await anext(listener), await anext(late)

    assert (at_once.number, at_once.topic) == (1, Topic.STATUS)
    assert [(event.number, event.topic) for event in collected] == [(5, Topic.CHANGE), (6, Topic.CYCLE)]
    assert after_joining == collected


async def test_listener_does_not_receive_what_was_collected_before_it_joined() -> None:
    live = LiveHub()
    with live.listening() as first:
        for topic in (Topic.STATUS, Topic.CYCLE):
            live.publish(topic)
        with live.listening() as late, live.listening(after=live.latest) as returned:
            await anext(first)
            assert [event.topic for event in await anext(first)] == [Topic.CYCLE]
            live.publish(Topic.SOURCE)

            assert [[event.topic for event in await anext(one)] for one in (late, returned)] == [[Topic.SOURCE]] * 2


def test_all_deliveries_together_use_a_fixed_share_of_a_core() -> None:
    live = LiveHub()
    with ExitStack() as stack:
        for count in range(1, 201):
            stack.enter_context(live.listening())
            assert count * DELIVERY_SECONDS / live.delivery_pause == pytest.approx(DELIVERY_SHARE)


async def test_lost_connection_is_made_again_and_announced(hub: Hub, live: LiveHub) -> None:
    with live.listening() as listener:
        await hub.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockstep-live'"
        )

        await until(listener, RESET)
        await groups.create_group(hub.context, "all-sales")
        assert (await until(listener, Topic.CHANGE)).name == "all-sales"


async def test_switching_an_application_on_announces_its_cycle_and_its_status(hub: Hub, live: LiveHub) -> None:
    app = await applications.add_application(hub.context, "documo")
    await set_credentials(hub.context, "documo", secret_token=Secret("dk_live_0123456789abcdef"))
    with live.listening(wanted=lambda event: event.topic in (Topic.CYCLE, Topic.STATUS)) as listener:
        await provisioning.start(hub.context, "documo")

        events = one_by_one(listener)
        got = {(event := await anext(events)).topic: event.application for _ in range(2)}

    assert got == {Topic.STATUS: app.id, Topic.CYCLE: app.id}
