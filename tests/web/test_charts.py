"""Charts: what is drawn, and the same numbers as a table."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lockstep.actions import activity, applications
from lockstep.kit.charts import HEIGHT, Series, sparkline, stacked
from tests.support.admin_centre import Browser, Centre


def test_bars_of_a_column_stand_on_each_other_and_end_below_the_top() -> None:
    drawn = stacked(["27 Nov", "28 Nov"], [Series("Created", "accent", [0, 200]), Series("Failed", "error", [0, 12])])

    lower, upper = drawn.bars
    assert drawn.top == 300
    assert lower.y + lower.height == HEIGHT and upper.y + upper.height == pytest.approx(lower.y)
    assert (lower.tone, upper.tone) == ("accent", "error")
    assert drawn.idle == [0]
    assert drawn.described(1) == "28 Nov: 200 created, 12 failed" and drawn.described(0) == "27 Nov: nothing"


@pytest.mark.parametrize("highest, top", [(0, 1), (1, 1), (9, 10), (10, 10), (11, 20), (212, 300), (999, 1000)])
def test_axis_ends_with_a_round_number_that_holds_the_highest_column(highest: int, top: int) -> None:
    assert stacked(["1 Nov"], [Series("Created", "accent", [highest])]).top == top


async def test_days_are_summed_over_their_cycles_and_a_day_without_one_is_zero(centre: Centre) -> None:
    context = centre.hub.context
    await _add_with_cycles(centre, "documo")
    await _add_with_cycles(centre, "other")

    both = await activity.daily_activity(context)
    one = await activity.daily_activity(context, app="documo")

    assert len(both) == activity.DAYS and both[-1].day == context.now().date()
    assert [(day.created, day.changed, day.removed, day.failed) for day in one[-3:]] == [
        (4, 4, 4, 2),
        (0, 0, 0, 0),
        (2, 3, 3, 1),
    ]
    assert [day.created for day in both[-3:]] == [8, 0, 4]


async def test_home_and_application_show_the_chart_with_its_table_once_there_is_something(
    centre: Centre, admin: Browser
) -> None:
    await applications.add_application(centre.hub.context, "documo", name="quiet")
    before = await admin.get("/")
    await _add_with_cycles(centre, "documo")

    for path in ("/", "/apps/documo", "/logs/provisioning"):
        page = await admin.get(path)
        assert "Show as a table" in page.text and "Disabled or deleted" in page.text
        assert 'role="img" aria-label="Changes in the last 14 days"' in page.html
    filtered = await admin.get("/logs/provisioning?status=failure")

    assert "Changes in the last 14 days" not in before.text
    assert "Changes in the last 14 days" not in filtered.text  # it would say something else than the list below it


async def test_list_of_applications_shows_how_much_was_written_in_each_on_the_last_days(
    centre: Centre, admin: Browser
) -> None:
    await _add_with_cycles(centre, "documo")
    await applications.add_application(centre.hub.context, "documo", name="quiet")

    days = await activity.activity_of_each(centre.hub.context)
    page = await admin.get("/apps")

    assert days == {"documo": [0] * 11 + [12, 0, 8], "quiet": [0] * 14}
    assert 'aria-label="20 changes in the last 14 days"' in page.html
    assert 'aria-label="0 changes in the last 14 days"' in page.html


def test_day_without_a_change_has_a_low_bar_and_the_busiest_day_the_highest() -> None:
    assert [one.height for one in sparkline([0, 1, 500])] == [6, 12, HEIGHT]


async def _add_with_cycles(centre: Centre, name: str) -> None:
    """An application with two cycles two days ago and one today."""
    await applications.add_application(centre.hub.context, "documo", name=name)
    two_days_ago = {"created": 2, "updated": 1, "enabled": 1, "disabled": 1, "deleted": 1, "failed": 1, "unchanged": 90}
    today = {"created": 2, "linked": 3, "deleted": 3, "failed": 1}
    for days, counts in ((2, two_days_ago), (2, two_days_ago), (0, today)):
        await centre.hub.fetch(
            """insert into cycle (job, kind, state, config_version, started_at, ended_at, counts)
            select job.id, 'incremental', 'succeeded', 1, %s, now(), %s::jsonb
            from job join application on application.id = job.app where application.name = %s returning id""",
            centre.hub.context.now() - timedelta(days=days),
            json.dumps(counts),
            name,
        )
