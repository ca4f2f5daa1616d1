"""The main job, from outside: one command brings both products up, provisions Contoso, changes five people and verifies Documo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCKSTEP = Path(sys.executable).with_name("lockstep")


def checked(*arguments: str, folder: Path) -> tuple[int, dict[str, Any]]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        [LOCKSTEP, "up", "--check", *arguments], capture_output=True, text=True, env=environment, timeout=240
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout + done.stderr
    return done.returncode, json.loads(lines[0])


def test_the_whole_main_job_is_right_attribute_by_attribute_and_leaves_nothing_behind() -> None:
    folder = Path(tempfile.mkdtemp(prefix="ls"))
    folder.chmod(0o711)

    code, report = checked("--people", "1204", "--seed", "20261123", folder=folder)

    assert report["ok"], report
    assert code == 0
    assert report["people"] == 1204
    assert report["groups"] == 41
    assert report["created"] <= report["assigned"]
    assert report["requests"] <= report["created"] * 1.02 + 20
    assert report["verified"]["accounts"] == report["created"]
    assert report["verified"]["attributes"] == report["created"] * 5
    assert report["verified"]["mismatches"] == []
    assert [row["kind"] for row in report["changes"]] == ["rename", "assign", "unassign", "disable", "restore"]
    assert all(row["expected"] == row["observed"] for row in report["changes"])
    assert report["unchangedCycle"] == {"requests": 0}
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_an_organisation_too_small_for_the_changes_is_refused_as_usage() -> None:
    done = subprocess.run([LOCKSTEP, "up", "--check", "--people", "3"], capture_output=True, text=True, timeout=60)

    assert done.returncode == 64
    assert "50" in done.stderr
