"""Output that goes into a pipe: a reader that has read enough ends the command, and that is no error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Lockstep

BIN = Path(sys.executable).parent
SECONDS = 60


def in_a_pipe(program: str, *arguments: str) -> subprocess.Popen[str]:
    command: list[str] = [str(BIN / program), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("words", [("people", "list"), ("help", "filters"), ("--help",)])
def test_command_whose_reader_left_before_the_first_line_ends_without_an_error(
    contoso: Lockstep, words: tuple[str, ...]
) -> None:
    process = in_a_pipe("lockstep", *words)
    assert process.stdout is not None and process.stderr is not None

    process.stdout.close()

    assert (process.wait(SECONDS), process.stderr.read()) == (0, "")
    process.stderr.close()


@pytest.mark.parametrize("words", [("logs", "--follow"), ("status", "--watch", "-o", "jsonl")])
def test_command_that_waits_for_news_ends_when_its_reader_leaves(started: Lockstep, words: tuple[str, ...]) -> None:
    process = in_a_pipe("lockstep", *words)
    assert process.stdout is not None and process.stderr is not None
    if "--watch" in words:
        assert process.stdout.readline().startswith('{"application"')

    process.stdout.close()

    assert (process.wait(SECONDS), process.stderr.read()) == (0, "")
    process.stderr.close()
