"""Lockstep's own groups and their rules are configuration: created, changed and exported as documents, never removed by a file."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import Lockstep

GROUP = """\
apiVersion: lockstep/v1
kind: Group
metadata: {name: Builders of things}
spec:
  description: Everybody who builds
  scopingFilters:
    - title: Engineers
      all:
        - {attribute: department, operator: EQUALS, value: Engineering}
"""
APPLICATION = """\
---
apiVersion: lockstep/v1
kind: Application
metadata: {name: documo}
spec:
  template: documo
  assignments:
    - {group: Builders of things, role: Member}
"""


def written(folder: Path, text: str) -> str:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return str(folder / "a.yaml")


def test_a_group_with_a_rule_is_made_assigned_and_exported_as_it_was_written(contoso: Lockstep, tmp_path: Path) -> None:
    file = written(tmp_path, GROUP + APPLICATION)

    assert "+ Group Builders of things" in contoso("plan", file).out
    assert contoso("apply", file, "--yes").code == 0

    planned = contoso("plan", file, "-o", "json").json
    assert (planned["add"], planned["change"], planned["remove"]) == (0, 0, 0)
    assert GROUP in contoso("export", "--all").out
    assigned = contoso("assign", "list", "documo", "-o", "json").json["items"]
    assert "Builders of things" in [one["principal"] for one in assigned]


def test_a_rule_that_changes_is_one_change_and_a_section_left_out_stays(contoso: Lockstep, tmp_path: Path) -> None:
    contoso("apply", written(tmp_path, GROUP), "--yes")

    changed = written(tmp_path, GROUP.replace("Engineering", "Sales"))
    assert contoso("plan", changed, "-o", "json").json["change"] == 1
    contoso("apply", changed, "--yes")
    without = written(tmp_path, GROUP[: GROUP.index("spec:")] + "spec: {description: Renamed}\n")
    contoso("apply", without, "--yes")

    said = contoso("export", "--all")
    assert said.code == 0, said.err
    exported = said.out
    assert "value: Sales" in exported
    assert "description: Renamed" in exported


def test_a_group_that_no_file_names_stays_even_where_the_files_speak_for_everything(
    contoso: Lockstep, tmp_path: Path
) -> None:
    contoso("apply", written(tmp_path, GROUP), "--yes")
    everything = contoso("export", "--all").out
    rest = "---\n".join(one for one in everything.split("---\n") if "kind: Group" not in one)

    contoso("apply", written(tmp_path, rest), "--yes", "--prune")

    assert contoso("groups", "show", "Builders of things").code == 0


def test_an_unknown_attribute_in_a_rule_is_refused_by_plan(contoso: Lockstep, tmp_path: Path) -> None:
    said = contoso("plan", written(tmp_path, GROUP.replace("attribute: department", "attribute: departement")))

    assert said.code == 64
    assert "department" in said.err
