"""In the rounds with kills, an event is counted only if it changed somebody."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, groups, sources
from tests.journeys.people_who_change import GROUPS, OUTSIDE, Crowd, something_happens
from tests.support.hub import Hub, person, upn, write_csv

ANNA = upn("anna")


@pytest.fixture
async def crowd(hub: Hub, tmp_path: Path) -> Crowd:
    """Anna alone: assigned, enabled, in every group and outside the scope."""
    file = write_csv(tmp_path / "people.csv", [person("anna", department=OUTSIDE)])
    await sources.save_source(hub.context, "list", kind="csv", config={"files": [{"path": str(file)}]})
    await sources.import_source(hub.context, "list")
    await applications.add_application(hub.context, "documo")
    await assignments.assign(hub.context, "documo", users=[ANNA])
    for group in GROUPS:
        await groups.create_group(hub.context, group)
        await groups.change_members(hub.context, group, add=[ANNA])
    return Crowd([ANNA], random.Random(1), most_losses=9, outside=[ANNA])


@pytest.mark.parametrize("event", ["enable", "assign", "add member", "move out", "restore", "purge"])
async def test_event_that_changes_nothing_is_not_counted(hub: Hub, crowd: Crowd, event: str) -> None:
    before = await hub.fetch("select count(*) from change")

    await something_happens(hub.context, crowd, [event])

    assert await hub.fetch("select count(*) from change") == before
    assert crowd.told.total() == 0


@pytest.mark.parametrize("event", ["disable", "unassign", "remove member", "rename", "delete", "move in"])
async def test_event_that_changes_somebody_is_counted(hub: Hub, crowd: Crowd, event: str) -> None:
    await something_happens(hub.context, crowd, [event])

    assert crowd.told == {event: 1}
