"""A second `lockstep up` on the same data folder changes nothing that an administrator has decided since the first one."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.up_process import BIN, Up, running_up, up_folder

pytestmark = pytest.mark.full
PEOPLE = ("--people", "50", "--seed", "1")


def lockstep(up: Up, *words: str) -> Any:
    command = [str(BIN / "lockstep"), "--data", str(up.data), *words]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return json.loads(printed) if "json" in words else printed


def settings(up: Up) -> dict[str, Any]:
    shown: dict[str, Any] = lockstep(up, "settings", "documo", "-o", "json")
    return shown


def assignments(up: Up) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = lockstep(up, "assign", "list", "documo", "-o", "json")["items"]
    return shown


def test_second_up_keeps_settings_assignments_and_tenant_url() -> None:
    with up_folder() as folder:
        with running_up(*PEOPLE, folder=folder) as up:
            lockstep(up, "settings", "documo", "--scope", "all")
            for one in assignments(up):
                lockstep(up, "assign", "remove", "documo", f"--{one['kind'].lower()}", one["principal"])
            before = settings(up)
        with running_up(*PEOPLE, folder=folder) as up:
            assert settings(up) == before
            assert assignments(up) == []
            lockstep(up, "pause", "documo")
            lockstep(up, "creds", "set", "documo", "--tenant-url", "https://scim.example.org/scim/v2")
        with running_up(*PEOPLE, folder=folder) as up:
            assert settings(up)["status"] == "off"
            assert any("Provisioning is switched off" in line for line in up.lines)
            assert any("tenant URL is the one that an administrator set" in line for line in up.lines)
            assert "https://scim.example.org/scim/v2" in lockstep(up, "creds", "show", "documo")
