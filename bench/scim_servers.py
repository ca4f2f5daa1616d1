"""Start the SCIM services that are compared: Documo, scim2-server, scimmy-routers.

Each runs as its users get it: Documo on its own PostgreSQL, every response durable, on a real disk; the other two in memory.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node_packages import NODE, NotInstalled, installed
from scim_load import Meter

BIN = Path(sys.executable).parent
TICKS = os.sysconf("SC_CLK_TCK")


class NotHere(Exception):
    """A service that cannot be measured on this machine, and why."""


@dataclass(frozen=True)
class Served:
    """A running service."""

    base: str
    token: str
    meter: Meter
    note: str


@contextmanager
def documo() -> Iterator[Served]:
    """Documo, durable, on its own PostgreSQL; CPU includes both."""
    folder = Path(tempfile.mkdtemp(prefix="documo-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user
    data = folder / "data"
    try:
        _documo("accounts", "create", "Bench", "--admin", "admin@load.example", "--data", str(data))
        key = _documo("keys", "create", "--account", "Bench", "--name", "bench", "--data", str(data))["key"]
        command = [str(BIN / "documo"), "serve", "--data", str(data), "--port", "0", "--rate", "0", "-o", "json"]
        with _process(command) as process:
            ready = json.loads(_line(process))
            database = [int(file.read_text().split()[0]) for file in data.rglob("postmaster.pid")]
            meter = Meter(lambda: _cpu([process.pid, *database]), lambda: _rss(process.pid))
            yield Served(ready["scimUrl"], key, meter, "PostgreSQL, durable; CPU includes the database")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scim2_server() -> Iterator[Served]:
    """The server of the scim2 family, started by its own command."""
    command = BIN / "scim2-server"
    if not command.exists():
        raise NotHere("scim2-server is not installed: make env-dev")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with _process([str(command), "--port", str(port), "--bearer-token", token]) as process:
        _until_listening(port, process)
        meter = Meter(lambda: _cpu([process.pid]), lambda: _rss(process.pid))
        yield Served(f"http://127.0.0.1:{port}/v2", token, meter, "in memory")


@contextmanager
def scimmy() -> Iterator[Served]:
    """scimmy-routers with maps in memory and an index on userName; its packages are installed into a temporary folder."""
    try:
        with installed() as folder:
            token = secrets.token_hex(16)
            with _process([str(NODE), str(folder / "server.mjs")], environment={"SCIM_TOKEN": token}) as process:
                port = json.loads(_line(process))["port"]
                meter = Meter(lambda: _cpu([process.pid]), lambda: _rss(process.pid))
                yield Served(f"http://127.0.0.1:{port}/scim", token, meter, "in memory, userName in a map")
    except NotInstalled as missing:
        raise NotHere(str(missing)) from None


def _documo(*arguments: str) -> dict[str, str]:
    ended = subprocess.run([str(BIN / "documo"), *arguments, "-o", "json"], capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"documo {' '.join(arguments[:2])}: {ended.stderr.strip()}")
    answer: dict[str, str] = json.loads(ended.stdout)
    return answer


@contextmanager
def _process(command: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A service for the duration of the block; its output is discarded."""
    surroundings = {**os.environ, **(environment or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=surroundings)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"The service ended before it was ready, with {process.wait()}")
    return line


def _until_listening(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("The service did not begin to listen within 20 seconds")


def _cpu(roots: list[int]) -> float:
    """CPU seconds of the processes and all their descendants, including those that have ended."""
    total = 0
    for pid in _family(roots):
        try:
            total += sum(int(part) for part in _stat(pid)[11:15])
        except OSError:
            continue
    return total / TICKS


def _rss(root: int) -> float:
    kilobytes = 0
    for pid in _family([root]):
        try:
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        # The memory of PostgreSQL has its own buffers and limits; this figure is the service's.
        if found and not Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
            kilobytes += int(found.group(1))
    return round(kilobytes / 1024, 1)


def _family(roots: list[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except OSError:
                continue
    family, waiting = set(), list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in family:
            family.add(pid)
            waiting += children.get(pid, [])
    return family


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat, starting with the state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
