"""Generate secrets, and generate and read identifiers."""

from __future__ import annotations

import secrets
import uuid

from lockstep.postgres.ids import new_id as new_id

KEY_PREFIX = "dk_live_"


def read_id(text: str) -> str | None:
    """Return *text* as a canonical id, or None if it is not a UUID."""
    if len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def new_key() -> str:
    """Return an API key with 256 random bits."""
    return KEY_PREFIX + secrets.token_hex(32)
