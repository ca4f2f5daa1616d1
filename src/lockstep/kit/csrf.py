"""Protect forms against cross-site request forgery: every POST must come from a page of the same origin and contain the token of its
session.

The token is masked differently in every page, so that compression does not reveal it (BREACH). Pure, except for the random mask.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from lockstep.errors import Kind, LockstepError

FIELD = "csrf"
HEADER = "x-csrf-token"
CODE = "ForeignRequest"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def masked(secret: str) -> str:
    """Return the form token of the session with the secret *secret*, masked with random bytes. Each page gets a token that looks
    different.
    """
    plain = secret.encode()
    mask = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(mask + bytes(a ^ b for a, b in zip(plain, mask, strict=True))).decode()


def is_token_of(given: str, secret: str) -> bool:
    """Whether *given* is a token made from *secret*, and *secret* is not empty."""
    try:
        raw = base64.b64decode(given.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    half = len(raw) // 2
    plain = bytes(a ^ b for a, b in zip(raw[:half], raw[half:], strict=False))
    return bool(secret) and len(raw) == 2 * half and hmac.compare_digest(plain, secret.encode())


def require_same_origin(headers: Mapping[str, str], *, scheme: str) -> None:
    """Raise LockstepError unless the request comes from a page of the host that it was sent to.

    Browsers report this in Sec-Fetch-Site or, if that is missing (plain http), in Origin.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin", "")
    if site is not None:
        is_own = site == "same-origin"
    else:
        parts = urlsplit(origin)
        is_own = bool(parts.netloc) and parts.netloc == headers.get("host", "") and parts.scheme == scheme
    if not is_own:
        raise foreign("The request did not come from a page of this server")


def require_token(given: str, secret: str) -> None:
    """Raise LockstepError unless *given* is a token of the session with *secret*."""
    if not is_token_of(given, secret):
        raise foreign("The form belongs to another session")


def foreign(detail: str) -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        detail,
        why="The page may be older than your sign-in",
        next_step="Go back, reload the page and try again. Nothing was changed",
        code=CODE,
    )
