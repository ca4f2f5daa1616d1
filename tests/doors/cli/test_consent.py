"""Before a change that removes accounts, grants rights or renames people, every interface says so, with the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from lockstep.actions import groups
from lockstep.actions.context import Context
from lockstep.cli.consent import run_asked
from tests.support.command_line import CREW, DocumoThere, Lockstep, Said
from tests.support.hub import upn

ROLE = 'roles[primary eq "True"].value'
SWAPPED = 'Switch([IsSoftDeleted], , "False", "False", "True", "True")'


def losing(said: Said) -> list[str]:
    """The names of those who lose access, from the JSON output of a command."""
    return [name for one in said.json["effects"] if one["effect"] == "losesAccess" for name in one["names"]]


@pytest.mark.parametrize(
    "command",
    [
        ("assign", "remove", "documo", "--group", "crew"),
        ("scope", "set", "documo", "--filter", 'Nobody: department EQUALS "Nowhere"'),
        ("map", "set", "documo", "active", "--constant", "False"),
        ("map", "set", "documo", "active", "--expression", SWAPPED),
        ("groups", "delete", "crew"),
        ("groups", "rule", "set", "crew", "--filter", 'Nobody: department EQUALS "Nowhere"'),
    ],
    ids=" ".join,
)
def test_nobody_loses_an_account_by_a_command_that_was_not_agreed_to(
    crew: Lockstep, documo: DocumoThere, command: tuple[str, ...]
) -> None:
    refused = crew(*command)

    assert refused.code == 64
    assert "people would lose their accounts (" in refused.err
    assert "--yes" in refused.err
    crew("run", "documo", "--wait")
    assert all(user["active"] for user in documo.users().values())
    assert len(losing(crew(*command, "--yes", "-o", "json"))) >= len(CREW)


def test_scope_of_assigned_people_names_who_is_lost(crew: Lockstep) -> None:
    crew("settings", "documo", "--scope", "all", "--yes")
    crew("run", "documo", "--wait")

    tested = crew("scope", "test", "documo", "--scope", "assigned", "-o", "json").json
    refused = crew("settings", "documo", "--scope", "assigned")

    assert tested["leavers"] == [upn("kim.berg")]
    assert refused.code == 64
    assert f"Documo: 1 person would lose the account ({upn('kim.berg')})." in refused.err
    assert crew("settings", "documo", "-o", "json").json["scope"] == "all"


def test_whoever_is_named_is_lost_without_a_question(crew: Lockstep) -> None:
    done = crew("assign", "remove", "documo", "--user", upn("anna"), "-o", "json")

    assert done.code == 0
    assert losing(done) == [upn("anna")]
    assert f"1 person would lose the account ({upn('anna')})" in done.err


def test_effects_are_shown_before_the_change_is_made(
    crew: Lockstep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said_before: list[str] = []

    async def work(context: Context) -> object:
        said_before.append(capsys.readouterr().err)  # first in the rehearsal, then in earnest
        return await groups.delete_group(context, "crew")

    with click.Context(click.Command("delete")):
        run_asked("Delete crew?", work, yes=True)

    assert "would lose" not in said_before[0]
    assert "people would lose their accounts (" in said_before[1]


def test_member_of_two_ways_in_loses_nothing_by_one(crew: Lockstep) -> None:
    crew("assign", "documo", "--user", upn(CREW[0]), "--role", "Member")

    refused = crew("assign", "remove", "documo", "--group", "crew")

    assert "Documo: 11 people would lose their accounts" in refused.err


def test_privileges_and_names_of_ten_need_consent(crew: Lockstep) -> None:
    admins = crew("map", "set", "documo", ROLE, "--constant", "Admin")
    named = crew("map", "set", "documo", "userName", "--expression", 'Append([givenName], "@elsewhere.test")')
    harmless = crew("map", "set", "documo", "title", "--constant", "Somebody")

    assert admins.code == 64
    assert "Documo: 14 people would get the role Admin (" in admins.err
    assert named.code == 64
    assert "would get a different userName" in named.err
    assert harmless.code == 0


def test_switch_that_never_disables_needs_consent(crew: Lockstep) -> None:
    refused = crew("map", "set", "documo", "active", "--constant", "True")

    assert refused.code == 64
    assert "active is always true, so no one is ever disabled" in refused.err


def test_dry_run_of_a_mapping_changes_nothing(crew: Lockstep) -> None:
    said = crew("map", "set", "documo", "active", "--constant", "False", "--dry-run", "-o", "json")

    assert said.code == 0
    assert len(losing(said)) == 14
    assert "expression" in crew("map", "show", "documo", "active", "-o", "json").json


def test_people_and_groups_of_a_source_are_not_removed_without_their_number(crew: Lockstep) -> None:
    refused = crew("sources", "remove", "csv", "--with-objects")

    assert refused.code == 64
    assert "Documo: 14 people would lose their accounts (" in refused.err
    assert "Delete 15 people and 0 groups of csv?" in refused.err
    removed = crew("sources", "remove", "csv", "--with-objects", "--yes", "-o", "json")
    assert (removed.json["removed"], len(losing(removed))) == (15, 14)


def test_change_by_hand_says_what_it_does_to_the_person(crew: Lockstep) -> None:
    crew("scope", "set", "documo", "--filter", 'Sales: department EQUALS "Sales"')

    changed = crew("people", "set", upn("anna"), "department=Nowhere", "-o", "json")

    assert (changed.code, losing(changed)) == (0, [upn("anna")])


def test_plan_and_apply_name_who_would_be_lost(crew: Lockstep, documo: DocumoThere, tmp_path: Path) -> None:
    file = tmp_path / "documo.yaml"
    text = crew("export", "documo").out
    file.write_text(text.replace("group: crew", f"user: {upn('kim.berg')}"), encoding="utf-8")

    planned = crew("plan", str(file), "--prune")
    refused = crew("apply", str(file), "--prune")
    applied: dict[str, Any] = crew("plan", str(file), "--prune", "-o", "json").json

    assert "Documo: 12 people would lose their accounts" in planned.out
    assert "Documo: 1 person would get an account" in planned.out
    assert refused.code == 64
    assert "12 people would lose their accounts" in refused.err
    assert {one["effect"]: one["count"] for one in applied["effects"]} == {"losesAccess": 12, "getsAccount": 1}
    assert crew("apply", str(file), "--prune", "--yes").code == 0
    assert "crew" not in crew("assign", "list", "documo").out


def test_role_mapping_that_is_removed_and_made_anew_stays_guarded(crew: Lockstep) -> None:
    crew("map", "set", "documo", ROLE, "--remove", "--yes")

    said = crew("map", "set", "documo", "roles", "--constant", "Admin", "--dry-run")

    assert "Documo: 14 people would get the role Admin (" in said.out


def test_lint_counts_who_would_gain_a_privilege(crew: Lockstep) -> None:
    harmless = crew("map", "lint", "documo")
    crew("map", "set", "documo", ROLE, "--expression", 'Switch([department], "Member", "Sales", "Admin")', "--yes")

    said = crew("map", "lint", "documo")

    assert "Admin" not in harmless.out
    assert "everyone would get the role Admin: 14 of 14 in scope" in " ".join(said.out.split())
