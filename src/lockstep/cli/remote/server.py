"""The connection to a server. Actions called with the context of this connection run on the server, and raise the same errors as locally.

All messages about the connection are in this module: no connection, another program at the address, an expired token, a different version.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import orjson

from lockstep import __version__
from lockstep.actions.consequences import Consequences
from lockstep.actions.context import Actor, Context, Progress
from lockstep.actions.remote.values import from_json
from lockstep.actions.remote.wire import wire_of
from lockstep.actions.sources import PassKind
from lockstep.cli.remote.contexts import ServerContext
from lockstep.errors import Kind, LockstepError, conflict, invalid, unreachable
from lockstep.gallery.loader import load_gallery
from lockstep.http.client import HttpClient, Response
from lockstep.http.outbound import OutboundRules
from lockstep.http.tls import tls_context
from lockstep.http.trouble import Trouble, WireError
from lockstep.sources.csv_text import head_of

API = "/api/v1"
LONGEST_SECONDS = 900.0  # an action may read a whole application
SILENT_SECONDS = 60.0  # a stream sends a heartbeat every 15 s
LARGEST_ANSWER = 512 * 1024 * 1024
_WATCH_SECONDS = 30.0
_KINDS = frozenset(Kind)
_PHASES = frozenset(PassKind)
_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 0.05, 1.0  # between polls of an operation: at first, and at most
_MOST_LOST = 10  # polls in a row without a response
_PAUSE_SECONDS = 0.5  # between polls of a value that changes constantly


class RemoteServer:
    """A server that commands work with. It takes the place of the database in a context."""

    def __init__(self, url: str, http: HttpClient, *, token: str = "", name: str = "") -> None:
        self.url = url
        self.undone: list[str] = []  # applications that get no writes because the server has no running worker
        self.effects: list[Consequences] = []
        self._http = http
        self._name = name
        self._token = token
        self._rehearses = False
        self._news = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def context(self, *, say: Callable[[str], None]) -> Context:
        """Return a context whose actions run on the server."""
        return Context(
            pool=cast(Any, None),  # never used if `elsewhere` is set
            actor=Actor(self._name),
            vault=cast(Any, None),
            gallery=load_gallery(),
            open_source=cast(Any, None),
            say=say,
            elsewhere=self,
        )

    async def call(self, context: Context, action: str, given: Mapping[str, Any]) -> Any:
        """Run *action* on the server. Raises the action's errors, and LockstepError if there is no usable response."""
        wire = wire_of(action)
        body = {"arguments": wire.sent(given), "shape": wire.shape, "rehearse": self._rehearses}
        if wire.exposed.is_long and not self._rehearses:
            told = await self._done(context, await self.ask("POST", f"/actions/{action}/begin", body))
        else:
            told = await self.ask("POST", f"/actions/{action}", body)
        for text in told["said"]:
            context.say(text)
        self.undone += told["undone"]
        self.effects += from_json(told["effects"])
        return from_json(told["result"])

    async def _done(self, context: Context, operation: Mapping[str, Any]) -> Any:
        """Wait until *operation* has ended and return its result, or raise its error. Retries a lost connection several times."""
        pause, lost = _FIRST_LOOK_SECONDS, 0
        while operation["endedDateTime"] is None:
            if operation["phase"] in _PHASES:
                context.on_progress(Progress(PassKind(operation["phase"]), operation["done"], operation["fraction"]))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LOOK_SECONDS)
            try:
                operation, lost = await self.ask("GET", f"/operations/{operation['id']}"), 0
            except LockstepError as failed:
                lost += 1
                if failed.kind is not Kind.UNREACHABLE or lost > _MOST_LOST:
                    raise
        if operation["error"] is not None:
            raise self._error(operation["error"])
        return operation["result"]

    async def upload(self, source: str, path: Path) -> str:
        """Send the file at *path* for *source* and return the id of the upload. Raises LockstepError."""
        head_of(path)  # raises LockstepError if it is not a file
        content = await asyncio.to_thread(path.read_bytes)
        address = f"/sources/{quote(source, safe='')}/uploads?fileName={quote(path.name, safe='')}"
        kept = await self.ask("POST", address, content, media_type="text/csv")
        return str(kept["id"])

    async def stream(self, context: Context, action: str, given: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the items of *action*. Raises LockstepError, also if the connection is lost."""
        wire = wire_of(action)
        body = {"arguments": wire.sent(given), "shape": wire.shape}
        async for event, data in self._events("POST", f"/actions/{action}/stream", body):
            told = orjson.loads(data)
            if event == "item":
                yield from_json(told)
            elif event == "said":
                context.say(told)
            elif event == "problem":
                raise self._error(told)
            elif event == "end":
                return
        raise unreachable(
            f"{self.url} closed the connection before the response was complete", next_step="Run the command again"
        )

    async def foresee(self, context: Context, work: Callable[[Context], Awaitable[Any]]) -> list[Consequences]:
        """Return the consequences of *work*. If *work* calls several actions, the server rehearses each of them on its own."""
        inner = RemoteServer(self.url, self._http, token=self._token, name=self._name)
        inner._rehearses = True
        await work(replace(context, elsewhere=inner))
        return inner.effects

    async def changed(self) -> None:
        """Wait until something may have changed on the server, or until a time limit is reached."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._listen())
        try:
            # Not `wait_for`: until Python 3.12 it drops a cancellation (Ctrl-C) that comes just when the wait has ended.
            async with asyncio.timeout(_WATCH_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()
        await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._http.close()

    async def ask(self, method: str, path: str, body: Any = None, *, media_type: str = "application/json") -> Any:
        """Send one request and return its JSON. *body* is JSON, or bytes of another *media_type*. Raises LockstepError."""
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        deadline = asyncio.get_running_loop().time() + LONGEST_SECONDS
        try:
            answer = await self._http.send(
                method, f"{self.url}{API}{path}", headers=self._headers(media_type), body=content, deadline=deadline
            )
        except WireError as failed:
            raise self._lost(failed) from None
        return self._read(answer)

    async def _listen(self) -> None:
        try:
            async for _ in self._events("GET", "/events", on_open=self._news.set):  # earlier events were not delivered
                self._news.set()
        except LockstepError:
            pass  # the next poll reports what is wrong
        self._news.set()

    async def _events(
        self, method: str, path: str, body: Any = None, *, on_open: Callable[[], None] = lambda: None
    ) -> AsyncIterator[tuple[str, bytes]]:
        """Yield server-sent events as name and data. Calls *on_open* once the stream is open."""
        content = orjson.dumps(body) if body is not None else None
        event = ""
        try:
            async with self._http.stream(
                method, f"{self.url}{API}{path}", headers=self._headers(), body=content, silent_seconds=SILENT_SECONDS
            ) as answer:
                if answer.status != 200:
                    whole = b"".join([line async for line in answer.lines])
                    self._read(Response(answer.status, answer.headers, whole, 0.0))
                is_open = False
                async for line in answer.lines:
                    if not is_open:
                        is_open = True
                        on_open()
                    field, _, value = line.rstrip(b"\r\n").partition(b": ")
                    if field == b"event":
                        event = value.decode()
                    elif field == b"data":
                        yield event, value
        except WireError as failed:
            raise self._lost(failed) from None

    def _headers(self, media_type: str = "application/json") -> dict[str, str]:
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return {"Content-Type": media_type, "Accept": "application/json, text/event-stream"} | token

    def _lost(self, failed: WireError) -> LockstepError:
        next_step = failed.next_step
        if failed.trouble is Trouble.TLS and "authority" in failed.sentence:
            next_step = f"Name the file with the authority's certificate: lockstep login {self.url} --ca-file FILE"
        elif failed.trouble in (Trouble.NOT_CONNECTED, Trouble.CONNECT_TIMEOUT):
            next_step = "Check the address, and that Lockstep is running there"
        elif failed.trouble is Trouble.NOT_HTTP:
            return self._not_lockstep()
        return unreachable(f"Cannot reach {self.url}: {failed.sentence}", next_step=next_step)

    def _read(self, answer: Response) -> Any:
        if 300 <= answer.status < 400:
            raise invalid(
                f"{self.url} redirects to another address: {answer.headers.get('location', 'unknown')[:200]}",
                next_step="Sign in there: lockstep login URL",
            )
        try:
            told = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise self._not_lockstep(answer.status) from None
        if answer.status < 400 and isinstance(told, dict):
            return told
        if not isinstance(told, dict) or not str(told.get("type", "")).startswith("/problems/"):
            raise self._not_lockstep(answer.status)
        raise self._error(told)

    def _error(self, problem: Mapping[str, Any]) -> LockstepError:
        """Convert a problem document of the API into its error."""
        if problem["type"] == "/problems/not-authenticated":
            return LockstepError(
                Kind.UNAUTHORIZED,
                f"{self.url} does not accept your token: it has expired or was revoked",
                next_step=f"Sign in again: lockstep login {self.url}",
            )
        if "kind" not in problem:  # every version that supports remote calls sends it
            return self._too_old()
        next_step = str(problem.get("nextAction", {}).get("text", ""))
        if problem["type"] == "/problems/internal":
            next_step = f"Report it with the number {problem['requestId']}: the server's log has the details"
        if problem["type"] == "/problems/another-version":
            next_step = f"You have version {__version__}. Install the server's version, shown by: lockstep whoami"
        return LockstepError(
            Kind(kind) if (kind := str(problem["kind"])) in _KINDS else Kind.CONFLICT,  # a newer server may know more
            str(problem["detail"]),
            why=str(problem.get("why", "")),
            next_step=next_step,
            code=str(problem.get("code", "")),
        )

    def _not_lockstep(self, status: int = 0) -> LockstepError:
        return invalid(
            f"{self.url} does not respond like a Lockstep server{f' (HTTP status {status})' if status else ''}",
            next_step="Check the address; it must be the address of the admin centre",
        )

    def _too_old(self) -> LockstepError:
        return conflict(
            f"The version of Lockstep at {self.url} does not support remote commands",
            next_step=f"Upgrade the server to {__version__}, or run the command on its machine",
        )


@asynccontextmanager
async def connected(server: ServerContext) -> AsyncIterator[RemoteServer]:
    """Connect to *server* for the duration of the block."""
    opened = open_server(server.url, token=server.token.reveal(), ca_file=server.ca_file, name=server.who)
    try:
        yield opened
    finally:
        await opened.close()


def open_server(url: str, *, token: str = "", ca_file: str = "", name: str = "") -> RemoteServer:
    """Return a connection that the caller must close. Raises LockstepError for an unusable address or file."""
    try:
        rules = OutboundRules([url])
        tls = tls_context(ca_file)
    except ValueError as wrong:
        raise invalid(f"{url} is not the address of a server: {wrong}") from None
    except (OSError, ssl.SSLError):
        raise invalid(
            f"{ca_file} contains no readable certificate",
            next_step="Name a file with the certificates of the authority in PEM form",
        ) from None
    return RemoteServer(url, HttpClient(rules, tls=tls, largest_body=LARGEST_ANSWER), token=token, name=name)


async def revoke(server: ServerContext) -> LockstepError | None:
    """Revoke the token of *server*. Returns the error if that failed; an expired token is not an error."""
    try:
        async with connected(server) as connection:
            await connection.ask("DELETE", "/me/token")
    except LockstepError as lost:
        return None if lost.kind is Kind.UNAUTHORIZED else lost
    return None
