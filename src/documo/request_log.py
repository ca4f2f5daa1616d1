"""The log of SCIM requests for an account's admins. It shows each request, its response and the tolerances applied.

Entries are written in batches, after the response and without waiting for the disk. A crash may lose the last second of the log, which is
better than a slower service. Passwords and keys are never written.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
import psycopg
import structlog

from documo.audit_log import remove_old
from documo.identifiers import new_id
from documo.store import keys as keys_table
from documo.store import request_log as table
from documo.store.database import Store

log = structlog.get_logger("documo.request_log")

KEEP = timedelta(days=7)
FLUSH_SECONDS = 0.5
WRITTEN_AT_ONCE = 50  # entries of about 20 KB at most: the driver's buffer grows with a statement and never shrinks
MAX_BODY = 8_192
MAX_WAITING_BYTES = 16 * 1024 * 1024  # above this, entries are queued without bodies
MOST_WAITING_BYTES = 20 * 1024 * 1024  # for the whole queue, including entries without bodies
ENTRY_BYTES = 1_000  # size of an entry without its strings
MAX_TYPE = 200  # characters of a content type, and of the path of an entry whose bodies were left out
MAX_AGENT = 200  # characters of a user agent that are stored
_CLIENTS = (
    (re.compile("okta", re.I), "Okta"),
    (re.compile("onelogin", re.I), "OneLogin"),
    (re.compile("jumpcloud", re.I), "JumpCloud"),
    (re.compile("google", re.I), "Google"),
    (re.compile("lockstep", re.I), "Lockstep"),
    (re.compile("azure|entra|microsoft", re.I), "Entra"),
    (re.compile("scim2-tester|scim-sanity|scim2-client|scim2_client|python-httpx", re.I), "test suite"),
    (re.compile("curl", re.I), "curl"),
)
UNKNOWN_CLIENT = "unknown"
CLIENTS = (*(name for _, name in _CLIENTS), UNKNOWN_CLIENT)  # all answers of `client_guess`
_ATTRIBUTE = re.compile(r"/?(urn:[\w:.-]*[:/])?password\Z", re.I)  # also as a pointer, see `paths_as_pointers`
_JWT = re.compile(rb"eyJ[\w-]{8,}\.")


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request and its response."""

    tenant_id: int
    at: datetime
    method: str
    path: str
    status: int
    milliseconds: float
    key_id: str
    tolerances: tuple[str, ...]
    address: str
    user_agent: str
    request_type: str
    request_body: bytes
    response_body: bytes
    response_headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        scope: Mapping[str, Any],
        *,
        tenant_id: int,
        key_id: str,
        status: int,
        seconds: float = 0.0,
        tolerances: Sequence[str] = (),
        request_body: bytes = b"",
        response_body: bytes = b"",
        response_headers: Mapping[str, str] | None = None,
    ) -> LoggedRequest:
        """Build the entry for the HTTP request of *scope* (ASGI). A HEAD is logged as a GET.

        The response body and headers of a successful read are not stored.
        """
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        query = scope["query_string"].decode("latin-1")
        keep_answer = method != "GET" or status >= 400
        return cls(
            tenant_id,
            datetime.now(UTC),
            method,
            f"{scope['path']}?{query}" if query else scope["path"],
            status,
            seconds * 1000,
            key_id,
            tuple(tolerances),
            client[0] if client else "",
            headers.get(b"user-agent", b"")[:MAX_AGENT].decode("latin-1"),
            headers.get(b"content-type", b"")[:MAX_TYPE].decode("latin-1"),
            request_body,
            response_body if keep_answer else b"",
            (response_headers or {}) if keep_answer else {},
        )

    @property
    def size(self) -> int:
        """The approximate size in bytes."""
        texts = (self.request_body, self.response_body, self.path, self.user_agent, self.request_type)
        return ENTRY_BYTES + sum(map(len, texts))

    @property
    def use(self) -> tuple[str, datetime, str, str]:
        """The use of the key: the key's id, and the time, the address and the user agent of the request."""
        return self.key_id, self.at, self.address, self.user_agent[:200]

    def without_bodies(self) -> LoggedRequest:
        return replace(self, request_body=b"", response_body=b"", path=self.path.partition("?")[0][:MAX_TYPE])


class RequestLog:
    """A queue in memory, and the task that writes it to the database. If the database is unreachable, entries are lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[LoggedRequest] = []
        self.waiting_bytes = 0
        self._lost = 0

    @property
    def lost(self) -> int:
        """The number of entries lost since the start."""
        return self._lost

    def add(self, entry: LoggedRequest) -> None:
        """Queue an entry, without its bodies if the queue is large. If there is no room even then, the entry is lost. Never waits, never
        fails.
        """
        size = entry.size
        if self.waiting_bytes + size > MAX_WAITING_BYTES:
            size = (entry := entry.without_bodies()).size
        if self.waiting_bytes + size > MOST_WAITING_BYTES:
            self._lost += 1
            return
        self.waiting_bytes += size
        self._waiting.append(entry)

    async def run(self) -> None:
        """Write queued entries twice a second, and remove old ones, until cancelled. Then write the remaining entries."""
        last_purge = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await self.flush()
                if loop.time() - last_purge > 600:
                    last_purge = loop.time()
                    await self._purge()
        finally:
            with suppress(Exception):
                async with asyncio.timeout(3):
                    await self.flush()

    async def flush(self) -> None:
        """Write the queued entries."""
        entries, self._waiting, self.waiting_bytes = self._waiting, [], 0
        if not entries:
            return
        by_tenant: dict[int, list[LoggedRequest]] = {}
        for entry in entries:
            by_tenant.setdefault(entry.tenant_id, []).append(entry)
        try:
            for tenant_id, mine in by_tenant.items():
                for begin in range(0, len(mine), WRITTEN_AT_ONCE):
                    async with self._store.tenant(tenant_id) as connection:
                        await table.insert(connection, [_row(entry) for entry in mine[begin : begin + WRITTEN_AT_ONCE]])
            # A refused request does not count as a use of the key.
            uses = {e.key_id: e.use for e in sorted(entries, key=lambda one: one.at) if e.status != 401}
            async with self._store.control() as connection:
                await keys_table.note_use(connection, sorted(uses.values(), key=lambda use: use[1]))
        except (psycopg.Error, OSError) as failed:
            self._lost += len(entries)
            log.warning("request_log_not_written", lost=self._lost, error=type(failed).__name__)

    async def _purge(self) -> None:
        with suppress(psycopg.Error, OSError):
            async with self._store.control() as connection:
                tenants = await table.tenants(connection)
                await keys_table.remove_expired_tokens(connection)
            for tenant_id in tenants:
                async with self._store.tenant(tenant_id) as connection:
                    await table.remove_before(connection, tenant_id, datetime.now(UTC) - KEEP)
                    await table.purge_deleted(connection, tenant_id)
                    await remove_old(connection, tenant_id)


@lru_cache(maxsize=512)
def client_guess(user_agent: str) -> str:
    """Guess the product that sent a request."""
    return next((name for pattern, name in _CLIENTS if pattern.search(user_agent)), UNKNOWN_CLIENT)


def redacted(body: bytes) -> str | None:
    """Return a body for the log: shortened, and with passwords and secrets replaced. Returns None if there is no body."""
    if not body:
        return None
    # An escape sequence may hide a secret's name, so such a body is parsed too and its names are compared as the service reads them.
    if _may_hold_secret(body) or b"\\u" in body:
        try:
            body = orjson.dumps(_without_secrets(orjson.loads(body)))
        except orjson.JSONDecodeError:
            return "[not shown: not valid JSON and may contain a secret]"
    text = body[:MAX_BODY].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return f"{text}\u2026" if len(body) > MAX_BODY else text


def _shown_path(path: str) -> str:
    """Return the path with its query. A query that mentions a secret is replaced, because its filter may contain the secret."""
    shown = path
    if _holds_secret_in_url(path):
        name, mark, query = path.partition("?")
        hidden = "***" if mark and _holds_secret_in_url(query) else query
        shown = f"{_without_key(name)}{mark}{hidden}"
    # PostgreSQL cannot store NUL; a NUL in a path must not cause the loss of a whole batch of entries.
    return shown.replace("\x00", "\ufffd")


def _without_key(path: str) -> str:
    """Return *path* with `***` in place of segments that may be keys, because some clients are configured with a key in the URL."""
    if not _holds_secret_in_url(path):
        return path
    return "/".join("***" if _holds_secret_in_url(part) else part for part in path.split("/"))


_shown_header = lru_cache(maxsize=512)(_without_key)  # clients send the same headers with every request


def _holds_secret_in_url(text: str) -> bool:
    # Unescape twice: the server unescapes only the path, and some clients escape values twice.
    return _may_hold_secret(unquote_to_bytes(unquote_to_bytes(text)))


def _may_hold_secret(text: bytes) -> bool:
    # Every body passes through here: three substring searches are many times faster than one case-insensitive expression.
    folded = text.lower()
    if b"password" in folded or b"secret" in folded or b"dk_live_" in folded:
        return True
    return b"eyJ" in text and _JWT.search(text) is not None


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        # Names are compared ignoring case, as the service reads them: older Entra jobs send `Path` and `Value`.
        hidden = any(
            isinstance(item, str) and key.lower() == "path" and _may_hold_secret(item.encode())
            for key, item in value.items()
        )
        return {key: _shown_item(key, item, hidden=hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return "***" if isinstance(value, str) and _may_hold_secret(value.encode()) else value


def _shown_item(name: str, item: Any, *, hidden: bool) -> Any:
    folded = name.lower()
    if folded == "path" and isinstance(item, str) and _ATTRIBUTE.match(item):
        return item  # attribute names are not secret, and show what was changed
    if _may_hold_secret(name.encode()) or (hidden and folded not in ("op", "path")):
        return "***"
    return _without_secrets(item)


def _row(entry: LoggedRequest) -> dict[str, Any]:
    return {
        "tenant_id": entry.tenant_id,
        "id": "req_" + new_id().replace("-", ""),
        "at": entry.at,
        "method": entry.method,
        "path": _shown_path(entry.path)[:4000],
        "status": entry.status,
        "milliseconds": entry.milliseconds,
        "key_id": entry.key_id,
        "client": client_guess(entry.user_agent),
        "tolerances": list(entry.tolerances),
        "address": entry.address,
        "user_agent": _shown_header(entry.user_agent)[:500],
        "request_type": _shown_header(entry.request_type)[:200],
        "request_body": redacted(entry.request_body),
        "response_headers": {name: _without_key(value) for name, value in entry.response_headers.items()},
        "response_body": redacted(entry.response_body),
    }
