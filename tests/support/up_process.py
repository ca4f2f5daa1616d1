"""`lockstep up` as a process: both products with made-up people, on free ports."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lockstep.postgres import embedded

BIN = Path(sys.executable).parent
GIVE_UP_SECONDS = 300.0
FREE_PORTS = ("--port", "0", "--documo-port", "0")


@dataclass(frozen=True)
class Up:
    """A running `lockstep up`. *lines* has the lines that it printed before it was ready."""

    lines: tuple[str, ...]
    data: Path

    @property
    def origin(self) -> str:
        return self._found(r"Lockstep +(http://\S+)")

    @property
    def link(self) -> str:
        """The one-time link of the first administrator."""
        return self._found(r"First sign-in +(http://\S+)")

    @property
    def documo_origin(self) -> str:
        return self._found(r"Documo \(app\) +(http://\S+)")

    def documo_link(self, email: str) -> str:
        """A link with which this member of Documo sets a password."""
        command = [str(BIN / "documo"), "members", "link", email, "--data", str(self.data), "-o", "json"]
        return str(json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["url"])

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines))
        assert found, self.lines
        return found[1]


@contextmanager
def up_folder() -> Iterator[Path]:
    """A folder for `running_up`, which is removed at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="ls-up-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user and must be able to traverse it
    try:
        yield folder
    finally:
        embedded.remove(folder / "data")
        embedded.remove(folder)


@contextmanager
def running_up(*options: str, ready: str = "READY", folder: Path | None = None) -> Iterator[Up]:
    """Run `lockstep up` until the block ends. The block begins when a line that contains *ready* is printed. The data are kept in *folder*,
    or removed if it is None.
    """
    with nullcontext(folder) if folder is not None else up_folder() as data:
        command = [str(BIN / "lockstep"), "up", "--data", str(data / "data"), *FREE_PORTS, *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
        with (data / "errors").open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
            timer = threading.Timer(GIVE_UP_SECONDS, process.kill)
            timer.start()
            try:
                lines = _lines_until(process, ready, data / "errors")
                timer.cancel()  # it limits only the start: the block may take longer
                yield Up(lines, data / "data")
            finally:
                timer.cancel()
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)


def _lines_until(process: subprocess.Popen[str], ready: str, errors: Path) -> tuple[str, ...]:
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if ready in line:
            return tuple(lines)
    raise AssertionError(f"lockstep up ended with {process.wait()}: {lines} {errors.read_text()}")
