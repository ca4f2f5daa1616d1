"""Record in an account's request log that a client still uses a revoked, replaced or expired key.

Without this record, an administrator who has replaced a key would not learn that a client still uses the old key.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any

import psycopg
import structlog

from documo.access.api_keys import hash_of
from documo.identifiers import KEY_PREFIX
from documo.request_log import LoggedRequest, RequestLog
from documo.store import keys as table
from documo.store.database import Store

log = structlog.get_logger("documo.access.ended_keys")

MOST_A_MINUTE = 6  # entries for one key: a client that retries without a pause must not crowd out other entries
MOST_KEYS = 10_000


class EndedKeys:
    """Adds to the request log the requests that used an expired or revoked key."""

    def __init__(self, store: Store, request_log: RequestLog) -> None:
        self._store = store
        self._request_log = request_log
        self._noted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def note(self, token: bytes, scope: MutableMapping[str, Any]) -> None:
        """If *token* is an expired or revoked key, record the request, which was refused with status 401, in the request log of the key's
        account. Never fails.
        """
        if not token.startswith(KEY_PREFIX.encode()):
            return
        try:
            async with self._store.control() as connection:
                ended = await table.ended(connection, hash_of(token))
        except (psycopg.Error, OSError) as failed:
            log.warning("ended_key_not_noted", error=type(failed).__name__)
            return
        if ended is not None and self.may_note(ended.key_id, at=time.monotonic()):
            self._request_log.add(LoggedRequest.of(scope, tenant_id=ended.tenant_id, key_id=ended.key_id, status=401))

    def may_note(self, key_id: str, *, at: float) -> bool:
        """Count one refused use of the key, and return whether the use may be logged. *at* is a time in seconds, from a monotonic clock."""
        begun, count = self._noted.pop(key_id, (at, 0))
        if at - begun >= 60:
            begun, count = at, 0
        self._noted[key_id] = begun, count + 1
        if len(self._noted) > MOST_KEYS:
            self._noted.popitem(last=False)
        return count < MOST_A_MINUTE
