"""Convert a position in a list to an encrypted cursor and back (RFC 9865).

A cursor is valid for one hour, and only for the tenant and the query for which it was issued. An expired cursor is refused with
expiredCursor, any other invalid cursor with invalidCursor.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from dataclasses import dataclass
from typing import Literal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lockstep.scim.errors import ScimError

LIFE_SECONDS = 3600

Direction = Literal["next", "previous"]


@dataclass(frozen=True, slots=True)
class Position:
    """The position after (or before) the resource with this *sort_value* and *id*."""

    direction: Direction
    sort_value: str | None
    id: str


def seal(position: Position, key: bytes, binding: str) -> str:
    """Return a cursor for *position*, bound to *binding*, a string that names the tenant and the query."""
    plain = orjson.dumps([position.direction, position.sort_value, position.id, int(time.time()) + LIFE_SECONDS])
    nonce = os.urandom(12)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plain, _digest(binding))).decode().rstrip("=")


def unseal(cursor: str, key: bytes, binding: str) -> Position:
    """Return the position in a cursor. Raises ScimError for a cursor that was altered, belongs to another query or tenant, or is too
    old.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        direction, sort_value, resource_id, until = orjson.loads(
            AESGCM(key).decrypt(raw[:12], raw[12:], _digest(binding))
        )
    except (ValueError, InvalidTag):
        raise ScimError(
            400, "invalidCursor", "The cursor does not belong to this list: start again with an empty cursor.", "cursor"
        ) from None
    if until < time.time():
        raise ScimError(
            400, "expiredCursor", "The cursor is older than one hour: start again with an empty cursor.", "cursor"
        )
    return Position(direction, sort_value, resource_id)


def _digest(binding: str) -> bytes:
    return hashlib.sha256(binding.encode()).digest()
