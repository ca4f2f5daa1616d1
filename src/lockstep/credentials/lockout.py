"""Failed sign-ins cause growing delays.

Failures are counted for the entered e-mail address, whether or not it exists. They are also counted for the client's address, so that a
client that tries one password with many e-mail addresses is delayed too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.credentials import failed_attempts
from lockstep.credentials.attempts import FORGOTTEN, OF_ADDRESS, OF_EMAIL, Limit, network_of, too_many_failures
from lockstep.credentials.failed_attempts import SignInAttempts
from lockstep.credentials.issued_secrets import hash_of
from lockstep.postgres.pool import Connection

Recording = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject whose attempts are counted, such as an e-mail address. *shown* is its form for logs, or "" if it must not be logged."""

    text: str
    limit: Limit
    shown: str = ""

    @property
    def key(self) -> bytes:
        return hash_of(self.text)


def subjects_of(email: str, address: str) -> list[Subject]:
    """Return the subjects whose attempts are counted: first the client's address, then the e-mail address.

    The order matters: while the client's address is locked, an attempt is refused before it is counted for the e-mail address.
    """
    network = network_of(address) if address else ""
    by_address = [Subject(f"address {network}", OF_ADDRESS, network)] if address else []
    return [*by_address, *([Subject(email, OF_EMAIL)] if email else [])]


async def admit(recording: Recording, email: str, *, address: str, now: datetime) -> None:
    """Count an attempt as failed before it is checked, so that simultaneous attempts cannot get around the limits.

    *address* is the client's address, or "" to ignore it. Raises LockstepError while a delay lasts, without saying what caused it.
    """
    counted_before: list[Subject] = []
    for subject in subjects_of(email, address):
        async with recording() as connection:
            so_far = await attempts_of(connection, subject, now)
            wait = so_far.locked_until - now if so_far.locked_until is not None else timedelta()
            if wait <= timedelta():
                failures = subject.limit.still_counting(so_far.failures, last_at=so_far.last_at, now=now) + 1
                delay = subject.limit.delay_after(failures)
                new = SignInAttempts(failures, now, now + delay if delay else None)
                await failed_attempts.save_attempts(connection, subject.key, new)
        if wait > timedelta():
            for earlier in counted_before:
                await _take_back(recording, earlier)
            raise too_many_failures(wait)
        counted_before.append(subject)


async def locked_now(
    connection: Connection, email: str, *, address: str, now: datetime
) -> list[tuple[Subject, SignInAttempts]]:
    """Return the subjects that are locked now, the e-mail address first."""
    found = [(one, await attempts_of(connection, one, now)) for one in reversed(subjects_of(email, address))]
    return [(one, so_far) for one, so_far in found if so_far.locked_until is not None and now < so_far.locked_until]


async def forgiven(recording: Recording, email: str, *, address: str) -> None:
    """Take back the attempt that `admit` counted. Call this for a failure that was not a wrong guess, such as a missing code."""
    for subject in subjects_of(email, address):
        await _take_back(recording, subject)


async def succeeded(connection: Connection, email: str, *, address: str) -> None:
    """Clear the failures of this e-mail address, and take back the attempt that `admit` counted for the client's address."""
    await failed_attempts.forget_attempts(connection, hash_of(email))
    for subject in subjects_of("", address):
        await failed_attempts.uncount_attempt(connection, subject.key)


async def attempts_of(connection: Connection, subject: Subject, now: datetime) -> SignInAttempts:
    return await failed_attempts.lock_attempts(connection, subject.key, now=now, forgotten=now - FORGOTTEN)


async def _take_back(recording: Recording, subject: Subject) -> None:
    async with recording() as connection:
        await failed_attempts.uncount_attempt(connection, subject.key)
