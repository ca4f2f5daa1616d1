"""Every help page fits a terminal of 80 columns and 24 lines; the overview of all commands is grouped instead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import click
import pytest

from documo.cli.main import COMMANDS as DOCUMO_COMMANDS
from documo.cli.main import documo
from lockstep.cli import COMMANDS, SECTIONS, lockstep
from lockstep.cli.help import TOPICS
from lockstep.cli.short_help import SHORT_HELP

LINES, COLUMNS = 24, 80
OVERVIEW = "lockstep"  # 46 commands, one line each


def help_pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from help_pages(found, click.Context(found, info_name=name, parent=context))


PAGES = dict(
    page
    for root in (lockstep, documo)
    for page in help_pages(root, click.Context(root, info_name=root.name, terminal_width=COLUMNS))
)

LAZY = (
    ("lockstep", "status", {place.partition(":")[0] for place in COMMANDS.values()}),
    ("documo", "sandbox", {place.partition(":")[0] for place, _ in DOCUMO_COMMANDS.values()}),
)


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {OVERVIEW}))
def test_a_help_page_fits_a_terminal(name: str) -> None:
    assert len(PAGES[name].splitlines()) <= LINES


def test_the_overview_has_every_command_in_one_section() -> None:
    assert Counter(name for names in SECTIONS.values() for name in names) == Counter(COMMANDS.keys())
    for title in SECTIONS:
        assert f"{title}:" in PAGES[OVERVIEW]


def test_the_short_help_of_every_command_is_the_first_sentence_of_its_help() -> None:
    context = click.Context(lockstep)
    found = {name: lockstep.get_command(context, name) for name in COMMANDS}

    assert {name: one.get_short_help_str(200) for name, one in found.items() if one is not None} == SHORT_HELP


def test_the_overview_of_documo_has_the_first_sentence_of_the_help_of_every_command() -> None:
    context = click.Context(documo)
    found = {name: documo.get_command(context, name) for name in DOCUMO_COMMANDS}

    said = {name: one.get_short_help_str(200) for name, one in found.items() if one is not None}
    assert said == {name: short_help for name, (_, short_help) in DOCUMO_COMMANDS.items()}
    assert {name for name, one in found.items() if one is not None and one.name != name} == set()


@pytest.mark.parametrize(
    "asked",
    [{}, {"_{}_COMPLETE": "zsh_complete", "COMP_WORDS": "{} s", "COMP_CWORD": "1"}],
    ids=["overview", "completion"],
)
@pytest.mark.parametrize(("product", "listing", "modules"), LAZY, ids=lambda one: one if isinstance(one, str) else "")
def test_listing_the_commands_imports_none_of_them(
    product: str, listing: str, modules: set[str], asked: dict[str, str]
) -> None:
    program = f"import sys, atexit\nfrom {product}.cli import main\natexit.register(lambda: print('imported', *sys.modules))\nmain()"
    variables = {name.format(product.upper()): value.format(product) for name, value in asked.items()}
    said = subprocess.run(  # our own command
        [sys.executable, "-c", program, *([] if asked else ["--help"])],
        env=os.environ | variables,
        capture_output=True,
        check=False,
        text=True,
    )

    listed, _, imported = said.stdout.partition("imported ")
    assert listing in listed, said.stderr
    assert not modules & set(imported.split())


def test_the_help_of_help_names_every_topic() -> None:
    for topic in TOPICS:
        assert topic in PAGES["lockstep help"]


@pytest.mark.parametrize("name", ["add", "import", "rekey"])
def test_the_topic_csv_explains_every_option_for_reading_a_file(name: str) -> None:
    group = lockstep.get_command(click.Context(lockstep), "sources")
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    text = "\n".join(TOPICS["csv"]())
    shared = ("--map", "--value", "--date-format", "--encoding", "--delimiter", "--partial")
    own = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]

    assert [option for option in shared if option not in own or option not in text] == []
