"""CPU time by process: this one, Documo, and the PostgreSQL backends of each of the two databases.

On a machine that is used by others, wall-clock time says little, but CPU time can still be compared.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(postmaster: int, documo: int) -> Mapping[str, float]:
    """Seconds of CPU used so far by each part. Backends that have ended are counted as "postgres", like PostgreSQL's own workers."""
    used: dict[str, float] = defaultdict(float)
    used["lockstep"] = _used(os.getpid())
    used["documo"] = _used(documo)
    used["postgres"] = _used(postmaster, ended_children=True)
    for child in _children(postmaster):
        used[_part_of(child)] += _used(child)
    return used


def for_each(before: Mapping[str, float], after: Mapping[str, float], count: int) -> Mapping[str, float]:
    """Return the microseconds of CPU that each part used for one of *count* objects."""
    parts = {name: round((after[name] - before.get(name, 0.0)) / count * 1e6, 1) for name in sorted(after)}
    return {**parts, "all": round(sum(parts.values()), 1)}


def _used(pid: int, *, ended_children: bool = False) -> float:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ticks = [int(field) for field in fields[11 : 15 if ended_children else 13]]
    return sum(ticks) / TICKS


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in (PROC / str(pid) / "task").iterdir() for child in (task / "children").read_text().split()
    ]


def _part_of(backend: int) -> str:
    try:
        title = (PROC / str(backend) / "cmdline").read_text()
    except OSError:
        return "postgres"
    for name in ("lockstep", "documo"):
        if title.startswith(f"postgres: {name} {name} "):
            return f"{name} database"
    return "postgres"
