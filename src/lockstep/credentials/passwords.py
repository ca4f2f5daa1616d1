"""Hash and verify passwords with argon2id, in separate threads.

A password must be long, and must not be one that attackers try first (NIST SP 800-63B).
"""

from __future__ import annotations

import asyncio
import functools
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from lockstep.credentials.obvious_passwords import why_obvious
from lockstep.errors import Kind, LockstepError, invalid

SHORTEST, LONGEST = 12, 1_000
_MOST_WAITING = 20

Result = TypeVar("Result")


def check_password(password: str, email: str, *, longest: int = LONGEST) -> None:
    """Raise LockstepError unless *password* is long enough and hard to guess for the person with this *email*."""
    entered = composed(password)
    if len(entered) < SHORTEST:
        raise invalid(
            f"The password is shorter than {SHORTEST} characters", next_step="Use a few words, or a password manager"
        )
    if len(entered) > longest:
        raise invalid(f"The password is longer than {longest} characters", next_step="Choose a shorter one")
    if entered.strip().lower() == email.strip().lower():
        raise invalid("The password is the e-mail address", next_step="Choose one that is hard to guess")
    if why := why_obvious(entered, email):
        raise invalid(
            "The password is easy to guess", why=why, next_step="Choose a few words that do not belong together"
        )


class Passwords:
    """Hashes and verifies passwords with one *hasher*, at most two at a time. Each computation occupies a core and the memory that the
    hasher needs.
    """

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="password")
        self._waiting = 0

    def refuse_if_busy(self) -> None:
        """Raise LockstepError if too many passwords wait to be verified. Call this before an attempt is counted as failed."""
        if self._waiting >= _MOST_WAITING:
            raise LockstepError(
                Kind.THROTTLED, "Too many sign-ins at once", next_step="Try again in a few seconds", retryable=True
            )

    async def hash_password(self, password: str) -> str:
        """Return the argon2id hash of *password*. Waits if both threads are busy.

        If too many passwords are waiting, `matches` raises an error, but this method still waits.
        """
        return await self._in_thread(self._hasher.hash, composed(password))

    async def matches(self, password: str, digest: str | None) -> bool:
        """Whether *password* has the hash *digest*. If *digest* is None, returns False, but takes as long as a comparison. Raises
        LockstepError if too many passwords wait to be verified.
        """
        self.refuse_if_busy()
        is_right = await self._in_thread(self._verified, digest, composed(password)[:LONGEST])
        return is_right and digest is not None

    def _verified(self, digest: str | None, password: str) -> bool:
        decoy = (
            self._decoy
        )  # computed even if unused, so that the first sign-in of a process takes equally long for everyone
        try:
            return self._hasher.verify(digest or decoy, password)
        except (VerificationError, InvalidHashError):
            return False

    @functools.cached_property
    def _decoy(self) -> str:
        return self._hasher.hash("the password of somebody who does not exist")

    async def _in_thread(self, work: Callable[..., Result], *parameters: object) -> Result:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *parameters)
        finally:
            self._waiting -= 1


COSTS = RFC_9106_LOW_MEMORY  # the second recommended option: 64 MiB, three passes
OF_ADMINISTRATORS = Passwords(PasswordHasher.from_parameters(COSTS))
OF_PEOPLE = Passwords(PasswordHasher.from_parameters(COSTS))  # separate threads: people cannot delay administrators


def composed(password: str) -> str:
    """Return *password* in composed form (NFC), because keyboards encode the same characters differently."""
    return unicodedata.normalize("NFC", password)
