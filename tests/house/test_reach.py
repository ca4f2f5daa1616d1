"""Every command works with a server on another machine, or says why not and what to do instead."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lockstep.cli.remote.reach import NEED_NOTHING, ONLY_HERE, WORK_ANYWHERE

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "generate_command_reference.py"


def test_every_command_says_whether_it_works_with_a_server_on_another_machine() -> None:
    spec = importlib.util.spec_from_file_location("generate_command_reference", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    commands = [name for name, _ in module.commands()]

    said = [*WORK_ANYWHERE, *NEED_NOTHING, *ONLY_HERE]
    assert set(commands) ^ set(said) == set()
    assert len(said) == len(set(said))
