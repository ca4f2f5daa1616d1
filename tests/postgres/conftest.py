"""Processes that use a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockstep.postgres.embedded import Options, attach
from lockstep.postgres.programs import Programs
from tests.postgres.postgres_processes import Holder


@pytest.fixture
def fast(postgres_programs: Programs | None) -> Options:
    """The tested PostgreSQL, not durable, for speed."""
    return Options(programs=postgres_programs, durable=False)


@pytest.fixture(scope="session")
def _made_folder(postgres_programs: Programs | None, new_folder: Callable[[], Path]) -> Path:
    folder = new_folder()
    attach(folder, options=Options(programs=postgres_programs, durable=False)).leave()
    return folder


@pytest.fixture
def made_folder(data_folder: Path, _made_folder: Path) -> Path:
    """A data folder whose server was started before, for tests that are not about the first start."""
    subprocess.run(["cp", "-a", f"{_made_folder}/.", str(data_folder)], check=True)
    return data_folder


@pytest.fixture
def hold(postgres_programs: Programs | None) -> Iterator[Callable[..., Holder]]:
    """Start a process that uses the server of a folder."""
    programs = [str(postgres_programs.bin)] if postgres_programs else []
    started: list[subprocess.Popen[str]] = []

    def start(data: Path, *, python: str = sys.executable, **options: Any) -> Holder:
        process = subprocess.Popen(
            [python, str(Path(__file__).parent / "postgres_holder.py"), str(data), *programs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        started.append(process)
        return Holder(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
