"""Every command that a text or page names exists, with the options that it is shown with."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from documo.cli.main import documo
from lockstep.cli import lockstep
from lockstep.cli.assign import AssignGroup

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TREES: dict[str, click.Command] = {"lockstep": lockstep, "documo": documo}
# Where a command begins in a sentence: a line of its own, a quoted one, or what follows "next: ", "run ", "with " and the like.
NAMED = re.compile(
    r"(?:^\s*|[`(\"]|: |\b(?:[Rr]un|[Ww]ith|see|See|by|try|then|of|or|and|use|Use)\s)"
    r"(?P<words>(?:lockstep|documo)(?: [^`\n;]+)?)",
    re.MULTILINE,
)
HOLE = "HOLE"  # a placeholder of an f-string
NO_COMMANDS = {"documo changes"}  # the name of a database connection
NO_COMMAND = re.compile(r"documo initial cycle")  # a line of progress


def texts_of(file: Path) -> Iterator[tuple[int, str]]:
    """Each string literal with its line. The placeholders of an f-string become gaps."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def commands_in(text: str) -> Iterator[list[str]]:
    """The commands that *text* names, each as its words."""
    for found in NAMED.finditer(text):
        line = re.split(r" [<>|&#] ?|\.\s|\.$| \(|\)|   +|, (?!\.)", found["words"])[0]
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        if len(words) > 1 and re.fullmatch(r"-{0,2}[a-z][a-z-]*", words[1]):
            yield words


def alternatives(words: list[str]) -> Iterator[list[str]]:
    """`show|clear` in a page stands for two commands."""
    choices = [word.split("|") if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word) else [word] for word in words]
    yield from map(list, itertools.product(*choices))


def complaint(words: list[str]) -> str:
    """Return the fault of a command, or ""."""
    command, rest = TREES[words[0]], words[1:]
    known = {"--help", "-h"}
    while True:
        context = click.Context(command)
        known |= {name for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)}
        if not isinstance(command, click.Group) or not rest:
            break
        if rest[0].startswith("-"):
            rest = rest[2:] if rest[0] in ("--data", "-o") else rest[1:]
            continue
        found = command.get_command(context, rest[0])
        if found is None and isinstance(command, AssignGroup):
            found, rest = command.commands["add"], ["add", *rest]
        if found is None:
            if command.invoke_without_command or rest[0] in (HOLE, "..."):
                break
            return f'there is no command "{rest[0]}" of {command.name}'
        command, rest = found, rest[1:]
    wrong = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)} - known
    return f"{command.name} has no {', '.join(sorted(wrong))}" if wrong else ""


@pytest.mark.parametrize("product", ["lockstep", "documo"])
def test_every_command_that_a_text_names_exists(product: str) -> None:
    wrong, checked = [], 0
    for file in sorted((SOURCE / product).rglob("*.py")):
        for line, text in texts_of(file):
            if text in NO_COMMANDS:
                continue
            for words in commands_in(text):
                checked += 1
                if said := complaint(words):
                    wrong.append(f"{file.relative_to(SOURCE)}:{line}: {' '.join(words)[:90]}: {said}")

    assert not wrong, "\n".join(wrong)
    assert checked > 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Next: lockstep status documo", ""),
        ("lockstep nosuch documo", 'there is no command "nosuch" of lockstep'),
        ("Look: `lockstep logs --nosuch`", "logs has no --nosuch"),
        ("run lockstep creds set HOLE --token-stdin", ""),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(text: str, said: str) -> None:
    assert [complaint(words) for words in commands_in(text)] == [said]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = [one for words in commands_in(page.read_text(encoding="utf-8")) for one in alternatives(words)]
    found = [(words, complaint(words)) for words in named]

    assert [
        f"{' '.join(words)[:90]}: {said}" for words, said in found if said and not NO_COMMAND.match(" ".join(words))
    ] == []
