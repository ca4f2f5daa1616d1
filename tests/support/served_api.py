"""A server with the API, in a separate thread, for commands that work with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette

from lockstep.actions import access_tokens
from lockstep.actions.background_tasks import background_tasks
from lockstep.actions.context import Actor
from lockstep.actions.live import live_hub
from lockstep.actions.permissions import SCOPES
from lockstep.api.app import api_routes
from lockstep.postgres.database import Database
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from lockstep.settings import load_settings
from lockstep.wiring import open_house
from tests.support.thread_server import served_in_a_thread


@contextmanager
def serving_lockstep(database: Database, data: Path, *, has_worker: bool = False) -> Iterator[tuple[str, str]]:
    """Serve the API from a thread until the end of the block. Yields its address, and a token with all permissions that a token
    can have.
    """

    async def serve(ready: Callable[[tuple[str, str]], None], stop: asyncio.Event) -> None:
        given = {"DATABASE_URL": database.conninfo, "LOCKSTEP_DATA": str(data)}
        async with (
            open_house(load_settings(given), main=False) as house,
            live_hub(house.pool) as hub,
            background_tasks() as tasks,
        ):
            await hub.connected.wait()
            made = await access_tokens.create_service_token(house.context(Actor("tests")), "tests", sorted(SCOPES))
            listener = listen("127.0.0.1", 0, next_step="")
            origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
            services = house.services()
            worker = asyncio.create_task(house.work(services)) if has_worker else None
            async with serving_http(
                Starlette(routes=api_routes(house.context, hub=hub, tasks=tasks)), listener, limits=ServingLimits()
            ):
                ready((origin, made.secret))
                await stop.wait()
                hub.end()
            if worker is not None:
                services.stopping.set()
                await worker

    with served_in_a_thread(serve) as there:
        yield there
