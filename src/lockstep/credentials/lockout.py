"""Failed sign-ins lead to growing delays.

They are counted for the e-mail that was entered, whether or not somebody has it, and for the address of the client, so that trying one
password with many e-mails does not avoid the first limit.
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
    """What attempts are counted for. *shown*: what may be written down of it; "" if nothing may be."""

    text: str
    limit: Limit
    shown: str = ""

    @property
    def key(self) -> bytes:
        return hash_of(self.text)


def subjects_of(email: str, address: str) -> list[Subject]:
    """The address first: while it waits, nothing is counted for the e-mail."""
    network = network_of(address) if address else ""
    by_address = [Subject(f"address {network}", OF_ADDRESS, network)] if address else []
    return [*by_address, *([Subject(email, OF_EMAIL)] if email else [])]


async def admit(recording: Recording, email: str, *, address: str, now: datetime) -> None:
    """Count an attempt as failed before it is looked at, so that attempts at the same moment are no way around the limits.

    *address*: that of the client, "" if it does not matter. Raises LockstepError while a delay lasts; it does not say for what.
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
    """What the last failure locked, the e-mail first."""
    found = [(one, await attempts_of(connection, one, now)) for one in reversed(subjects_of(email, address))]
    return [(one, so_far) for one, so_far in found if so_far.locked_until is not None and now < so_far.locked_until]


async def forgiven(recording: Recording, email: str, *, address: str) -> None:
    """Take back the attempt that `admit` counted: nothing was wrong, only something is missing."""
    for subject in subjects_of(email, address):
        await _take_back(recording, subject)


async def succeeded(connection: Connection, email: str, *, address: str) -> None:
    """Forget the failures of this e-mail, and that this attempt of the address was counted."""
    await failed_attempts.forget_attempts(connection, hash_of(email))
    for subject in subjects_of("", address):
        await failed_attempts.uncount_attempt(connection, subject.key)


async def attempts_of(connection: Connection, subject: Subject, now: datetime) -> SignInAttempts:
    return await failed_attempts.lock_attempts(connection, subject.key, now=now, forgotten=now - FORGOTTEN)


async def _take_back(recording: Recording, subject: Subject) -> None:
    async with recording() as connection:
        await failed_attempts.uncount_attempt(connection, subject.key)
