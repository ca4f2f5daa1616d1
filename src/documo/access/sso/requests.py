"""Recognise our own requests to a provider when the response arrives. Nothing is stored: the ID of the request contains all data,
authenticated with the service's key (HMAC) but not encrypted.

Anybody may begin a sign-in, so storing each request would let strangers fill the database. The ID contains the account, the host where the
sign-in began, whether it is a test, and the expiry time. The browser's secret and the RelayState are derived from the ID with the service's
key.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from documo.store import secrets as secrets_table
from documo.store.database import Store
from lockstep.credentials.issued_secrets import hash_of

REQUEST_LASTS = timedelta(minutes=15)  # enough time to find a second factor
_CONTENT = struct.Struct(">16sIIB")  # random, tenant, end in seconds, place and kind
_SEAL = 16  # bytes
_TEST = 8  # the bit that marks a test
_REFERENCE = 32  # characters: RelayState holds at most 80 bytes (SAML bindings, section 3.4.3)


class SignInHost(IntEnum):
    """The host where a sign-in begins and ends. The values are part of requests in progress, so they must not change."""

    PUBLIC = 0
    APP_DOMAIN = 1
    API_DOMAIN = 2


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """A request in progress. *browser_secret* is stored in the browser that began it; *reference* is sent as RelayState."""

    id: str
    tenant_id: int
    place: SignInHost
    is_test: bool
    expires_at: datetime
    reference: str
    browser_secret: str = field(repr=False)

    @property
    def browser_hash(self) -> bytes:
        return hash_of(self.browser_secret)


async def request_key(store: Store) -> bytes:
    """Return the key that authenticates request IDs."""
    async with store.control() as connection:
        return await secrets_table.secret(connection, "single sign-on requests", 32)


def new_request(key: bytes, tenant_id: int, place: SignInHost, *, is_test: bool, now: datetime) -> SignInRequest:
    ends = int((now + REQUEST_LASTS).timestamp())
    content = _CONTENT.pack(os.urandom(16), tenant_id, ends, place | (_TEST if is_test else 0))
    return _request(key, "_" + (content + _seal(key, content)).hex(), content)


def read_request(key: bytes, request_id: str, now: datetime) -> SignInRequest | None:
    """Return the request with this ID, or None if it is not ours or has expired."""
    try:
        given = bytes.fromhex(request_id.removeprefix("_"))
    except ValueError:
        return None
    content, seal = given[:-_SEAL], given[-_SEAL:]
    if len(content) != _CONTENT.size:  # an ID of a version with other content
        return None
    if not hmac.compare_digest(seal, _seal(key, content)):
        return None
    found = _request(key, request_id, content)
    return found if found.expires_at > now else None


def _request(key: bytes, request_id: str, content: bytes) -> SignInRequest:
    _, tenant_id, ends, kind = _CONTENT.unpack(content)
    return SignInRequest(
        id=request_id,
        tenant_id=tenant_id,
        place=SignInHost(kind & ~_TEST),
        is_test=bool(kind & _TEST),
        expires_at=datetime.fromtimestamp(ends, UTC),
        reference=_derived(key, f"reference {request_id}")[:_REFERENCE],
        browser_secret=_derived(key, f"browser {request_id}"),
    )


def _seal(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"request " + content, "sha256")[:_SEAL]


def _derived(key: bytes, use: str) -> str:
    return hmac.digest(key, use.encode(), "sha256").hex()
