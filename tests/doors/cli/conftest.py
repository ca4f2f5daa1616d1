"""Commands in this process on databases of their own. The stages (contoso, connected, ...) are described in `command_line`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockstep.cli import run
from tests.support.command_line import (
    ALLOWED,
    STAGES,
    DocumoThere,
    Installation,
    Lockstep,
    Said,
    Stages,
    serving_documo,
)
from tests.support.databases import Databases


@pytest.fixture(scope="session")
def stages(databases: Databases, new_folder: Callable[[], Path]) -> Stages:
    return Stages(databases, new_folder)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> str:
    """The furthest stage that the test, or a fixture that it uses, asks for."""
    return next((name for name in reversed(STAGES) if name in request.fixturenames), "nothing")


@pytest.fixture
def installation(stages: Stages, stage: str, tmp_path: Path, database_factory: Databases) -> Installation:
    return stages.installation(stage, tmp_path, database_factory)


@pytest.fixture
def documo(installation: Installation) -> Iterator[DocumoThere]:
    with serving_documo(installation.documo, installation.key) as there:
        yield there


@pytest.fixture
def lockstep(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lockstep:
    """Run a command in this process, on a fresh database."""
    installation.use(monkeypatch)

    def say(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return say


@pytest.fixture
def unassigned(lockstep: Lockstep) -> Lockstep:
    return lockstep


@pytest.fixture
def contoso(lockstep: Lockstep) -> Lockstep:
    return lockstep


@pytest.fixture
def connected(
    contoso: Lockstep, installation: Installation, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch
) -> Lockstep:
    monkeypatch.setenv(ALLOWED, documo.origin)
    installation.connect_to(documo)
    return contoso


@pytest.fixture
def started(connected: Lockstep) -> Lockstep:
    return connected


@pytest.fixture
def crew(started: Lockstep) -> Lockstep:
    return started
