"""Everything that uses PostgreSQL, once more on the oldest supported version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOMS = ("postgres", "storage", "directory", "sync", "actions", "sources", "documo")


@pytest.mark.full
@pytest.mark.parametrize("room", ROOMS)
def test_room_works_on_postgresql_15(room: str) -> None:
    command = [sys.executable, "-m", "pytest", "-m", "not full and not soak", str(TESTS / room)]
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        env=os.environ | {"LOCKSTEP_TEST_POSTGRES": "debian15"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-4000:]
