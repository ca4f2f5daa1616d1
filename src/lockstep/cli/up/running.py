"""Run Lockstep and Documo on one data folder. Used by `up`, its check and the benchmarks.

Documo's origin is the only private address that Lockstep may reach, and only while this runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lockstep.cli.admin_centre import serving_admin_centre
from lockstep.cli.monitoring import RequestTimes
from lockstep.cli.stopping import either
from lockstep.cli.up.documo_process import DocumoProcess, start_documo
from lockstep.postgres.embedded import Say
from lockstep.process.garbage_collection import settle_garbage
from lockstep.serving.health import free_port
from lockstep.settings import Settings
from lockstep.wiring import OWN_APPLICATION, House, Services, noted_application, open_house


@dataclass(frozen=True, slots=True)
class RunningProducts:
    """The running Lockstep and the running Documo."""

    house: House
    documo: DocumoProcess
    services: Services
    worker: asyncio.Task[None]
    port: int

    @property
    def address(self) -> str:
        return f"http://{self.house.settings.host}:{self.port}"


@asynccontextmanager
async def running(settings: Settings, *, documo_port: int, say: Say) -> AsyncIterator[RunningProducts]:
    """Start Lockstep and Documo, with a worker in this process. At the end, finish open requests and stop both. Raises LockstepError."""
    host = settings.host
    documo_port = free_port("127.0.0.1", documo_port)
    port = free_port(host, settings.port, excluded=documo_port)
    origin = f"http://127.0.0.1:{documo_port}"
    settings = replace(settings, port=port, outbound_allow=(*settings.outbound_allow, origin))
    times = RequestTimes.new()
    async with open_house(settings, main=True, say=say, observer=times.note) as house, _allowed(settings.data, origin):
        documo = await start_documo(settings.data, port=documo_port)
        services = house.services()
        ready = asyncio.Event()
        worker = asyncio.create_task(house.work(services, ready=ready), name="worker")
        try:
            async with serving_admin_centre(house, times, host=host, port=port, environment="demo"):
                await either(ready.wait(), worker)
                settle_garbage()
                yield RunningProducts(house, documo, services, worker, port)
        finally:
            services.stopping.set()
            await asyncio.gather(worker, return_exceptions=True)
            await documo.stop()


@asynccontextmanager
async def _allowed(data: Path, origin: str) -> AsyncIterator[None]:
    """Let other commands that use the data folder *data* reach Documo, too, for the duration of the block. They read Documo's origin from a
    file in this folder.
    """
    file = data / OWN_APPLICATION
    file.write_text(noted_application(data, origin))
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
