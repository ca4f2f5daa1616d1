"""Make identifiers and secrets.

Ids grow with time (UUID version 7), so that the order of ids is the order of creation and new rows land at the end of an index.
"""

from __future__ import annotations

import os
import secrets
import time
import uuid

KEY_PREFIX = "dk_live_"


def new_id() -> str:
    """A UUID version 7 as text."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | (random >> 68) << 64
        | 0b10 << 62
        | (random & (1 << 62) - 1)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_id(text: str) -> str | None:
    """*text* as a canonical id, or None when it cannot be one of ours."""
    if len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def new_key() -> str:
    """An API key with 256 random bits."""
    return KEY_PREFIX + secrets.token_hex(32)
