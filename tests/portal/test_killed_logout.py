"""A process that is killed during back-channel logout: after a restart, exactly the missing notifications are sent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from lockstep.actions.single_sign_on import settings
from lockstep.postgres.database import Database
from tests.portal.test_back_channel_logout import pass_time, signed_out, verified, waiting
from tests.portal.test_openid_sign_in import CALLBACK, App, documo_as_client
from tests.support.admin_centre import serving_centre
from tests.support.hub import Hub
from tests.support.reused_databases import ReusedDatabase
from tests.support.telling_process import DATABASE
from tests.support.waiting import until

GIVE_UP_SECONDS = 60.0


@dataclass
class Application:
    """The application's server: it answers the first *answers* requests, and lets the others hang."""

    origin: str = ""
    answers: int = 1
    arrived: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        token = parse_qs(await request.text())["logout_token"][0]
        self.arrived.append(token)
        if len(self.answered) >= self.answers:
            await asyncio.Event().wait()
        self.answered.append(token)
        return web.Response()


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    running = Application()
    server = web.Application()
    server.router.add_post("/out", running.take)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield running
    await runner.cleanup()


@pytest.fixture
async def app(directory: Hub, application: Application) -> AsyncIterator[App]:
    async with serving_centre(directory, allow=[application.origin]) as centre:
        app = await documo_as_client(centre)
        openid = {"redirectUris": [CALLBACK], "backChannelLogoutUrl": f"{application.origin}/out"}
        await settings.change_sign_on(centre.context, "documo", {"openIdConnect": openid})
        yield app


@contextmanager
def telling(database: Database, application: Application) -> Iterator[subprocess.Popen[bytes]]:
    """A process that tells applications; it is killed at the end, if it was not before."""
    command = [sys.executable, "-m", "tests.support.telling_process", application.origin]
    process = subprocess.Popen(command, env={**os.environ, DATABASE: database.conninfo})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_waiting(app: App, rows: int) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(await waiting(app)) != rows:
            await asyncio.sleep(0.02)


async def sessions(app: App, tokens: list[str]) -> list[object]:
    return sorted([(await verified(app, token))["sid"] for token in tokens])


async def test_killed_process_leaves_exactly_the_sessions_that_are_still_owed(
    app: App, application: Application, reused_lockstep_database: ReusedDatabase
) -> None:
    owed = sorted([(await signed_out(app))["sid"] for _ in range(3)])
    with telling(reused_lockstep_database.database, application) as process:
        await until(lambda: len(application.arrived) == 3)
        await until_waiting(app, 2)  # the one that was answered is recorded, the others are under way
        process.send_signal(signal.SIGKILL)
        process.wait()
    told_before = await sessions(app, application.answered)

    application.answers, application.arrived = 100, []
    await pass_time(app)
    with telling(reused_lockstep_database.database, application):
        await until_waiting(app, 0)

    assert len(application.arrived) == 2
    assert len(told_before) == 1
    assert await sessions(app, application.answered) == owed
