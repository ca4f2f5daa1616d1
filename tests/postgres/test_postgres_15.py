"""Everything that uses PostgreSQL, once more on the oldest supported version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOMS = ("postgres", "storage", "directory", "sync", "actions", "sources", "documo")
PROCESSES = 3  # as many as in `make test`


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_every_room_works_on_postgresql_15() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "not full and not soak",
        "-n",
        str(PROCESSES),
        "--dist",
        "loadfile",
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, *(str(TESTS / room) for room in ROOMS)],
        cwd=TESTS.parent,
        env=inherited | {"LOCKSTEP_TEST_POSTGRES": "debian15"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-8000:]
