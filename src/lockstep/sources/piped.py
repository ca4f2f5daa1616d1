"""Copy files that can be read only once: standard input, pipes, `<(command)`. The copy is needed because a source is read twice.

A pipe that no program opens for writing is refused, so that Lockstep does not wait for it forever.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lockstep.errors import CHECK_READING, invalid

STANDARD_INPUT = "-"
_SAME = frozenset({STANDARD_INPUT, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_FIRST_BYTE_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.02


def is_piped(name: str) -> bool:
    """Whether *name* is standard input or another file that can be read only once."""
    if name in _SAME:
        return True
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode)


@contextmanager
def regular_file(name: str, *, first_byte_seconds: float = _FIRST_BYTE_SECONDS) -> Iterator[Path]:
    """Yield *name* as a regular file: the file itself, or a copy that only its owner can read. The copy is deleted afterwards.

    Raises LockstepError if standard input is a terminal, if a pipe cannot be read, or if no program opens it for writing.
    """
    if not is_piped(name):
        yield Path(name)
        return
    shown = "standard input" if name in _SAME else name
    with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
        copy = Path(folder) / ("standard-input.csv" if name in _SAME else Path(name).name)
        with _opened(name, shown) as source, copy.open("wb") as target:
            if name not in _SAME:
                target.write(_first_bytes(source, shown, first_byte_seconds))
            shutil.copyfileobj(source, target)
        yield copy


def _first_bytes(source: BinaryIO, shown: str, seconds: float) -> bytes:
    """Wait until a program has opened the pipe for writing. Return the first byte if it has already been written, otherwise b"". After this
    call, reading from *source* waits for data.

    Raises LockstepError if no program opens the pipe within *seconds*.
    """
    deadline = time.monotonic() + seconds
    found: bytes | None = b""
    # b"" means that no program has opened the pipe for writing. None means that one has, but has not written yet.
    while found == b"":
        if time.monotonic() > deadline:
            raise invalid(
                f"Nothing was written to {shown} within {seconds:g} seconds",
                next_step=f"First start the program that writes to {shown}, or specify a regular file",
            )
        time.sleep(_LOOK_EVERY_SECONDS)
        found = source.read(1)
    os.set_blocking(source.fileno(), True)
    return found or b""


def _opened(name: str, shown: str) -> BinaryIO:
    if name in _SAME:
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise invalid("Nothing is piped in", next_step="Pipe the list in: lockstep sources import - < FILE")
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    try:
        # Without O_NONBLOCK, opening a FIFO without a writer would block.
        return os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
    except OSError as refused:
        raise invalid(f"{shown} cannot be read", why=refused.strerror or "", next_step=CHECK_READING) from None
