"""Failed sign-ins lead to growing delays: for the e-mail that was entered, whether or not an administrator has it, and for the address of
the client, so that trying one password on many e-mails is no way around the first limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.credentials.attempts import FORGOTTEN, OF_ADDRESS, OF_EMAIL, Limit, network_of, too_many_failures
from lockstep.credentials.issued_secrets import hash_of
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, sign_in_attempts
from lockstep.storage.sign_in_attempts import SignInAttempts


@dataclass(frozen=True, slots=True)
class _Subject:
    """What attempts are counted for."""

    text: str
    limit: Limit

    @property
    def key(self) -> bytes:
        return hash_of(self.text)


def _subjects(email: str, address: str) -> list[_Subject]:
    """The address first: while it waits, nothing is counted for the e-mail."""
    by_address = [_Subject(f"address {network_of(address)}", OF_ADDRESS)] if address else []
    return [*by_address, *([_Subject(email, OF_EMAIL)] if email else [])]


async def admit(context: Context, email: str, *, address: str = "") -> None:
    """Count an attempt as failed before it is looked at, so that attempts at the same moment are no way around the limits.

    *address*: that of the client, "" if it does not matter. Raises LockstepError while a delay lasts; it does not say for what.
    """
    now = context.now()
    counted_before: list[_Subject] = []
    for subject in _subjects(email, address):
        async with context.recording() as connection:
            so_far = await _attempts(connection, subject, now)
            wait = so_far.locked_until - now if so_far.locked_until is not None else timedelta()
            if wait <= timedelta():
                failures = subject.limit.still_counting(so_far.failures, last_at=so_far.last_at, now=now) + 1
                delay = subject.limit.delay_after(failures)
                new = SignInAttempts(failures, now, now + delay if delay else None)
                await sign_in_attempts.save_attempts(connection, subject.key, new)
        if wait > timedelta():
            for earlier in counted_before:
                await _take_back(context, earlier)
            raise too_many_failures(wait)
        counted_before.append(subject)


async def failed(context: Context, email: str, *, who: str, address: str = "") -> None:
    """Write the audit entries of a failed attempt. An e-mail that no administrator has is not written: it may be a password."""
    now = context.now()
    shown = {email: who or "An unknown address"}
    async with context.recording() as connection:
        await audit_log.append(
            connection,
            actor=who or NOT_SIGNED_IN.name,
            activity="Sign-in failed",
            target=who or "An unknown address",
            after={"clientAddress": address} if address else None,
        )
        for subject in reversed(_subjects(email, address)):
            so_far = await _attempts(connection, subject, now)
            if so_far.locked_until is None or now >= so_far.locked_until:
                continue
            after = {"failures": so_far.failures, "lockedUntil": so_far.locked_until.isoformat(timespec="seconds")}
            await audit_log.append(
                connection,
                actor=who or NOT_SIGNED_IN.name,
                activity="Lock sign-in",
                target=shown.get(subject.text, network_of(address)),
                after=after,
            )


async def forgiven(context: Context, email: str, *, address: str = "") -> None:
    """Take back the attempt that `admit` counted: nothing was wrong, only something is missing."""
    for subject in _subjects(email, address):
        await _take_back(context, subject)


async def succeeded(connection: Connection, email: str, *, address: str = "") -> None:
    """Forget the failures of this e-mail, and that this attempt of the address was counted."""
    await sign_in_attempts.forget_attempts(connection, hash_of(email))
    for subject in _subjects("", address):
        await sign_in_attempts.uncount_attempt(connection, subject.key)


async def _take_back(context: Context, subject: _Subject) -> None:
    async with context.recording() as connection:
        await sign_in_attempts.uncount_attempt(connection, subject.key)


async def _attempts(connection: Connection, subject: _Subject, now: datetime) -> SignInAttempts:
    return await sign_in_attempts.lock_attempts(connection, subject.key, now=now, forgotten=now - FORGOTTEN)
