"""Every benchmark of the product runs and prints its figures: with a few objects, so that a change cannot break it unseen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.parametrize(
    ("command", "figure"),
    [
        ("cycle.py --people 100 --changes 3", "ratio_to_bare_loop"),
        ("live.py --listeners 3 --rounds 1 --people 60 --seconds 1", "cycles"),
        ("web.py --people 100 --log-rows 300 --applications 2 --rounds 1 --listeners 2", "pages"),
        ("sign_in.py --seconds 0.2 --sign-ins 10", "lockstep"),
    ],
)
def test_a_benchmark_prints_its_figures(command: str, figure: str) -> None:
    program, *options = command.split()

    done = subprocess.run([sys.executable, str(BENCH / program), *options], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[figure]
