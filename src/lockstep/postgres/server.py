"""The databases of a process. They are on the server that a URL names. Without a URL, they are on the embedded server, which is started if
it is not running.

A data folder has only one main process (`up`, `serve`). Every other command passes `main=False` and shares the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from lockstep.errors import LockstepError, not_found
from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer, Options, Say, attach, quietly
from lockstep.postgres.locks import FileLock, claim_main
from lockstep.postgres.named import named_database
from lockstep.postgres.places import make_data_folder

WATCH_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0


class Server:
    """The databases of one data folder. Created by `start_or_attach`; `leave` must be awaited at the end."""

    def __init__(self, named: Mapping[str, Database], embedded: EmbeddedServer | None, main: FileLock | None, say: Say):
        self._named = dict(named)
        self._main = main
        self._say = say
        self.embedded = embedded

    def database(self, name: str) -> Database:
        """Return the database *name* (`lockstep`, `documo`). Raises LockstepError if it was not requested at start."""
        if name in self._named:
            return self._named[name]
        if self.embedded is None:
            raise not_found(
                f"The PostgreSQL server has no database {name}", next_step=f"Use one of: {', '.join(self._named)}"
            )
        return self.embedded.database(name)

    def is_reachable(self) -> bool:
        """Whether the embedded PostgreSQL is running and its socket exists. Always true for a named server, which is not checked."""
        return self.embedded is None or self.embedded.is_up()

    async def supervise(self) -> None:
        """Restart the embedded PostgreSQL whenever it is down. Runs until cancelled; does nothing for a named server."""
        pause = WATCH_SECONDS
        while self.embedded is not None:
            await asyncio.sleep(pause)
            if self.embedded.is_up():
                pause = WATCH_SECONDS
                continue
            try:
                if await asyncio.to_thread(self.embedded.ensure_up):
                    self._say("PostgreSQL had stopped and was restarted")
            except LockstepError as failed:
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                self._say(f"{failed.detail}. Trying again in {pause:.0f} s. {failed.why}".strip())

    async def leave(self) -> None:
        """End this use of the databases. The last process to leave stops the embedded PostgreSQL."""
        if self.embedded is not None:
            await _to_the_end(self.embedded.leave)
        if self._main is not None:
            self._main.close()
            self._main = None


async def start_or_attach(
    data: Path,
    *,
    main: bool,
    say: Say = quietly,
    product: str = "lockstep",
    databases: tuple[str, ...] = ("lockstep",),
    urls: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Server:
    """Make the *databases* reachable: through *urls* where given, otherwise on the embedded server of *data*.

    *main* makes this process the only main process of *product* in this folder. Raises LockstepError.
    """
    data = make_data_folder(data)
    lock = claim_main(data, product) if main else None
    named: dict[str, Database] = {}
    embedded: EmbeddedServer | None = None
    try:
        for name in databases if urls else ():
            found = await asyncio.to_thread(named_database, name, urls or {})
            if found is not None:
                named[name] = found
        if any(name not in named for name in databases):
            embedded = await _attached(data, options, say)
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    return Server(named, embedded, lock, say)


@asynccontextmanager
async def running(starting: Awaitable[Server]) -> AsyncIterator[Server]:
    """Await *starting*, a call of `start_or_attach`, and yield its server. Supervises the server during the block, and leaves it at the
    end.
    """
    server = await starting
    watch = asyncio.create_task(server.supervise(), name="postgres-supervision")
    try:
        yield server
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await server.leave()


async def _attached(data: Path, options: Options | None, say: Say) -> EmbeddedServer:
    """Call `attach` in a thread. If this call is cancelled after the server was attached, `leave` is called."""
    work = asyncio.ensure_future(asyncio.to_thread(attach, data, options=options, say=say))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        (server,) = await asyncio.gather(work, return_exceptions=True)
        if isinstance(server, EmbeddedServer):
            await _to_the_end(server.leave)
        raise


async def _to_the_end(work: Callable[[], None]) -> None:
    """Run blocking *work* in a thread. Wait until it has finished even if this call is cancelled, because half a shutdown would leave a
    server running.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
