"""What all workers share about one application: when it may be asked again, how fast, and whether it is broken.

One row per job; it is read with every batch that is recorded, so that a Retry-After that one worker got holds for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class TargetState:
    seconds_to_wait: float  # 0: ask at will
    breaker: str
    transport_failures: int


async def read_state(connection: Connection, job: str) -> TargetState:
    cursor = await connection.execute(
        """select extract(epoch from greatest(now(), not_before, case when breaker = 'open' then breaker_until end) - now()),
            breaker, transport_failures
        from target_state where job = %s and (not_before > now() or breaker_until > now() or transport_failures > 0)""",
        (job,),
    )
    row = await cursor.fetchone()
    return TargetState(float(row[0]), row[1], row[2]) if row else TargetState(0.0, "closed", 0)


async def wait_until(connection: Connection, job: str, not_before: datetime) -> None:
    """Nobody asks the application before *not_before* (429 and 503 with Retry-After)."""
    await connection.execute(
        """insert into target_state (job, not_before) values (%s, %s)
        on conflict (job) do update set not_before = greatest(target_state.not_before, excluded.not_before)""",
        (job, not_before),
    )


BREAKS_AFTER = 10  # transport failures in a row


async def note_transport(connection: Connection, job: str, *, failures: int) -> None:
    """Count transport failures in a row; *failures* 0 means the application answered. The tenth opens the breaker.

    Open for 30 seconds, twice as long each time, 10 minutes at most.
    """
    if failures == 0:
        await connection.execute(
            "update target_state set transport_failures = 0, breaker = 'closed', breaker_until = null "
            "where job = %s and transport_failures > 0",
            (job,),
        )
        return
    await connection.execute(
        """insert into target_state (job, transport_failures) values (%(job)s, %(failures)s)
        on conflict (job) do update set transport_failures = target_state.transport_failures + excluded.transport_failures""",
        {"job": job, "failures": failures},
    )
    await connection.execute(
        """update target_state set breaker = 'open',
            breaker_until = now() + least(600, 30 * power(2, least(6, transport_failures / %(limit)s - 1))) * interval '1 second'
        where job = %(job)s and transport_failures >= %(limit)s and (breaker_until is null or breaker_until < now())""",
        {"job": job, "limit": BREAKS_AFTER},
    )


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
