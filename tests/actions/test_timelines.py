"""The history of one person: its three parts, the period, the filter, and pages that lose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.actions import applications, groups, people, sources, timeline
from lockstep.actions.context import Actor
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log, sign_in_log
from lockstep.storage.log_record import LogRecord
from lockstep.storage.sign_in_log import SignInRecord
from tests.support.hub import Hub, guid, person, upn, write_csv

ANNA = guid("anna")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def directory_change(hub: Hub, at: datetime) -> None:
    await hub.fetch(
        "insert into change (at, kind, object_id, what, changed) values (%s, 'User', %s, 'updated', '{title}')",
        at,
        ANNA,
    )


async def event_in(hub: Hub, app: str, at: datetime) -> None:
    """A record of provisioning and a sign-in, both with *app*."""
    found = (await applications.show_application(hub.context, app)).application
    record = LogRecord(
        guid(f"{app} {at}"), guid(f"change {app} {at}"), None, "create", "success", "User", ANNA, upn("anna"), app, "system"
    )  # fmt: skip
    async with transaction(hub.pool) as connection:
        await provisioning_log.append(connection, found.job, found.id, [record])
        await connection.execute("update provisioning_log set at = %s where id = %s", (at, record.id))
        await sign_in_log.append(
            connection, SignInRecord(at, "success", person=ANNA, app=found.id, app_display=found.display_name)
        )


@pytest.fixture
async def history(hub: Hub) -> Hub:
    """A change in the directory, a record of Documo and one of Box, and a sign-in to each: at 11, 12 and 13 o'clock."""
    for name in ("documo", "box"):
        await applications.add_application(hub.context, "documo", name=name, display_name=name.capitalize())
    for at in (NOON - HOUR, NOON, NOON + HOUR):
        await directory_change(hub, at)
        await event_in(hub, "documo", at)
        await event_in(hub, "box", at)
    return hub


def shown(events: Sequence[timeline.Event]) -> list[str]:
    """The kind of each event with its application and its hour, in order of these."""
    return sorted(
        f"{'sign-in' if one.sign_in else 'change' if one.change else 'record'} {one.app} {one.at:%H}".replace("  ", " ")
        for one in events
    )


AT_NOON = ["change 12", "record Box 12", "record Documo 12", "sign-in Box 12", "sign-in Documo 12"]


async def test_period_includes_its_beginning_and_leaves_out_its_end_in_every_part(history: Hub) -> None:
    found = await timeline.show_timeline(history.context, ANNA, after=NOON, before=NOON + HOUR)

    assert shown(found.events) == AT_NOON


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("directory", ["change 12"]),
        ("sign-ins", ["sign-in Box 12", "sign-in Documo 12"]),
        ("box", ["record Box 12"]),
        ("", AT_NOON),
    ],
)
async def test_filter_shows_one_part_or_one_application_alone(history: Hub, only: str, expected: list[str]) -> None:
    found = await timeline.show_timeline(history.context, ANNA, only=only, after=NOON, before=NOON + HOUR)

    assert shown(found.events) == expected


async def test_owner_of_an_application_sees_neither_records_of_others_nor_sign_ins_to_them(history: Hub) -> None:
    box = (await applications.show_application(history.context, "box")).application.id
    owner = Actor(
        "owner",
        permissions=frozenset({Permission.DIRECTORY_READ}),
        own_permissions=frozenset({Permission.LOGS_READ}),
        own_applications=frozenset({box}),
    )

    found = await timeline.show_timeline(replace(history.context, actor=owner), ANNA, after=NOON, before=NOON + HOUR)

    assert shown(found.events) == ["change 12", "record Box 12", "sign-in Box 12"]


@pytest.mark.parametrize("only", ["", "directory", "sign-ins", "documo"])
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_pages_together_have_every_event_once_even_if_one_moment_has_more_than_a_page(
    history: Hub, only: str, size: int
) -> None:
    everything = await timeline.show_timeline(history.context, ANNA, only=only, limit=100)

    pages = [page.events async for page in timeline.pages_of_timeline(history.context, ANNA, only=only, size=size)]

    assert everything.next is None
    assert shown([one for page in pages for one in page]) == shown(everything.events)
    assert max(len(page) for page in pages) <= size


async def test_pages_are_in_order_of_time_even_for_events_that_were_written_late(history: Hub) -> None:
    for before in (2, 3, 4):
        await directory_change(history, NOON - before * HOUR)
        await event_in(history, "box", NOON - before * HOUR)

    pages = [page.events async for page in timeline.pages_of_timeline(history.context, ANNA, size=2)]

    hours = [one.at.hour for page in pages for one in page]
    assert (len(hours), hours) == (24, sorted(hours, reverse=True))


async def test_timeline_of_an_application_that_does_not_exist_is_refused(history: Hub) -> None:
    with pytest.raises(LockstepError) as refused:
        await timeline.show_timeline(history.context, ANNA, only="documa")

    assert (refused.value.kind, refused.value.next_step) == (Kind.NOT_FOUND, "Did you mean documo?")


async def test_timeline_of_an_application_whose_log_the_caller_may_not_read_is_refused(history: Hub) -> None:
    caller = Actor("token", permissions=frozenset({Permission.DIRECTORY_READ, Permission.APPLICATIONS_READ}))
    context = replace(history.context, actor=caller)

    with pytest.raises(LockstepError) as refused:
        await timeline.show_timeline(context, ANNA, only="documo")

    assert refused.value.kind is Kind.FORBIDDEN


async def test_subject_is_a_person_or_a_group_even_in_the_recycle_bin(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "people.csv", [person("anna"), person("bo")])
    await sources.import_source(hub.context, "hr", config={"files": [{"path": str(file)}]})
    await people.delete(hub.context, [upn("bo")])
    group = await groups.create_group(hub.context, "all-sales")

    found = [(await timeline.find_subject(hub.context, name)).id for name in (upn("anna"), upn("bo"), "all-sales")]

    assert found == [guid("anna"), guid("bo"), group.id]
    for name, kind in (("all-sales", "person"), (upn("anna"), "group")):
        with pytest.raises(LockstepError):
            await timeline.find_subject(hub.context, name, kind=kind)  # type: ignore[arg-type]
