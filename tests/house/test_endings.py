"""Both command lines end in one form: an error as text on stderr, and an exit code that scripts can trust."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import click
import psycopg
import pytest

from documo.cli.main import main as main_of_documo
from documo.cli.main import run as run_documo
from lockstep.cli import main as main_of_lockstep
from lockstep.cli import run as run_lockstep
from lockstep.endings import exit_code_of
from lockstep.errors import Kind, LockstepError
from lockstep.process.garbage_collection import YOUNG_OBJECTS

RUNS = {"lockstep": run_lockstep, "documo": run_documo}
MAINS = {"lockstep": main_of_lockstep, "documo": main_of_documo}


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize("program", RUNS)
def test_what_an_error_quotes_does_not_steer_the_terminal(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = RUNS[program](["version", "--bad\x1b[31m"])

    said = capsys.readouterr().err
    assert (code, "\x1b" in said) == (64, False)
    assert said.startswith("error: No such option") and f"next  {program} version --help" in said


@pytest.mark.parametrize("program", RUNS)
def test_command_without_words_shows_its_help_and_nothing_went_wrong(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert RUNS[program]([]) == 0
    assert f"Usage: {program}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.exceptions.Abort(), 130),
        (click.exceptions.Exit(7), 7),
        (click.UsageError("x"), 64),
        (LockstepError(Kind.NOT_FOUND, "There is none"), 5),
    ],
)
def test_every_ending_has_its_code(error: BaseException, code: int) -> None:
    assert exit_code_of(raising(error), program="lockstep") == code


def test_exit_that_a_command_asked_for_keeps_its_code() -> None:
    assert exit_code_of(raising(SystemExit(3)), program="lockstep") == 3
    assert exit_code_of(raising(SystemExit()), program="lockstep") == 0


@pytest.mark.parametrize(("program", "product"), [("lockstep", "Lockstep"), ("documo", "Documo")])
def test_unexpected_fault_names_the_product_whose_command_it_was(
    program: str, product: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    exit_code_of(raising(ZeroDivisionError()), program=program)

    assert f"this is a bug in {product}" in capsys.readouterr().err
    assert [one.name.startswith(f"{program}-fault-") for one in tmp_path.iterdir()] == [True]


def test_lost_database_of_documo_does_not_send_to_a_command_of_lockstep(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(raising(psycopg.OperationalError()), program="documo")

    assert "lockstep" not in capsys.readouterr().err.lower()


@pytest.mark.parametrize("program", MAINS)
def test_program_collects_garbage_seldom_while_it_loads(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # as Python starts
    monkeypatch.setattr(sys, "argv", [program, "--version"])
    try:
        with pytest.raises(SystemExit) as ended:
            MAINS[program]()

        assert (ended.value.code, gc.get_threshold()[0]) == (0, YOUNG_OBJECTS)
    finally:
        gc.set_threshold(*before)
