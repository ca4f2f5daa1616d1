"""A plan as Markdown goes into a comment of a pull request; as CSV it has a row for each change. Data is on stdout, notes are on stderr."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from lockstep.cli import plan_forms
from lockstep.wording import in_markdown
from tests.support.command_line import Lockstep

FILE = """\
apiVersion: lockstep/v1
kind: Application
metadata: {name: documo}
spec:
  template: documo
  provisioning:
    scope: all
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "documo.yaml").write_text(FILE, encoding="utf-8")
    return str(tmp_path / "documo.yaml")


def test_markdown_of_a_plan_has_its_changes_as_a_diff_and_its_effects_folded(started: Lockstep, file: str) -> None:
    said = started("plan", file, "-o", "markdown", "--detailed-exitcode")

    assert said.code == 2, said.err
    lines = said.out.splitlines()
    assert lines[0] == "### Plan: 0 to add, 1 to change, 0 to remove"
    start = lines.index("```diff")
    assert lines[start - 2] == "**Application documo**"
    assert lines[start + 1 : start + 3] == ['~ provisioning.scope: "assigned" -> "all"', "```"]
    assert any(line.startswith("<details><summary>Documo: ") and "would get an account" in line for line in lines)
    assert "| changes |" not in said.out


def test_markdown_names_only_the_first_people_of_an_effect(
    started: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_forms, "MOST_NAMES", 1)
    (tmp_path / "nobody.yaml").write_text(f"{FILE}  assignments: []\n".replace("all", "assigned"), encoding="utf-8")

    shown = started("plan", str(tmp_path / "nobody.yaml"), "--prune", "-o", "markdown").out

    assert "2 people would lose their accounts</summary>" in shown
    assert "\nanna@contoso.test and 1 more\n" in shown


def test_markdown_of_files_in_step_says_so(started: Lockstep, file: str) -> None:
    assert started("apply", file, "--yes").code == 0

    said = started("plan", file, "-o", "markdown")

    assert said.out.startswith("**No changes: the current configuration is the same.**")


def test_markdown_shows_names_as_they_are() -> None:
    assert in_markdown("<b>_`x`|") == "&lt;b&gt;\\_\\`x\\`\\|"


def test_csv_of_a_plan_has_a_row_for_each_change_and_its_effects_on_stderr(started: Lockstep, file: str) -> None:
    said = started("plan", file, "-o", "csv")

    (row,) = csv.DictReader(io.StringIO(said.out))
    assert (row["document"], row["sign"], row["place"], row["old"], row["new"]) == (
        "Application documo", "~", "provisioning.scope", "assigned", "all",
    )  # fmt: skip
    assert "would get an account" in said.err
    assert started("plan", file, "-q").out == "provisioning.scope\n"
