"""What all workers share about one application: when it may be asked again, how fast, and whether it is broken.

One row per job; it is read with every batch that is recorded, so that a Retry-After that one worker got holds for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from lockstep.engine.patience import TOLERATED, growing_pause
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json, only_row


@dataclass(frozen=True, slots=True)
class TargetState:
    """*seconds_to_wait*: nothing is sent for so long; 0: ask at will. *pauses*: how many in a row were made for want of an answer."""

    seconds_to_wait: float = 0.0
    failures: int = 0
    trouble: Mapping[str, Any] | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether an answer would be news."""
        return self.failures > 0 or self.trouble is not None

    @property
    def pauses(self) -> int:
        return int((self.trouble or {}).get("pauses", 0))


# No arithmetic with infinite times: PostgreSQL before 17 refuses it.
_SELECT = """select greatest(0, extract(epoch from not_before - clock_timestamp())), transport_failures, trouble
    from target_state where job = %s"""


async def read_state(connection: Connection, job: str) -> TargetState:
    return await _state(connection, _SELECT, job)


async def _state(connection: Connection, statement: LiteralString, job: str) -> TargetState:
    cursor = await connection.execute(statement, (job,))
    row = await cursor.fetchone()
    return TargetState(float(row[0]), row[1], row[2]) if row else TargetState()


async def note_unanswered(
    connection: Connection, job: str, error: Mapping[str, Any], *, first_pause: timedelta, is_general: bool
) -> TargetState:
    """A request was not answered usably: count it, and pause where there were too many in a row; returns how it stands now.

    *is_general*: it asked about the application rather than about one object, so that it alone is enough for a pause. What was under
    way when a pause began does not make it longer.
    """
    await connection.execute("insert into target_state (job) values (%s) on conflict do nothing", (job,))
    before = await _state(connection, _SELECT + " for update", job)
    if before.seconds_to_wait:
        return before
    failures = max(before.failures + 1, TOLERATED + 1 if is_general else 0)
    if failures <= TOLERATED:
        await connection.execute("update target_state set transport_failures = %s where job = %s", (failures, job))
        return replace(before, failures=failures)
    return await _pause(connection, job, before, failures, error, growing_pause(before.pauses + 1, first=first_pause))


async def note_throttled(
    connection: Connection, job: str, error: Mapping[str, Any], *, seconds: float | None, first_pause: timedelta
) -> TargetState:
    """The application asked to be left alone for *seconds* (None: it did not say how long); returns how it stands now.

    What it asks for is kept, and from the second time in a row on it is at least the growing pause: an application that says
    "0 seconds" each time is not asked again and again.
    """
    await connection.execute("insert into target_state (job) values (%s) on conflict do nothing", (job,))
    before = await _state(connection, _SELECT + " for update", job)
    asked = first_pause if seconds is None else timedelta(seconds=seconds)
    if before.seconds_to_wait:
        longest = max(asked, timedelta(seconds=before.seconds_to_wait))
        await _quiet(connection, job, longest)
        return replace(before, seconds_to_wait=longest.total_seconds())
    pause = max(asked, growing_pause(before.pauses, first=first_pause))
    return await _pause(connection, job, before, before.failures, error, pause)


async def _pause(
    connection: Connection, job: str, before: TargetState, failures: int, error: Mapping[str, Any], pause: timedelta
) -> TargetState:
    since = (before.trouble or {}).get("since") or datetime.now(UTC).isoformat()
    trouble = {**error, "since": since, "pauses": before.pauses + 1}
    await connection.execute(
        "update target_state set transport_failures = %s, trouble = %s where job = %s",
        (failures, as_json(trouble), job),
    )
    await _quiet(connection, job, pause)
    return TargetState(pause.total_seconds(), failures, trouble)


async def _quiet(connection: Connection, job: str, pause: timedelta) -> None:
    await connection.execute(
        "update target_state set not_before = greatest(not_before, clock_timestamp() + %s) where job = %s", (pause, job)
    )


async def note_answered(connection: Connection, job: str) -> TargetState:
    """The application answered, if only with a refusal: pauses begin short again. Returns how it stood before."""
    before = await _state(connection, _SELECT + " for update", job)
    if before.is_troubled:
        await connection.execute(
            "update target_state set transport_failures = 0, trouble = null where job = %s", (job,)
        )
    return before


async def forget(connection: Connection, job: str) -> None:
    """Everything learned about the application's health; a person said that it works again."""
    await connection.execute("delete from target_state where job = %s", (job,))


async def lease_tokens(connection: Connection, job: str, *, rate: float, wanted: int) -> tuple[int, float]:
    """Take up to *wanted* requests out of the application's budget, which fills at *rate* per second and holds one second's worth.

    Returns how many were granted, and after how many seconds it is worth asking again.
    """
    await connection.execute("insert into target_state (job, tokens) values (%s, 1) on conflict do nothing", (job,))
    cursor = await connection.execute(
        """with filled as (
            select least(greatest(1, %(rate)s),
                tokens + %(rate)s * extract(epoch from clock_timestamp() - tokens_at)::double precision) as tokens
            from target_state where job = %(job)s for update
        ), granted as (
            select least(%(wanted)s, floor(tokens))::integer as number, tokens from filled
        )
        update target_state set tokens = granted.tokens - granted.number, tokens_at = clock_timestamp()
        from granted where job = %(job)s
        returning granted.number, greatest(0, 1 - (granted.tokens - granted.number)) / %(rate)s""",
        {"job": job, "rate": rate, "wanted": wanted},
    )
    row = await only_row(cursor)
    return int(row[0]), float(row[1])
