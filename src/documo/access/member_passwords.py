"""The hashing of members' passwords. SCIM and the pages use the same parameters, so that every password takes the same time to verify."""

from __future__ import annotations

from argon2 import PasswordHasher

from lockstep.credentials.passwords import Passwords

# 19 MiB and two passes are OWASP's minimum for argon2id; with more, a few creates could fill the process's memory.
OF_MEMBERS = Passwords(PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1))


async def hash_password(password: str | None) -> str | None:
    """Return the argon2id hash, or None if *password* is None."""
    return await OF_MEMBERS.hash_password(password) if password is not None else None
