"""One HTTP/1.1 connection: uvicorn's protocol over httptools, with limits on the size and the slowness of the client's requests.

This is the only module that uses uvicorn's private API; docs/decisions/0015-limits-in-uvicorns-protocol.md says why. `PRIVATE_API`
lists what is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from lockstep.errors import release_frames
from lockstep.serving.bodies import AsgiSend
from lockstep.serving.connections import Connections
from lockstep.serving.last_answer import LastAnswer
from lockstep.serving.refusals import Refusal, Refused, check_head, without_upgrade

Render = Callable[[Refusal], tuple[bytes, bytes]]

PRIVATE_API = {
    HttpToolsProtocol: (
        "connection_made", "connection_lost", "data_received", "on_message_begin", "on_url", "on_header",
        "on_headers_complete", "on_body", "on_message_complete", "on_response_complete", "shutdown", "pause_writing",
        "resume_writing", "timeout_keep_alive_handler", "_start_asgi_task", "_unset_keepalive_if_required",
    ),
    RequestResponseCycle: ("run_asgi", "send", "receive"),
}  # fmt: skip
_NEVER = float("inf")
_FRAMING = 8  # allowed bytes of chunk framing per byte of a body; more is padding


class LimitedProtocol(HttpToolsProtocol):
    """One connection with limits. A refusal is sent after the responses to all earlier requests; then the connection is closed.

    Deadlines are in seconds of event loop time. *_deadline* applies to the head or body that the client is sending.
    """

    registry: Connections
    render: Render

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._deadline = self.loop.time() + self.registry.limits.head_seconds
        self._write_deadline = self._closing_deadline = _NEVER
        self._raw = self._head = self._fields = self._body = self._discarded = 0
        self._in_head = self._in_body = self._is_offer = self._is_deaf = self._closes_after_body = False
        self._refusal: Refusal | None = None
        self._running: RequestResponseCycle | None = None
        no_room = self.registry.enter(self)
        if no_room:
            self._is_deaf = True
            self.registry.note(Refusal(503, no_room), self.address)
            self.transport.write(self._answer(Refusal(503, no_room)))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.registry.leave(self)

    # Input

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._raw += len(data)
        try:
            self._feed(data)
        except Refused as refused:
            self._refuse(refused.refusal)
            release_frames(refused)
            return
        limits = self.registry.limits
        if self._in_body:
            if self._raw - _FRAMING * self._body > limits.head_bytes:
                self._refuse(Refusal(400, "The chunk framing is much larger than the body."))
        elif self._raw > limits.head_bytes:
            self._refuse(Refusal(431, f"The head of the request has more than {limits.head_bytes} bytes."))
        elif self._deadline == _NEVER and not self._is_answering:
            # Blank lines between requests do not start one.
            self._deadline = self.loop.time() + limits.head_seconds

    def _feed(self, data: bytes) -> None:
        """Parse *data*. Raises Refused if *data* is not HTTP, or if one of our callbacks refuses the request."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                # The offer may be ignored (RFC 9110, section 7.8), but a body that came with it must be read.
                data = without_upgrade(self.parser.get_method(), self.url, self.headers) + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self._is_offer = False
            except httptools.HttpParserCallbackError as error:
                cause = error.__context__
                if not isinstance(cause, Refused):
                    cause = Refused(400, "The request target is not a valid URL.")
                release_frames(error)  # they reference the parser, which references the connection
                raise cause from None
            except httptools.HttpParserError as error:
                raise Refused(400, f"Not a valid HTTP/1.1 request: {str(error)[:100]}.") from None

    def on_message_begin(self) -> None:
        limits = self.registry.limits
        if len(self.pipeline) >= limits.ahead:
            raise Refused(400, f"More than {limits.ahead} requests were pipelined without waiting for responses.")
        super().on_message_begin()
        self._in_head = True
        self._head = self._fields = 0
        if self._deadline == _NEVER:
            self._deadline = self.loop.time() + limits.head_seconds

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        limits = self.registry.limits
        if len(self.url) > limits.target_bytes:
            raise Refused(414, f"The request target has more than {limits.target_bytes} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer is not a header field (RFC 9110, section 6.5.1)
        limits = self.registry.limits
        self._fields += 1
        self._head += len(name) + len(value)
        if self._fields > limits.head_fields:
            raise Refused(431, f"There are more than {limits.head_fields} header fields.")
        if self._head > limits.head_bytes:
            raise Refused(431, f"The head of the request has more than {limits.head_bytes} bytes.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Refused(501, "This server is not a proxy.")
            self._is_offer = True
            return
        check_head(self.parser.get_http_version(), self.headers)
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._raw = self._body = 0
        self._deadline = self.loop.time() + self.registry.limits.body_seconds
        self.registry.busy(self)
        if not self.cycle.keep_alive:
            self.cycle.transport = LastAnswer(self.transport, self.close_after_answer)

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_offer:
            return
        super().on_message_complete()
        self._in_body = False
        self._raw = self._discarded = 0
        self._deadline = _NEVER
        if self._closes_after_body:
            self.transport.close()
        elif self.cycle.response_complete:
            self.registry.quiet(self)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self.registry.limits.discarded_bytes:
            self.transport.abort()

    # Output

    @property
    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self._running is not None and not self._running.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answering or self.transport.is_closing():
            return
        if self._refusal is not None:
            self._end_with(self._refusal)
        elif not self._in_body:
            self.registry.quiet(self)

    def close_after_answer(self) -> None:
        """Close the connection after the last response. Discard a body that is still arriving, so that the client can read the response."""
        if not self._in_body:
            self.transport.close()
        elif not self.transport.is_closing():
            self._closes_after_body = True
            self.transport.write_eof()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.time() + self.registry.limits.answer_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = _NEVER

    # Refusals

    def _refuse(self, refusal: Refusal) -> None:
        """Stop reading, and send *refusal* after the responses to all earlier requests."""
        if self._is_deaf or self.transport.is_closing():
            return
        if self._in_head or self._in_body:
            method = self.parser.get_method().decode("ascii", "replace") if self.url else ""
            refusal = refusal.about(method, self.url.partition(b"?")[0].decode("ascii", "replace"))
        self.registry.note(refusal, self.address)
        self._is_deaf, self._refusal = True, refusal
        self._deadline = _NEVER
        if self._in_body and not self._give_up(self.cycle):
            self.transport.abort()
        elif not self._is_answering:
            self._end_with(refusal)

    def _give_up(self, cycle: RequestResponseCycle) -> bool:
        """End a request whose body will never be complete. Returns False if its response has already begun."""
        if cycle.response_started:
            return False
        if cycle is self._running:
            self._running = None
            cycle.disconnected = True
            cycle.message_event.set()
        else:
            self.pipeline.popleft()
        return True

    def _end_with(self, refusal: Refusal) -> None:
        """Send *refusal* and end the connection. Input is discarded for a moment, so that no reset hides the refusal."""
        self._unset_keepalive_if_required()
        self.transport.write(self._answer(refusal))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._closing_deadline = self.loop.time() + self.registry.limits.linger_seconds

    def _answer(self, refusal: Refusal) -> bytes:
        return refusal.as_response(self.server_state.default_headers, *self.render(refusal))

    # Deadlines

    def look(self, now: float) -> None:
        """Handle every deadline that has passed. *now* is event loop time in seconds."""
        if now > self._write_deadline or now > self._closing_deadline:
            self.transport.abort()
        elif self.transport.is_closing():
            self._closing_deadline = min(self._closing_deadline, now + self.registry.limits.answer_seconds)
        elif now > self._deadline:
            self._be_late(now)

    def _be_late(self, now: float) -> None:
        limits = self.registry.limits
        if self.flow.read_paused:  # the server itself is not reading
            self._deadline = now + limits.body_seconds
        elif self._in_body:
            self._refuse(Refusal(408, f"The body was not complete within {limits.body_seconds:g} seconds."))
        elif self._in_head:
            self._refuse(Refusal(408, f"The head was not complete within {limits.head_seconds:g} seconds."))
        else:
            self.transport.close()

    def make_room(self) -> None:
        """Close the connection to make room for another client."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Stop. Complete requests get their response; incomplete requests have half of `stop_seconds` to become complete."""
        if self._in_body:
            self._deadline = min(self._deadline, self.loop.time() + self.registry.limits.stop_seconds / 2)
        super().shutdown()


async def finish_early(send: AsgiSend, rendered: tuple[bytes, bytes]) -> None:
    """Answer 503 to a request that was given up. If its response has begun or the client does not read, abort the connection instead."""
    cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]
    if cycle.response_started or cycle.flow.write_paused:
        cycle.transport.abort()
        return
    media_type, body = rendered
    headers = [
        (b"content-type", media_type), (b"content-length", b"%d" % len(body)), (b"retry-after", b"1"), (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def protocol_for(registry: Connections, render: Render) -> type[LimitedProtocol]:
    """Return the protocol class of one server. uvicorn creates an instance for each connection."""
    return type("LimitedProtocol", (LimitedProtocol,), {"registry": registry, "render": staticmethod(render)})
