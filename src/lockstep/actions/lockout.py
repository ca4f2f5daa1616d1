"""Failed sign-ins lead to growing delays: for the e-mail that was entered, whether or not an administrator has it."""

from __future__ import annotations

from datetime import datetime, timedelta

from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.issued_secrets import hash_of
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, sign_in_attempts
from lockstep.storage.sign_in_attempts import SignInAttempts
from lockstep.wording import counted

FREE = 5  # failures without a delay
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
_FORGOTTEN = timedelta(days=1)


def delay_after(failures: int) -> timedelta:
    """How long no further attempt is looked at after so many failures in a row."""
    doubled = failures - FREE
    return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(doubled, 20)) if doubled >= 0 else timedelta()


async def admit(context: Context, email: str) -> None:
    """Count an attempt as failed before it is looked at, so that attempts at the same moment are no way around the limit.

    Raises LockstepError while a delay lasts.
    """
    now = context.now()
    async with context.recording() as connection:
        so_far = await sign_in_attempts.lock_attempts(connection, hash_of(email), now=now, forgotten=now - _FORGOTTEN)
        is_locked = so_far.locked_until is not None and now < so_far.locked_until
        if not is_locked:
            failures = so_far.failures + 1
            delay = delay_after(failures)
            new = SignInAttempts(failures, now + delay if delay else None)
            await sign_in_attempts.save_attempts(connection, hash_of(email), new)
    if is_locked and so_far.locked_until is not None:
        raise _locked(so_far.locked_until - now)


async def failed(context: Context, email: str, *, who: str) -> None:
    """Write the audit entries of a failed attempt. An address that no administrator has is not written: it may be a password."""
    target = who or "An unknown address"
    async with context.recording() as connection:
        now = context.now()
        so_far = await sign_in_attempts.lock_attempts(connection, hash_of(email), now=now, forgotten=now - _FORGOTTEN)
        await audit_log.append(connection, actor=who or NOT_SIGNED_IN.name, activity="Sign-in failed", target=target)
        if so_far.locked_until is not None and now < so_far.locked_until:
            after = {"failures": so_far.failures, "lockedUntil": _shown(so_far.locked_until)}
            await audit_log.append(
                connection, actor=who or NOT_SIGNED_IN.name, activity="Lock sign-in", target=target, after=after
            )


async def forgiven(context: Context, email: str) -> None:
    """Take back the attempt that `admit` counted: nothing was wrong, only something is missing."""
    now = context.now()
    async with context.recording() as connection:
        so_far = await sign_in_attempts.lock_attempts(connection, hash_of(email), now=now, forgotten=now - _FORGOTTEN)
        await sign_in_attempts.save_attempts(connection, hash_of(email), SignInAttempts(so_far.failures - 1, None))


async def succeeded(connection: Connection, email: str) -> None:
    """Forget the failures of this e-mail."""
    await sign_in_attempts.forget_attempts(connection, hash_of(email))


def _locked(left: timedelta) -> LockstepError:
    seconds = max(1, round(left.total_seconds()))
    length = counted(seconds, "second") if seconds < 120 else counted(round(seconds / 60), "minute")
    return LockstepError(
        Kind.THROTTLED,
        "Too many failed sign-ins",
        next_step=f"Wait {length}, then try again",
        code="SignInLocked",
        retryable=True,
    )


def _shown(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
