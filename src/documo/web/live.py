"""`/events`: server-sent events that tell the open pages of an account about new entries in its request log. A page then reloads its list.

The request log sends the notification in the transaction that writes a batch, so no SCIM request waits for a page. The stream of a page
starts after the entry that was the newest when the page was rendered (`?after=`), and browsers reconnect with Last-Event-ID. Entries that
were written in the meantime are reported at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from documo.access.member_sign_in import caller_of_session
from documo.permissions import MemberPermission, allows
from documo.store import request_log as table
from documo.store.database import Store
from documo.web.sessions import session_secret
from lockstep.kit.streams import event_frame, last_event_id, stream_response

log = structlog.get_logger("documo.web.live")

PATH = "/events"
TOPIC = "request"
EVERY_SECONDS = 1.0  # shortest time between two notifications to one page
EACH_MILLISECONDS = 200  # wait of a page for each open page
BEAT = b"event: beat\ndata:\n\n"  # an event, because a page's script does not see comments


class LiveRequests:
    """Forwards notifications of the database to the open pages of this process. The task `run` must run as long as pages are served."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: dict[asyncio.Event, int] = {}
        self._is_closed = False
        self.connected = asyncio.Event()

    @property
    def pause_milliseconds(self) -> int:
        """The average time for which a page waits before it reloads."""
        return EACH_MILLISECONDS * len(self._pages)

    async def run(self) -> None:
        """Listen until cancelled. After a lost connection every page reloads, because notifications may have been missed."""
        while True:
            async for tenant in self._store.notices(table.CHANNEL):
                self.connected.set()
                self._wake(int(tenant) if tenant else None)
            self.connected.clear()
            await asyncio.sleep(0.5)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._is_closed = True
        self._wake(None)

    @contextmanager
    def listening(self, tenant_id: int, after: str) -> Iterator[AsyncIterator[str]]:
        """Provide an iterator during the block. Whenever there are new entries, it yields the id of the newest one. Entries up to *after*
        are not new.
        """
        news = asyncio.Event()
        self._pages[news] = tenant_id
        try:
            yield self._newest(tenant_id, after, news)
        finally:
            del self._pages[news]

    async def _newest(self, tenant_id: int, seen: str, news: asyncio.Event) -> AsyncIterator[str]:
        while not self._is_closed:
            news.clear()
            try:
                async with self._store.tenant(tenant_id) as connection:
                    newest = await table.newest(connection, tenant_id)
            except (psycopg.Error, OSError) as failed:
                log.warning("live_requests_ended", error=type(failed).__name__)
                return  # the browser reconnects
            if newest > seen:
                seen = newest
                yield newest
                await asyncio.sleep(EVERY_SECONDS)
            await news.wait()

    def _wake(self, tenant_id: int | None) -> None:
        for news, tenant in self._pages.items():
            if tenant_id in (None, tenant):
                news.set()


def live_route(store: Store, live: LiveRequests) -> Route:
    async def events(request: Request) -> Response:
        async def may_listen() -> bool:
            caller = await caller_of_session(store, session_secret(request))
            return caller is not None and allows(caller.role, MemberPermission.SCIM)

        caller = await caller_of_session(store, session_secret(request))
        if caller is None or not allows(caller.role, MemberPermission.SCIM):
            return Response(status_code=204)  # this status stops an EventSource
        after = last_event_id(request.headers.get("last-event-id") or request.query_params.get("after"))

        def frame(newest: str) -> bytes:
            return event_frame(newest, TOPIC, b"%d" % live.pause_milliseconds)

        return stream_response(live.listening(caller.tenant_id, after), frame, may_listen=may_listen, beat=BEAT)

    return Route(PATH, events, methods=["GET"])
