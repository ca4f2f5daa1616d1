"""The state of one application, which all workers share: whether the application has failed, when the next request may be sent, and the
rate of requests.

There is one row per job. It is read with every recorded batch, so that a Retry-After received by one worker applies to all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from lockstep.engine.decisions.patience import NO_STREAK, RequestKind, Streak, after_failure
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json, only_row
from lockstep.storage.notices import Topic, notify


@dataclass(frozen=True, slots=True)
class TargetState:
    """The shared state of one application. No request may be sent during the next *seconds_to_wait* seconds. *streaks* counts consecutive
    failed requests, by kind of request. *trouble* describes the response that caused the last pause.
    """

    seconds_to_wait: float = 0.0
    streaks: Mapping[RequestKind, Streak] = field(default_factory=dict)
    trouble: Mapping[str, Any] | None = None

    def streak(self, asked: RequestKind) -> Streak:
        return self.streaks.get(asked, NO_STREAK)

    @property
    def is_slowed(self) -> bool:
        """Whether a kind of request has caused a pause and has not succeeded since."""
        return any(streak.pauses for streak in self.streaks.values())


KEPT: frozenset[RequestKind] = frozenset({RequestKind.PROBE})
# Do not subtract infinite times: PostgreSQL before 17 rejects that.
_COLUMNS = "greatest(0, extract(epoch from not_before - clock_timestamp())), streaks, trouble"
_SELECT = f"select {_COLUMNS} from target_state where job = %s"  # noqa: S608


async def read_state(connection: Connection, job: str) -> TargetState:
    return await _state(connection, _SELECT, job)


async def read_states(connection: Connection, jobs: Sequence[str]) -> dict[str, TargetState]:
    """Return the state of each of *jobs*."""
    cursor = await connection.execute(
        f"select {_COLUMNS}, job from target_state where job = any(%s)",  # noqa: S608
        (list(jobs),),
    )
    found = {row[3]: _state_from(row) for row in await cursor.fetchall()}
    return {job: found.get(job, TargetState()) for job in jobs}


async def _state(connection: Connection, statement: LiteralString, job: str) -> TargetState:
    cursor = await connection.execute(statement, (job,))
    row = await cursor.fetchone()
    return TargetState() if row is None else _state_from(row)


def _state_from(row: Sequence[Any]) -> TargetState:
    return TargetState(
        float(row[0]), {RequestKind(asked): Streak(**streak) for asked, streak in row[1].items()}, row[2]
    )


async def commit_without_waiting(connection: Connection) -> None:
    """Let the commit return before the transaction is on the disk. If a crash loses the transaction, the next failure records the
    application's pause again.
    """
    await connection.execute("set local synchronous_commit = off")


async def count_failure(
    connection: Connection,
    job: str,
    asked: RequestKind,
    error: Mapping[str, Any],
    *,
    first_pause: timedelta,
    is_enough: bool,
    wanted: timedelta | None = None,
) -> TargetState:
    """Count a failed request, and begin a pause if `after_failure` decides so. Returns the new state.

    A request that fails during a pause was sent before the pause began and is not counted. Such a request extends the pause only if the
    application asked for a wait (*wanted*) that ends later.
    """
    before = await _locked(connection, job)
    if before.seconds_to_wait:
        longest = max(timedelta(seconds=before.seconds_to_wait), wanted or timedelta(0))
        if wanted is not None:
            await _quiet(connection, job, longest)
        return replace(before, seconds_to_wait=longest.total_seconds())
    streak, pause = after_failure(before.streak(asked), first=first_pause, is_enough=is_enough, wanted=wanted)
    after = replace(before, seconds_to_wait=pause.total_seconds(), streaks={**before.streaks, asked: streak})
    if streak.pauses > before.streak(asked).pauses:
        since = (before.trouble or {}).get("since") or datetime.now(UTC).isoformat()
        trouble = {**error, "since": since, "pauses": streak.pauses, "asked": asked.value}
        after = replace(after, trouble=trouble)
        await _quiet(connection, job, pause)
        await notify(connection, Topic.STATUS, job=job)
    await _save(connection, job, after)
    return after


async def note_stop(connection: Connection, job: str, asked: RequestKind) -> int:
    """Record that the job goes into quarantine because requests failed. *asked* is the kind of these requests. Returns how many times in a
    row this has happened.
    """
    before = await _locked(connection, job)
    streak = replace(before.streak(asked), stops=before.streak(asked).stops + 1)
    await _save(connection, job, replace(before, streaks={**before.streaks, asked: streak}))
    return streak.stops


async def note_answered(connection: Connection, job: str, asked: RequestKind) -> TargetState:
    """Record a usable response to a request of the kind *asked*, so that the next pauses are short again. A refusal is a usable response
    too. Returns the previous state.
    """
    before = await _state(connection, _SELECT + " for update", job)
    rest = {kind: streak for kind, streak in before.streaks.items() if kind is not asked}
    is_over = before.trouble is not None and (not rest or before.trouble.get("asked") == asked.value)
    if len(rest) < len(before.streaks) or is_over:
        await _save(connection, job, replace(before, streaks=rest, trouble=None if is_over else before.trouble))
    if is_over:
        await notify(connection, Topic.STATUS, job=job)
    return before


async def forget_streaks(connection: Connection, job: str) -> None:
    """Clear the failure counts of all kinds of requests except probes, so that the next pauses are short again. A pause that has begun is
    kept.
    """
    before = await _state(connection, _SELECT + " for update", job)
    rest = {kind: streak for kind, streak in before.streaks.items() if kind in KEPT}
    if rest != before.streaks or (before.trouble and not rest):
        await _save(connection, job, replace(before, streaks=rest, trouble=before.trouble if rest else None))


async def _locked(connection: Connection, job: str) -> TargetState:
    await connection.execute("insert into target_state (job) values (%s) on conflict do nothing", (job,))
    return await _state(connection, _SELECT + " for update", job)


async def _save(connection: Connection, job: str, state: TargetState) -> None:
    streaks = {asked.value: asdict(streak) for asked, streak in state.streaks.items()}
    trouble = as_json(state.trouble) if state.trouble is not None else None
    await connection.execute(
        "update target_state set streaks = %s, trouble = %s where job = %s", (as_json(streaks), trouble, job)
    )


async def _quiet(connection: Connection, job: str, pause: timedelta) -> None:
    await connection.execute(
        "update target_state set not_before = greatest(not_before, clock_timestamp() + %s) where job = %s", (pause, job)
    )


async def forget(connection: Connection, job: str) -> None:
    """Clear everything recorded about the application's health, because a person has declared that it works again."""
    await connection.execute("delete from target_state where job = %s", (job,))


async def lease_tokens(connection: Connection, job: str, *, rate: float, wanted: int) -> tuple[int, float]:
    """Take up to *wanted* requests from the application's budget. The budget refills at *rate* requests per second. It holds at most *rate*
    requests or, if *rate* is less than one, one request.

    Returns the number of granted requests, and the number of seconds until the next request can be granted.
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
