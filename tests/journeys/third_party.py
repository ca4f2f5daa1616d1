"""Third-party SCIM servers, each as a separate process, and the attributes that each cannot store."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.node_packages import NODE, installed
from tests.journeys.two_applications import Wire
from tests.support.target_servers import TOKEN_FOR_SCIM2, free_port, scim2_server

SITE = Path(__file__).parent / "django_site" / "server.py"
TOKEN = "a-token-for-the-servers-of-others"
ENTERPRISE = frozenset({"department", "manager"})


@dataclass(frozen=True)
class Outside:
    """A server. *lacks*: attributes that it cannot store; *refuses*: those of them that it answers with an error instead of ignoring.

    *fails*: the probes of the deep Test Connection that say so.
    """

    name: str
    start: Callable[[], AbstractAsyncContextManager[Wire]]
    lacks: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    fails: frozenset[str] = frozenset()


@asynccontextmanager
async def strict() -> AsyncIterator[Wire]:
    async with scim2_server() as origin:
        yield Wire(TOKEN_FOR_SCIM2, origin, "")


@asynccontextmanager
async def scimmy(*, enterprise: bool) -> AsyncIterator[Wire]:
    surroundings = {"SCIM_TOKEN": TOKEN} | ({"SCIM_ENTERPRISE": "1"} if enterprise else {})
    with installed() as folder:
        async with _process([NODE, folder / "server.mjs"], surroundings) as process:
            assert process.stdout is not None
            port = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))["port"]
            yield Wire(TOKEN, f"http://127.0.0.1:{port}", "/scim")


@asynccontextmanager
async def django() -> AsyncIterator[Wire]:
    port = free_port()
    with TemporaryDirectory(prefix="django-scim-") as folder:
        command: list[str | Path] = [sys.executable, SITE, str(port), folder]
        async with _process(command, {"SCIM_TOKEN": TOKEN}) as process:
            async with asyncio.timeout(60):
                await _listening(port, process)
            yield Wire(TOKEN, f"http://127.0.0.1:{port}", "/scim/v2")


SERVERS = (
    Outside("scim2-server", strict),
    Outside("scimmy", lambda: scimmy(enterprise=True)),
    Outside(
        "scimmy-without-enterprise",
        lambda: scimmy(enterprise=False),
        lacks=ENTERPRISE,
        refuses=ENTERPRISE,
        fails=frozenset({"Manager"}),
    ),
    Outside("django-scim2", django, lacks=ENTERPRISE | {"title", "roles"}, fails=frozenset({"Manager", "E-mail"})),
)


@asynccontextmanager
async def _process(
    command: Sequence[str | Path], surroundings: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=nothing, env={**os.environ, **surroundings}
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise AssertionError(f"the server ended with {process.returncode}")
