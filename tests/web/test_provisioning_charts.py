"""The charts on the overview of provisioning, and the time to deprovision on Home."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from lockstep.engine.durations import counted_lengths
from lockstep.kit.charts import LineSeries, length_bars, lines
from tests.support.admin_centre import Browser, Centre

HERE = "/apps/documo/provisioning"


def test_line_keeps_its_height_in_a_column_and_stops_where_nothing_is_known() -> None:
    drawn = lines(["1", "2", "3", "4"], [LineSeries("p95", "warn", [30.0, 60.0, None, 15.0])], target=60.0)

    assert drawn.paths == ["M0 50.0H1L1 0.0H2M3 75.0H4"]
    assert (drawn.top, drawn.target_y, drawn.known) == (60, 0.0, [0, 1, 3])
    assert drawn.texts[2] == "3: p95 none" and drawn.texts[0] == "1: p95 30 s"


def test_shortest_cycle_still_has_a_visible_bar() -> None:
    drawn = length_bars(["Cycle 1", "Cycle 2"], LineSeries("Duration", "accent", [0.001, 120.0]))

    assert [bar.height for bar in drawn.bars] == [2, 100]


async def test_overview_draws_what_was_done_and_each_point_leads_to_its_records(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await _work(centre, job, minutes=3, counts={"created": 7, "failed": 2}, failures={"DuplicateTargetEntries": 2})

    page = await admin.get(HERE)

    assert "Operations per minute" in page.text and "Created 7" in page.text
    to_code = [urlsplit(href) for href in page.links if "code=DuplicateTargetEntries" in href and "start=" in href]
    query = parse_qs(to_code[0].query)
    assert (query["status"], query["app"]) == (["failure"], ["documo"])
    at_minute = [href for href in page.links if "/logs/provisioning?" in href and "start=" in href]
    listed = await admin.get(at_minute[0])
    assert listed.status == 200 and "UTC" in listed.text


async def test_times_to_gain_and_to_lose_access_are_shown_beside_their_target(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await _work(centre, job, minutes=3, counts={"disabled": 20}, lost=counted_lengths([60.0] * 18 + [3_600.0] * 2))

    page = await admin.get(HERE)
    home = await admin.get("/")

    assert "Target for p95 15 min" in page.text and "20 accounts." in page.text
    assert "No people got access in the last 7 days." in page.text
    assert "Time to deprovision p95" in home.text and "target 15 min, 20 accounts in 7 days" in home.text
    assert "/logs/provisioning?action=lost&range=7d" in home.links


async def test_home_counts_only_applications_that_the_caller_may_read(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await _work(centre, job, minutes=3, counts={"disabled": 1}, lost=counted_lengths([60.0]))
    other = await applications.add_application(centre.hub.context, "documo", name="other")
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=other.id)

    page = await owner.get("/")

    assert "accounts in 7 days" not in page.text and "1 account in 7 days" not in page.text
    assert "1 account in 7 days" in (await admin.get("/")).text


async def test_period_of_the_charts_is_part_of_the_address(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await _work(centre, job, minutes=300, counts={"created": 7})

    hour, day, unknown = [await admin.get(f"{HERE}{query}") for query in ("", "?span=24h", "?span=year")]

    assert "Nothing was written in this time." in hour.text
    assert "Operations per 30 minutes" in day.text and "Created 7" in day.text
    assert "Operations per minute" in unknown.text


async def test_queue_holds_its_last_noted_length_and_its_end_is_forecast(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await centre.hub.fetch(
        "insert into queue_depth (job, at, waiting) values (%s, now() - interval '30 minutes', 40) returning 1", job
    )
    await centre.hub.fetch(
        """insert into dirty (job, kind, source_id, lane, reasons)
        select %s, 'User', gen_random_uuid(), 3, '{attributes}' from generate_series(1, 20) returning 1""",
        job,
    )
    without = await admin.get(HERE)
    await _work(centre, job, minutes=2, counts={"updated": 100, "membersAdded": 5_000})

    page = await admin.get(HERE)

    assert "20 objects waiting; none was processed in the last 10 minutes." in without.text
    assert "Empty in about 2 min, at the rate of the last 10 minutes." in page.text


async def test_no_end_of_the_queue_is_forecast_while_provisioning_is_paused(centre: Centre, admin: Browser) -> None:
    job = await _started(centre)
    await centre.hub.fetch("insert into queue_depth (job, at, waiting) values (%s, now(), 2) returning 1", job)
    await centre.hub.fetch(
        """insert into dirty (job, kind, source_id, lane, reasons)
        select %s, 'User', gen_random_uuid(), 3, '{attributes}' from generate_series(1, 2) returning 1""",
        job,
    )
    await _work(centre, job, minutes=2, counts={"updated": 100})
    await centre.hub.fetch("update job set status = 'off' returning 1")

    page = await admin.get(HERE)

    assert "2 objects waiting until provisioning is on." in page.text
    assert "Empty in about" not in page.text


async def test_exact_times_stay_in_the_filter_until_they_are_removed(centre: Centre, admin: Browser) -> None:
    await _started(centre)

    page = await admin.get("/logs/provisioning?status=failure&start=2026-11-30T05:04Z&end=2026-11-30T05:05Z")
    wrong = await admin.get("/logs/provisioning?start=yesterday&end=2026-11-30T05:05")

    assert "30 Nov 05:04 to 05:05 UTC" in page.text
    assert "/logs/provisioning?status=failure" in page.links
    assert 'name="start" value="2026-11-30T05:04Z"' in page.html
    assert wrong.status == 200 and 'name="start"' not in wrong.html


async def _started(centre: Centre) -> str:
    app = await applications.add_application(centre.hub.context, "documo")
    await centre.hub.fetch("update job set status = 'on', started = true returning 1")
    return app.job


async def _work(
    centre: Centre,
    job: str,
    *,
    minutes: int,
    counts: dict[str, int],
    failures: dict[str, int] | None = None,
    lost: dict[int, int] | None = None,
) -> None:
    await centre.hub.fetch(
        "insert into activity (job, at, counts, failures, lost) values (%s, %s, %s::jsonb, %s::jsonb, %s::jsonb) returning 1",
        job,
        centre.hub.context.now() - timedelta(minutes=minutes),
        json.dumps(counts),
        json.dumps(failures) if failures else None,
        json.dumps(lost) if lost else None,
    )
