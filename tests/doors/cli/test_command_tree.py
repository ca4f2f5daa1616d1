"""The help of every command has an example; every command is on one documentation page, and all that the page names exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from lockstep.cli import lockstep

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def _generator() -> ModuleType:
    path = ROOT / "scripts" / "generate_command_reference.py"
    spec = importlib.util.spec_from_file_location("generate_command_reference", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()
COMMANDS: dict[str, click.Command] = dict(GENERATOR.commands())


def test_the_reference_lists_every_command_with_its_arguments_and_options() -> None:
    text = GENERATOR.TARGET.read_text(encoding="utf-8")

    assert text == GENERATOR.reference(), "write it again: python scripts/generate_command_reference.py"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_help_begins_with_an_example_of_the_command_itself(name: str) -> None:
    text = COMMANDS[name].help or ""

    assert f"lockstep {name}" in text, "an example is missing"


def commands_in(page: Path) -> Iterator[list[str]]:
    for block in re.findall(r"^```\w*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("lockstep "):
                yield shlex.split(re.split(r" [<>|] | #", line)[0])[1:]


@pytest.mark.parametrize(("page", "least"), [("cli.md", 10), ("reference/csv.md", 3)])
def test_every_command_on_a_page_is_understood(page: str, least: int) -> None:
    checked = 0
    for words in commands_in(DOCS / page):
        command: click.Command = lockstep
        while isinstance(command, click.Group):
            context = click.Context(command)
            found = command.get_command(context, words[0])
            if found is None:
                break
            command, words = found, words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        given = [word for word in words if word.startswith("--")]
        assert set(given) <= known, f"{command.name} does not know {set(given) - known}"
        checked += 1
    assert checked >= least
