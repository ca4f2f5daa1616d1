"""Documo as a separate program: started as a child process, administered through its command line, stopped at the end.

Lockstep imports nothing from Documo. `up` knows only what every administrator gets: an API URL and an API key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.errors import Kind, LockstepError

START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(slots=True)
class DocumoProcess:
    """A running Documo on *data*. *base_url* ends in `/scim/v2`."""

    data: Path
    base_url: str
    process: asyncio.subprocess.Process

    @property
    def origin(self) -> str:
        return self.base_url.removesuffix("/scim/v2")

    async def stop(self) -> None:
        """Ask Documo to stop, wait, and kill it if it does not."""
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start_documo(data: Path, *, port: int) -> DocumoProcess:
    """Start `documo serve` on *port* (0: any free port) without a rate limit, and wait until it responds. Raises LockstepError."""
    process = await asyncio.create_subprocess_exec(
        *command(["serve", "--data", str(data), "--port", str(port), "--rate", "0", "--with-parent", "-o", "json"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C must not reach it; we stop it after recording our own work
    )
    if process.stdout is None:
        raise LockstepError(Kind.INTERNAL, "Documo was started without an output pipe")
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        ready = json.loads(line)
    except asyncio.CancelledError:
        await DocumoProcess(data, "", process).stop()
        raise
    except (TimeoutError, ValueError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise LockstepError(
            Kind.UNREACHABLE,
            f"Documo did not start (exit code {process.returncode})",
            next_step=f"See why: documo serve --data {data} --port {port}",
        ) from None
    return DocumoProcess(data, ready["scimUrl"], process)


async def ask_documo(*arguments: str, entered: str = "") -> Any:
    """Run one documo command and return its JSON output, or None if it prints none. *entered* is sent to its standard input.

    Raises LockstepError with the error that the command printed.
    """
    process = await asyncio.create_subprocess_exec(
        *command(arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(entered.encode())
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        raise LockstepError(Kind.INTERNAL, f"documo {arguments[0]} failed: {said[0] if said else process.returncode}")
    return json.loads(out) if out.strip() else None


def command(arguments: Sequence[str]) -> list[str]:
    """Return the documo command of this installation, run by the current interpreter."""
    beside = Path(sys.executable).with_name("documo")
    start = [str(beside)] if os.access(beside, os.X_OK) else [sys.executable, "-m", "documo.cli"]
    return [*start, *arguments]
