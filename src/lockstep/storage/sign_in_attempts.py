"""Failed sign-ins by the hash of the e-mail that was entered, whether or not an administrator has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SignInAttempts:
    """How many attempts failed in a row, and until when no further one is looked at."""

    failures: int
    locked_until: datetime | None


async def lock_attempts(
    connection: Connection, email_hash: bytes, *, now: datetime, forgotten: datetime
) -> SignInAttempts:
    """The attempts so far, locked until the transaction ends. Attempts before *forgotten* do not count any more."""
    await connection.execute(
        """delete from sign_in_attempt where email_hash in
        (select email_hash from sign_in_attempt where last_at < %s for update skip locked)""",
        (forgotten,),
    )
    cursor = await connection.execute(
        """insert into sign_in_attempt (email_hash, failures, last_at) values (%s, 0, %s)
        on conflict (email_hash) do update set last_at = excluded.last_at returning failures, locked_until""",
        (email_hash, now),
    )
    row = await cursor.fetchone()
    return SignInAttempts(*row) if row else SignInAttempts(0, None)


async def save_attempts(connection: Connection, email_hash: bytes, attempts: SignInAttempts) -> None:
    await connection.execute(
        "update sign_in_attempt set failures = %s, locked_until = %s where email_hash = %s",
        (attempts.failures, attempts.locked_until, email_hash),
    )


async def forget_attempts(connection: Connection, email_hash: bytes) -> None:
    await connection.execute("delete from sign_in_attempt where email_hash = %s", (email_hash,))
