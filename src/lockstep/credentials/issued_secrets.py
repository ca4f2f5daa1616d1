"""Secrets that Lockstep issues for sessions, links and tokens. They are random, shown once, and stored as a hash.

A fast hash is sufficient for 256 random bits. A token ends with a checksum: a mistyped token is refused without a database query, and
scanners for leaked secrets have few false positives.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 43, 6  # 43 of 62 characters make 256 bits
PERSONAL, SERVICE = "lockstep_pat_", "lockstep_svc_"


def new_secret() -> str:
    """Return a random secret of 256 bits that is safe in a URL."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """Return the hash under which a secret is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def derived(secret: str, use: str) -> str:
    """Derive another secret from *secret* for one *use*. Only the holder of *secret* can compute it."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), f"lockstep {use}".encode(), "sha256").hex()


def secret_of_forms(secret: str, use: str) -> str:
    """Return the secret that protects a session's forms against forgery. *secret* is the session's own secret.

    If the session secret was made by `renewed_secret`, it contains the form secret. Otherwise, the form secret is derived from the session
    secret for *use*.
    """
    return secret.partition(".")[2] or derived(secret, use)


def renewed_secret(of_forms: str) -> str:
    """Return a new session secret that contains the existing form secret *of_forms*.

    Forms that are already open in other tabs can therefore still be submitted.
    """
    return f"{new_secret()}.{of_forms}"


def new_token(prefix: str) -> str:
    """Return a new token: *prefix*, random characters and a checksum."""
    body = prefix + "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether *text* has the form of one of our tokens and the right checksum."""
    prefix = text[: len(PERSONAL)]
    body, checksum = text[:-_CHECKSUM], text[-_CHECKSUM:]
    return (
        prefix in (PERSONAL, SERVICE)
        and len(text) == len(prefix) + _RANDOM + _CHECKSUM
        and text.isascii()
        and hmac.compare_digest(checksum, _checksum(body))
    )


def _checksum(body: str) -> str:
    number, found = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found
