"""IDs of messages, and the random bytes of keys: the only source of randomness in this room."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """A new ID: an xs:ID (it begins with an underscore) with 160 random bits (SAML core, section 1.3.4)."""
    return f"_{secrets.token_hex(20)}"


def random_bytes(count: int) -> bytes:
    return secrets.token_bytes(count)
