"""The timelines of people and groups, and the figures of the charts, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.postgres.pool import transaction
from lockstep.storage import activity
from lockstep.storage.activity import WorkDone
from tests.api.conftest import Client
from tests.support.hub import guid, upn

HERE = f"people/{upn('anna')}/timeline"


@pytest.fixture
async def changed(client: Client) -> Client:
    """Three changes of Anna in March, of which two are of the same moment; the others happen earlier."""
    await client.hub.fetch("update change set at = '2026-01-01Z' where object_id = %s", guid("anna"))
    await client.hub.fetch(
        """insert into change (at, kind, object_id, what, changed, before, after, actor)
        select at::timestamptz, 'User', %s, 'updated', '{title}', '{"title": "Old"}', '{"title": "New"}', name
        from (values ('2026-03-01T10:00Z', 'first'), ('2026-03-02T10:00Z', 'second'), ('2026-03-02T10:00Z', 'third'))
            as given (at, name)""",
        guid("anna"),
    )
    return client


async def walked(client: Client, **query: Any) -> list[str]:
    """Who made the changes of all pages."""
    found: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(HERE, cursor=cursor, **query)).body
        found += [one["by"] for one in page["items"]]
        if page["nextCursor"] is None:
            return found
        cursor = page["nextCursor"]


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_pages_of_a_timeline_repeat_and_skip_nothing(changed: Client, limit: int) -> None:
    found = await walked(changed, limit=limit, filter='time ge "2026-03-01T00:00:00Z"')

    assert found == ["third", "second", "first"]


async def test_event_says_what_happened_to_which_values(changed: Client) -> None:
    found = (await changed.get(HERE, limit=1)).body["items"]

    assert found[0] | {"id": "", "by": ""} == {
        "time": "2026-03-02T10:00:00.000Z", "kind": "directory", "id": "", "application": "", "event": "Updated in the directory",
        "result": "", "by": "", "detail": "", "changes": [{"attribute": "title", "before": "Old", "after": "New"}],
    }  # fmt: skip


async def test_timeline_is_narrowed_by_its_part_and_its_period(changed: Client) -> None:
    period = 'time ge "2026-03-01T00:00:00Z" and time lt "2026-03-02T00:00:00Z"'

    assert await walked(changed, filter=period) == ["first"]
    assert await walked(changed, filter=period, only="directory") == ["first"]
    assert await walked(changed, filter=period, only="sign-ins") == []
    assert await walked(changed, filter=period, only="documo") == []


async def test_timeline_of_a_group_is_its_own(client: Client) -> None:
    found = (await client.get("groups/all-sales/timeline")).body["items"]

    assert [one["kind"] for one in found] == ["directory"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("people/nobody/timeline", {}, 404),
        (f"people/{'all-sales'}/timeline", {}, 404),
        (f"groups/{upn('anna')}/timeline", {}, 404),
        (HERE, {"only": "documa"}, 404),
        (HERE, {"cursor": "abc"}, 400),
        (HERE, {"sort": "time"}, 400),
        (HERE, {"filter": 'kind eq "directory"'}, 400),
        ("applications/documo/activity", {"span": "7d"}, 400),
        ("applications/documa/activity", {}, 404),
    ],
)
async def test_unknown_names_and_values_are_refused(client: Client, path: str, query: Any, status: int) -> None:
    assert (await client.get(path, **query)).status == status


async def test_figures_of_an_application_have_its_work_with_units(client: Client) -> None:
    (row,) = await client.hub.fetch("select id from job")
    async with transaction(client.hub.pool) as connection:
        work = WorkDone({"created": 3, "linked": 1, "disabled": 2, "failed": 1}, {"Down": 1}, {40: 4}, {}, {40: 2})
        await activity.note_work(connection, str(row[0]), work)
        await activity.note_queues(connection)

    found = (await client.get("applications/documo/activity")).body
    whole_day = (await client.get("applications/documo/activity", span="24h")).body
    everywhere = (await client.get("activity")).body

    last = next(one for one in reversed(found["steps"]) if one["created"])
    assert {key: last[key] for key in ("created", "changed", "removed", "failed", "failures")} == {
        "created": 3, "changed": 1, "removed": 2, "failed": 1, "failures": {"Down": 1},
    }  # fmt: skip
    assert last["responses"]["number"] == 4 and 0.09 < last["responses"]["p50Seconds"] < 0.11
    assert (found["stepSeconds"], len(found["steps"]), found["lost"]["number"]) == (60, 60, 2)
    assert (whole_day["stepSeconds"], len(whole_day["steps"]), whole_day["targetSeconds"]) == (1800, 48, 900)
    assert (everywhere["lost"]["number"], len(everywhere["days"]), len(everywhere["lostByDay"])) == (2, 14, 7)
    assert [one["application"] for one in everywhere["applications"]] == ["documo"]
