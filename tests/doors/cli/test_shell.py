"""Less typing: completion, the output option before the command, an application that need not be named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import orjson
import pytest

from documo.cli.main import run as run_documo
from lockstep.cli import run as run_lockstep
from tests.doors.cli.test_command_tree import COMMANDS
from tests.support.command_line import Lockstep


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_the_command_itself(lockstep: Lockstep, shell: str) -> None:
    said = lockstep("completion", shell)

    assert said.code == 0
    assert f"_LOCKSTEP_COMPLETE={shell}_complete" in said.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_documo_has_completion_too(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_documo(["completion", shell]) == 0
    assert f"_DOCUMO_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize("program", [run_lockstep, run_documo])
def test_completion_without_a_shell_names_the_shells(
    program: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(["completion"]) == 64
    assert "'bash|zsh|fish'" in capsys.readouterr().err


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    asked = {"_LOCKSTEP_COMPLETE": "zsh_complete", "COMP_WORDS": "lockstep explain --a", "COMP_CWORD": "2"}

    said = subprocess.run(  # our own command
        [Path(sys.executable).parent / "lockstep"],
        env=os.environ | asked,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )

    assert b"--app" in said.stdout
    assert not list(tmp_path.iterdir()), "completing makes no data folder"


def test_the_form_may_stand_before_the_command_and_the_nearer_one_counts(lockstep: Lockstep) -> None:
    assert "version" in orjson.loads(lockstep("-o", "json", "version").out)
    assert lockstep("-o", "json", "version", "-o", "yaml").out.startswith("formatVersion:")


def test_the_only_application_need_not_be_named(unassigned: Lockstep) -> None:
    for words in (["documo"], ["--app", "documo"], []):
        assert unassigned("-o", "json", "explain", "anna@contoso.test", *words).json["application"] == "documo"

    assert unassigned("apps", "add", "documo", "--name", "documo-2").code == 0

    said = unassigned("explain", "anna@contoso.test")
    assert said.code == 64
    assert "documo, documo-2" in said.err


@pytest.mark.parametrize(
    "words", ["creds show", "scope show", "map list", "assign list", "settings", "links", "deletes list", "cycles"]
)
def test_app_can_be_left_out_where_it_is_the_only_argument_and_there_is_one_application(
    unassigned: Lockstep, words: str
) -> None:
    unnamed, named = unassigned(*words.split(), "-o", "json"), unassigned(*words.split(), "documo", "-o", "json")

    assert (unnamed.code, unnamed.out) == (named.code, named.out)
    assert unassigned("apps", "add", "documo", "--name", "documo-2").code == 0
    said = unassigned(*words.split())
    assert (said.code, said.out) == (64, "")
    assert "documo, documo-2" in said.err


def test_every_command_with_app_as_its_only_argument_lets_it_be_left_out() -> None:
    required = {
        name
        for name, command in COMMANDS.items()
        for arguments in [[one for one in command.params if isinstance(one, click.Argument)]]
        if [one.name for one in arguments] == ["app"] and arguments[0].required
    }

    assert {name for name in required if not name.startswith("apps ")} == set()
