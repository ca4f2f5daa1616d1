"""SQL of failed sign-ins, for the table `sign_in_attempt` of either product.

Attempts are counted by the hash of the entered e-mail address, and by the hash of the client's address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SignInAttempts:
    """The number of failed attempts, the time of the last one, and the time until which further attempts are refused."""

    failures: int
    last_at: datetime
    locked_until: datetime | None


async def lock_attempts(
    connection: Connection, subject_hash: bytes, *, now: datetime, forgotten: datetime
) -> SignInAttempts:
    """Return the subject's attempts so far, and lock their row until the transaction ends.

    Before that, delete the rows of all subjects whose last attempt was before *forgotten*.
    """
    await connection.execute(
        """delete from sign_in_attempt where subject_hash in
        (select subject_hash from sign_in_attempt where last_at < %s for update skip locked)""",
        (forgotten,),
    )
    cursor = await connection.execute(
        """insert into sign_in_attempt (subject_hash, failures, last_at) values (%s, 0, %s)
        on conflict (subject_hash) do update set failures = sign_in_attempt.failures
        returning failures, last_at, locked_until""",
        (subject_hash, now),
    )
    row = await cursor.fetchone()
    return SignInAttempts(*row) if row else SignInAttempts(0, now, None)


async def save_attempts(connection: Connection, subject_hash: bytes, attempts: SignInAttempts) -> None:
    await connection.execute(
        "update sign_in_attempt set failures = %s, last_at = %s, locked_until = %s where subject_hash = %s",
        (attempts.failures, attempts.last_at, attempts.locked_until, subject_hash),
    )


async def forget_attempts(connection: Connection, subject_hash: bytes) -> None:
    await connection.execute("delete from sign_in_attempt where subject_hash = %s", (subject_hash,))


async def uncount_attempt(connection: Connection, subject_hash: bytes) -> None:
    """Subtract one failed attempt from the subject's count, and end the subject's delay."""
    await connection.execute(
        "update sign_in_attempt set failures = greatest(failures - 1, 0), locked_until = null where subject_hash = %s",
        (subject_hash,),
    )


async def locked_until(connection: Connection, subject_hashes: Sequence[bytes]) -> datetime | None:
    """Return the time until which attempts of these subjects are refused, or None if no delay is stored for them.

    The time may be in the past.
    """
    cursor = await connection.execute(
        "select max(locked_until) from sign_in_attempt where subject_hash = any(%s)", (list(subject_hashes),)
    )
    row = await cursor.fetchone()
    return row[0] if row else None
