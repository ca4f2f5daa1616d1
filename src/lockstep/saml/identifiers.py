"""IDs of messages, and random bytes of keys. This module is the only source of randomness in this package."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """Return a new ID: an xs:ID (so it begins with an underscore) with 160 random bits (SAML core, section 1.3.4)."""
    return f"_{secrets.token_hex(20)}"


def random_bytes(count: int) -> bytes:
    return secrets.token_bytes(count)
