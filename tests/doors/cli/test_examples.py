"""Everything that the examples in documentation and help texts name exists in the demo organisation."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockstep.sources import demo
from tests.doors.cli.test_command_tree import COMMANDS, DOCS
from tests.support.command_line import Lockstep

README = DOCS.parent / "README.md"


def examples() -> Iterator[str]:
    for name, command in COMMANDS.items():
        for line in (command.help or "").splitlines():
            if line.strip().startswith(f"lockstep {name}"):
                yield line.strip()
    for page in (README, *sorted(DOCS.glob("*.md"))):
        for line in page.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*(\$ )?lockstep ", line):
                yield line.strip().removeprefix("$ ")


@pytest.mark.parametrize("seed", [1, 7])
def test_everybody_whom_an_example_names_is_in_the_demo_organisation(tmp_path: Path, seed: int) -> None:
    files = demo.generate(tmp_path, people=200, seed=seed)
    with files.people.open(encoding="utf-8-sig") as lines:
        known = {row["userPrincipalName"] for row in csv.DictReader(lines)}
    named = {
        (found, line)
        for line in examples()
        for found in re.findall(r"(?<!--notification-email )(?<=[ =])[\w.-]+@contoso\.test", line)
    }

    assert {line: found for found, line in named if found not in known} == {}
    assert len(named) > 20


def test_the_queries_of_the_documentation_find_something(lockstep: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("userPrincipalName,displayName,department,mail\nanna@contoso.com,Anna,Sales,anna@contoso.com\n")
    lockstep("sources", "import", str(file))
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    queries = re.findall(r"""`lockstep people list --query "([^"]+)"`""", text)

    assert queries
    for query in queries:
        assert lockstep("people", "list", "--query", query).out.strip() == "anna@contoso.com"


def test_a_token_file_that_does_not_exist_is_named_as_missing(lockstep: Lockstep) -> None:
    lockstep("apps", "add", "documo")

    said = lockstep("creds", "set", "documo", "--token-file", "/nonexistent")

    assert said.code == 5
    assert "There is no file /nonexistent" in said.err
