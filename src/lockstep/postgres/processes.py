"""Inspect processes that need not be children of this process.

A zombie counts as ended. Signal 0 cannot show this: until a zombie is reaped, the signal succeeds, even if the server was killed hours ago.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROC = Path("/proc/self/stat")


def is_running(pid: int) -> bool:
    """Whether *pid* is a running process."""
    if pid <= 0:
        return False
    if PROC.exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return False
        return stat[stat.rindex(b")") + 2 :][:1] not in (b"Z", b"X", b"x")
    state = _ps(pid, "stat")
    return bool(state) and not state.startswith("Z")


def arguments_of(pid: int) -> tuple[str, ...]:
    """Return the command line of *pid*, or () if it is not visible."""
    if PROC.exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ()
        return tuple(os.fsdecode(part) for part in raw.split(b"\0") if part)
    return tuple(_ps(pid, "command").split())


def working_in(folder: Path) -> tuple[int, ...]:
    """Return the processes whose working directory is *folder*; empty if the system does not show them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if PROC.exists() else ():
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:  # the process has ended or belongs to another user
            continue
    return tuple(found)


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
