"""Refresh the metadata of providers once a day, so that new certificates are accepted without an Admin's help."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import structlog

from documo.access.sso.providers import read_again
from documo.store import single_sign_on as table
from documo.store.database import Store
from lockstep.errors import Kind, LockstepError, conflict, unreachable
from lockstep.http.outbound import OutboundRules

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

log = structlog.get_logger("documo.access.sso")

EVERY = timedelta(days=1)
LOOK_SECONDS = 600.0
DEADLINE_SECONDS = 10.0
MAX_METADATA = 1024 * 1024  # bytes


class MetadataReader:
    """Fetches the metadata of providers, if the rules for outgoing requests allow their addresses."""

    def __init__(self, store: Store, rules: OutboundRules) -> None:
        self._store = store
        self._rules = rules
        self._client: HttpClient | None = None

    async def run(self) -> None:
        """Refresh metadata when it is due, until cancelled."""
        try:
            while True:
                try:
                    await self.refresh_due(datetime.now(UTC))
                except (psycopg.OperationalError, OSError) as failed:
                    log.warning("metadata_waits_for_database", error=type(failed).__name__)
                except Exception:
                    log.exception("metadata_refresh_failed")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def refresh_due(self, now: datetime) -> None:
        """Refresh the metadata of every account whose metadata was last read at least a day ago, or never."""
        async with self._store.control() as connection:
            due = await table.due_for_refresh(connection, now - EVERY)
        for tenant_id in due:
            await self.refresh(tenant_id, now=now)

    async def refresh(self, tenant_id: int, *, now: datetime) -> None:
        """Refresh one account's metadata. A problem is stored with the provider, and its certificates stay unchanged."""
        async with self._store.tenant(tenant_id) as connection:
            row = await table.read_provider(connection, tenant_id)
        if row is None or not row.metadata_url:
            return
        try:
            changed = read_again(row, await self.fetch(row.metadata_url), now=now)
        except LockstepError as problem:
            said = problem.detail + (f": {problem.why}" if problem.why else "")
            changed = replace(row, metadata_read_at=now, metadata_problem=said[:500])
            log.warning("metadata_not_read", account=tenant_id, problem=problem.detail)
        async with self._store.tenant(tenant_id) as connection:
            current = await table.read_provider(connection, tenant_id, locks=True)
            if current == row:  # otherwise an Admin has changed it in the meantime, and that change is kept
                await table.save_provider(connection, tenant_id, changed)

    async def fetch(self, url: str) -> bytes:
        """Return the document at *url*. Raises LockstepError if it cannot be fetched."""
        from lockstep.http.client import HttpClient
        from lockstep.http.trouble import WireError

        self._client = self._client or HttpClient(self._rules)
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        try:
            answer = await self._client.send("GET", url, headers={"Accept": "application/xml"}, deadline=deadline)
        except WireError as failed:
            raise unreachable("The metadata cannot be read", why=failed.sentence, next_step=failed.next_step) from None
        if answer.status != 200:
            raise LockstepError(
                Kind.UNREACHABLE,
                "The metadata cannot be read",
                why=f"The address responded with {answer.status}",
                next_step="Open it in a browser, or paste the metadata",
            )
        if len(answer.body) > MAX_METADATA:
            raise conflict(
                "The metadata is larger than 1 MB",
                next_step="Paste only the EntityDescriptor of your identity provider",
            )
        return answer.body
