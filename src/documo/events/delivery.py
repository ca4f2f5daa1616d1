"""Deliver the events of streams as signed tokens (RFC 8935) or plain webhooks, one at a time, so that the order is kept.

Events are delivered at least once: an event is dropped only after its receiver has acknowledged it. While a receiver keeps failing, the
pauses between the attempts become longer, up to LONGEST_WAIT. An event that is refused repeatedly is given up, so that it does not block
later events.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import psycopg
import structlog

from documo.events.streams import EventKeys, claims
from documo.scim_service.tenant.tenants import Tenants
from documo.security_events import SET_TYPE, StreamEvent, webhook_secret, webhook_signature
from documo.store import events as table
from documo.store.database import Store
from documo.store.events import StreamRow
from lockstep.http.outbound import OutboundRules
from lockstep.postgres.pool import Connection

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

log = structlog.get_logger("documo.events")

BATCH = 20
DEADLINE_SECONDS = 10.0
LONGEST_WAIT = timedelta(minutes=5)
MOST_REFUSALS = 5
RECHECK_SECONDS = 5.0
KEEP = timedelta(days=7)
PURGE_SECONDS = 600.0


class EventDelivery:
    """A task that delivers the events of all accounts' streams. Several processes share the work: each process takes only streams that no
    other process is serving.
    """

    def __init__(self, store: Store, tenants: Tenants, keys: EventKeys, rules: OutboundRules, issuer: str) -> None:
        self._store = store
        self._tenants = tenants
        self._keys = keys
        self._issuer = issuer
        self._rules = rules
        self._client: HttpClient | None = None
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Deliver events until cancelled."""
        listener = asyncio.create_task(self._listen())
        purged_at = 0.0
        try:
            while True:
                self._woken.clear()
                try:
                    while await self._serve_one():
                        pass
                    if time.monotonic() - purged_at > PURGE_SECONDS:
                        purged_at = time.monotonic()
                        await self._purge()
                except (psycopg.OperationalError, OSError) as failed:
                    log.warning("events_wait_for_database", error=type(failed).__name__)
                except Exception:
                    log.exception("event_delivery_failed")
                with suppress(TimeoutError):
                    async with asyncio.timeout(RECHECK_SECONDS):
                        await self._woken.wait()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            if self._client is not None:
                await self._client.close()

    async def _serve_one(self) -> bool:
        """Serve one stream that has events to send. Returns False if there is none."""
        async with self._store.control() as connection:
            stream = await table.due_for_delivery(connection)
            if stream is None:
                return False
            taken: list[str] = []
            begun = time.monotonic()
            for event in await table.waiting(connection, stream.id, limit=BATCH):
                problem = await self._send(stream, event)
                if problem is not None:
                    await table.acknowledge(connection, stream.id, taken)
                    await self._note(connection, stream, event, *problem)
                    return True
                taken.append(event.jti)
                if time.monotonic() - begun > DEADLINE_SECONDS:
                    break
            await table.acknowledge(connection, stream.id, taken)
            return True

    async def _note(
        self, connection: Connection, stream: StreamRow, event: StreamEvent, error: str, is_refusal: bool
    ) -> None:
        if is_refusal and await table.drop_refused(connection, stream.id, event.jti, most=MOST_REFUSALS):
            log.warning("event_given_up", stream=stream.id, jti=event.jti, error=error)
            return
        wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(stream.failures, 10)))
        await table.note_failure(connection, stream.id, error, wait=wait)

    async def _send(self, stream: StreamRow, event: StreamEvent) -> tuple[str, bool] | None:
        """Send one event. Returns None once the receiver has the event. Otherwise returns the problem, and whether the receiver refused
        this particular event.
        """
        from lockstep.http.client import HttpClient
        from lockstep.http.trouble import WireError

        self._client = self._client or HttpClient(self._rules)
        tenant = await self._tenants.tenant(stream.tenant_id)
        said = claims(event, stream, tenant.registry, self._issuer)
        if stream.delivery == "push":
            body = self._keys.signer.sign(said).encode()
            headers = {"Content-Type": f"application/{SET_TYPE}", "Accept": "application/json"}
        else:
            body = orjson.dumps(said)
            secret, at = webhook_secret(self._keys.webhook_master, stream.id), int(time.time())
            headers = {"Content-Type": "application/json", "Documo-Signature": webhook_signature(secret, body, at)}
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        try:
            answer = await self._client.send("POST", stream.url, headers=headers, body=body, deadline=deadline)
        except WireError as failed:
            return failed.sentence, False
        if 200 <= answer.status < 300:
            return None
        return f"The receiver responded with {answer.status}", answer.status in (400, 422)

    async def _purge(self) -> None:
        async with self._store.control() as connection:
            for stream, number in await table.drop_old(connection, KEEP):
                log.warning("events_lost", stream=stream, number=number, older_than_days=KEEP.days)

    async def _listen(self) -> None:
        while True:
            async for _ in self._store.notices("documo_events"):
                self._woken.set()
            await asyncio.sleep(0.5)
