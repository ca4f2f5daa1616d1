"""The stored figures of the charts: which rows are summed and counted, and when the length of a queue is noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.postgres.pool import Connection
from lockstep.storage import activity
from lockstep.storage.batches import as_json

JOB = "scim.a"
OTHER = "scim.other"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def row(
    connection: Connection, at: datetime, *, job: str = JOB, minutes: int = 0, lost: Mapping[int, int] | None = None
) -> None:
    await connection.execute(
        "insert into activity (job, at, minutes, counts, lost, gained) values (%s, %s, %s, '{\"created\": 1}', %s, %s)",
        (job, at, minutes, *([as_json(lost)] * 2 if lost else [None, None])),
    )


async def rows(connection: Connection) -> list[tuple[datetime, int, int]]:
    cursor = await connection.execute("select at, minutes, (counts ->> 'created')::int from activity order by at")
    return await cursor.fetchall()


async def start_of(connection: Connection, unit: str) -> datetime:
    cursor = await connection.execute("select date_trunc(%s, now())", (unit,))
    found = await cursor.fetchone()
    assert found is not None
    at: datetime = found[0]
    return at


async def test_minute_that_has_not_ended_is_not_summed(connection: Connection) -> None:
    async with connection.transaction():  # the time stands still in a transaction
        now = await start_of(connection, "microseconds")
        for _ in range(2):
            await row(connection, now)

        await activity.sum_up(connection)

        assert await rows(connection) == [(now, 0, 1)] * 2


async def test_rows_of_each_past_minute_become_one(connection: Connection) -> None:
    async with connection.transaction():
        minute = await start_of(connection, "hour") - timedelta(minutes=10)
        for seconds in (0, 59, 60):
            await row(connection, minute + timedelta(seconds=seconds))

        await activity.sum_up(connection)

        assert await rows(connection) == [(minute, 1, 2), (minute + timedelta(minutes=1), 1, 1)]


async def test_minutes_become_half_hours_after_two_hours_and_not_before(connection: Connection) -> None:
    async with connection.transaction():
        border = await start_of(connection, "hour") - 2 * HOUR
        for minutes in (-31, -30, -1, 0, 1):
            await row(connection, border + timedelta(minutes=minutes), minutes=1)

        await activity.sum_up(connection)

        assert await rows(connection) == [
            (border - HOUR, 30, 1),
            (border - HOUR / 2, 30, 2),
            (border, 1, 1),
            (border + timedelta(minutes=1), 1, 1),
        ]


async def test_half_hour_that_was_summed_stays_as_it_is(connection: Connection) -> None:
    async with connection.transaction():
        border = await start_of(connection, "hour") - 5 * HOUR
        await row(connection, border, minutes=30)
        before = await connection.execute("select ctid::text from activity")

        await activity.sum_up(connection)

        after = await connection.execute("select ctid::text from activity")
        assert await before.fetchall() == await after.fetchall()


async def test_half_hours_become_days_from_the_day_before_yesterday_on(connection: Connection) -> None:
    async with connection.transaction():
        today = await start_of(connection, "day")
        for hours in (-49, -48, -25, -24, -23):
            await row(connection, today + HOUR * hours, minutes=30)

        await activity.sum_up(connection)

        assert await rows(connection) == [
            (today - 3 * DAY, 1440, 1),
            (today - 2 * DAY, 1440, 2),
            (today - DAY, 30, 1),
            (today - DAY + HOUR, 30, 1),
        ]


async def test_work_and_waiting_times_are_those_of_one_job_since_a_time(connection: Connection) -> None:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    await row(connection, since - timedelta(seconds=1), lost={5: 1})
    await row(connection, since, lost={6: 1})
    await row(connection, since + DAY, lost={7: 2})
    await row(connection, since + 3 * DAY)
    await row(connection, since, job=OTHER, lost={8: 1})

    figures = await activity.figures_of(
        connection, JOB, since=since + HOUR, step=DAY, recent_since=since + 2 * DAY, days_since=since
    )
    losses = await activity.losses_by_day(connection, [JOB], since=since)

    assert figures == {
        ("counts", 0): {"created": 1},
        ("counts", 2): {"created": 1},
        ("recent", 0): {"created": 1},
        ("gained", 0): {"6": 1},
        ("lost", 0): {"6": 1},
        ("gained", 1): {"7": 2},
        ("lost", 1): {"7": 2},
    }
    assert sorted(losses) == [(0, "6", 1), (1, "7", 2)]


async def test_queue_since_a_time_begins_with_the_length_that_held_then(connection: Connection) -> None:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    for hours, waiting in ((-2, 1), (-1, 2), (0, 3), (1, 4)):
        await connection.execute("insert into queue_depth values (%s, %s, %s)", (JOB, since + HOUR * hours, waiting))

    found = await activity.queue_by_time(connection, JOB, since=since)

    assert found == [(since - HOUR, 2), (since, 3), (since + HOUR, 4)]


@pytest.mark.parametrize(
    ("failures", "due", "noted"),
    [(0, "now()", [2]), (1, "now()", []), (0, "now() + interval '1 hour'", [])],
    ids=["due", "failed", "later"],
)
async def test_objects_that_failed_or_are_not_due_are_not_in_the_queue(
    connection: Connection, failures: int, due: str, noted: list[int]
) -> None:
    await connection.execute(
        f"""insert into dirty (job, kind, source_id, lane, reasons, failures, not_before)
        select %s, 'User', gen_random_uuid(), 3, '{{attributes}}', %s, {due} from generate_series(1, 2)""",
        (JOB, failures),
    )

    await activity.note_queues(connection)

    cursor = await connection.execute("select waiting from queue_depth")
    assert [one for (one,) in await cursor.fetchall()] == noted


async def test_length_of_a_queue_is_compared_with_the_last_one_of_the_same_job(connection: Connection) -> None:
    await connection.execute(
        """with app as (insert into application (name, display_name, template) values ('b', 'B', 'x') returning id)
        insert into job (id, app) select %s, id from app""",
        (OTHER,),
    )
    await connection.execute("insert into queue_depth values (%s, now() - interval '2 hours', 5)", (JOB,))
    await connection.execute("insert into queue_depth values (%s, now() - interval '1 hour', 0)", (OTHER,))

    await activity.note_queues(connection)

    cursor = await connection.execute("select job, waiting from queue_depth order by at")
    assert await cursor.fetchall() == [(JOB, 5), (OTHER, 0), (JOB, 0)]
