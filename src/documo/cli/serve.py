"""`documo serve`."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import click
import orjson
import uvloop

from documo.cli.output import DocumoOutput, output_option
from documo.log_setup import log_to_stderr
from documo.server import RunningServer, serving, until_orphaned, until_stopped
from documo.settings import DEFAULT_PORT, DocumoSettings, read_settings
from documo.store.database import running_store
from lockstep.process.garbage_collection import settle_garbage


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 = any free port.",
)
@click.option("--host", default=None, help="Address to listen on (default: 127.0.0.1).")
@click.option("--data", metavar="FOLDER", help="Data folder (default: $LOCKSTEP_DATA or ./lockstep-data).")
@click.option("--public-url", metavar="URL", help="Public address of Documo, used in links in responses.")
@click.option(
    "--rate",
    type=click.IntRange(0),
    help="Requests per second for each account, instead of its own setting; 0 = no limit.",
)
@click.option("--ready-fd", type=click.IntRange(0), help="Also write the ready line, as JSON, to this file descriptor.")
@click.option("--with-parent", is_flag=True, help="Also stop when the parent process ends.")
@output_option
def serve(
    port: int, host: str | None, data: str | None, public_url: str | None, rate: int | None, ready_fd: int | None,
    with_parent: bool, output: DocumoOutput,
) -> None:  # fmt: skip
    """Serve accounts over SCIM until SIGTERM or Ctrl-C."""
    settings = read_settings(data=data, host=host, port=port, public_url=public_url, rate=rate)
    log_to_stderr()
    uvloop.run(_serve(settings, output, ready_fd, parent=os.getppid() if with_parent else None))


async def _serve(settings: DocumoSettings, output: DocumoOutput, ready_fd: int | None, *, parent: int | None) -> None:
    ends = [asyncio.ensure_future(until_stopped())]
    if parent is not None:
        ends.append(asyncio.ensure_future(until_orphaned(parent)))
    async with running_store(settings, main=True) as store:
        async with serving(store, settings) as running:
            settle_garbage()
            _say_ready(running, output, ready_fd)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


def _say_ready(running: RunningServer, output: DocumoOutput, ready_fd: int | None) -> None:
    facts = {
        "ready": True,
        "apiUrl": running.api_url,
        "scimUrl": running.scim_url,
        "port": running.port,
        "pid": os.getpid(),
    }
    output.one(facts, text=f"Documo is ready: {running.scim_url}")
    if ready_fd is not None:
        with suppress(OSError):
            os.write(ready_fd, orjson.dumps(facts) + b"\n")
            os.close(ready_fd)
