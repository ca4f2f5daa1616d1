"""Passwords of administrators: argon2id, in threads of their own, and one rule that asks for length and nothing else (NIST SP 800-63B)."""

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

from lockstep.errors import Kind, LockstepError, invalid

SHORTEST, LONGEST = 12, 1_000
COSTS = RFC_9106_LOW_MEMORY  # the second recommended option: 64 MiB, three passes
_hasher = PasswordHasher.from_parameters(COSTS)
_MOST_WAITING = 20
_threads = ThreadPoolExecutor(2, thread_name_prefix="password")  # each verification takes a core and 64 MiB
_waiting = 0

Answer = TypeVar("Answer")


def check_password(password: str, email: str) -> None:
    """Raise LockstepError unless *password* may be used by the administrator with this e-mail."""
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise invalid(
            f"The password is shorter than {SHORTEST} characters", next_step="Use a few words, or a password manager"
        )
    if len(plain) > LONGEST:
        raise invalid(f"The password is longer than {LONGEST} characters")
    if plain.strip().lower() == email.strip().lower():
        raise invalid("The password is the e-mail address", next_step="Choose one that nobody can guess")


async def hash_password(password: str) -> str:
    """The argon2id hash of *password*."""
    return await _in_thread(_hasher.hash, _plain(password))


async def is_password(password: str, digest: str | None) -> bool:
    """Whether *password* has this hash. Without a hash the answer is no, after the same time."""
    matches = await _in_thread(_verified, digest, _plain(password)[:LONGEST])
    return matches and digest is not None


@functools.cache
def _decoy() -> str:
    return _hasher.hash("the password of an administrator who does not exist")


def _verified(digest: str | None, password: str) -> bool:
    decoy = _decoy()  # also if it is not used, so that the first sign-in of a process takes equally long for all
    try:
        return _hasher.verify(digest or decoy, password)
    except (VerificationError, InvalidHashError):
        return False


def refuse_if_busy() -> None:
    """Raise LockstepError if too many passwords wait to be verified; asked before an attempt is counted as failed."""
    if _waiting >= _MOST_WAITING:
        raise LockstepError(
            Kind.THROTTLED, "Too many sign-ins at once", next_step="Try again in a few seconds", retryable=True
        )


async def _in_thread(work: Callable[..., Answer], *parameters: object) -> Answer:
    global _waiting
    refuse_if_busy()
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work, *parameters)
    finally:
        _waiting -= 1


def _plain(password: str) -> str:
    # The same characters may arrive composed or decomposed, depending on the keyboard.
    return unicodedata.normalize("NFC", password)
