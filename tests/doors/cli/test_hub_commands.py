"""The commands for people, groups and sources: what they print to stdout and stderr, and their exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.support.command_line import Lockstep
from tests.support.hub import person, upn, write_csv


def test_import_counts_on_stdout_and_explains_on_stderr(lockstep: Lockstep, tmp_path: Path) -> None:
    rows = [person("anna"), person("bo", accountEnabled="perhaps")]

    said = lockstep("sources", "import", str(write_csv(tmp_path / "people.csv", rows)))

    assert (said.code, said.out) == (3, "people           2 read: 1 created, 1 bad row\n")
    assert 'line 3, accountEnabled: must be True or False, not "perhaps"' in said.err


def test_import_as_json_is_one_document(lockstep: Lockstep, tmp_path: Path) -> None:
    said = lockstep("sources", "import", str(write_csv(tmp_path / "people.csv", [person("anna")])), "-o", "json")

    assert (said.json["formatVersion"], said.json["source"]) == ("1.0", "csv")
    [one] = said.json["passes"]
    assert (one["kind"], one["created"], one["badRows"]) == ("people", 1, [])


def test_source_that_shrank_ends_with_6_until_somebody_decides(lockstep: Lockstep, tmp_path: Path) -> None:
    everybody = [person(f"p{number}") for number in range(50)]
    lockstep("sources", "import", str(write_csv(tmp_path / "all.csv", everybody)))

    held = lockstep("sources", "import", str(write_csv(tmp_path / "few.csv", everybody[:3])))
    waiting = lockstep("sources", "status", "csv")
    unasked = lockstep("sources", "confirm", "csv")
    confirmed = lockstep("sources", "confirm", "csv", "--yes")

    assert (held.code, waiting.code, unasked.code, confirmed.code) == (6, 6, 64, 0)
    assert "47 of 50 people (94%) are no longer in the source" in held.err
    assert "Add --yes" in unasked.err
    assert confirmed.out == "Removed 47 objects missing from the source.\n"
    assert lockstep("sources", "status", "csv").code == 0


def test_registered_source_is_imported_by_its_name(lockstep: Lockstep, tmp_path: Path) -> None:
    people = write_csv(tmp_path / "people.csv", [person("anna")])
    groups = write_csv(tmp_path / "g.csv", [{"id": "g1", "displayName": "team"}], columns=("id", "displayName"))
    members = write_csv(
        tmp_path / "m.csv", [{"groupId": "g1", "memberId": upn("anna")}], columns=("groupId", "memberId")
    )

    added = lockstep(
        "sources", "add", "hr", "--members", str(members), "--groups", str(groups), "--people", str(people)
    )
    said = lockstep("sources", "import", "hr")

    assert (added.code, said.code) == (0, 0)
    assert [line.split()[0] for line in said.out.splitlines()] == ["people", "groups", "members"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sources", "import", "nowhere.csv"], 5, "There is no file"),
        (["sources", "import", "hr"], 5, 'Unknown source "hr"'),
        (["assign", "documo", "--user", "kim.borg@contoso.test"], 5, "Did you mean kim.berg@contoso.test?"),
        (["assign", "documo", "--group", "nobody"], 5, 'Unknown group "nobody"'),
        (["assign", "documo"], 64, "No person or group was given"),
        (["apps", "add", "dokumo"], 5, "documo"),
        (["apps", "add", "documo"], 7, "--name documo-2"),
        (["apps", "delete", "documo"], 64, "Add --yes"),
        (["ap"], 64, 'Did you mean "apps"?'),
        (["apps", "lst"], 64, 'Did you mean "list"?'),
        (["people", "list", "--nope"], 64, "No such option"),
        (["people", "set", "kim.berg@contoso.test", "departement=x"], 64, "Did you mean department?"),
        (["creds", "set", "documo", "--token", "dk_1"], 64, "use --token-stdin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_says_why_and_ends_with_its_code(
    unassigned: Lockstep, arguments: list[str], code: int, words: str
) -> None:
    said = unassigned(*arguments)

    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("error: ")
    assert words in said.err
    assert "Traceback" not in said.err


def test_assignments_are_made_listed_and_taken_back(unassigned: Lockstep) -> None:
    made = unassigned("assign", "documo", "--user", upn("anna"), "--role", "Member")
    listed = unassigned("assign", "list", "documo", "-o", "name")
    back = unassigned("assign", "remove", "documo", "--user", upn("anna"))

    assert made.out == f"{upn('anna')} is assigned to documo (Member)\n"
    assert listed.out == f"{upn('anna')}\n"
    assert (back.code, unassigned("assign", "list", "documo", "-o", "json").json["items"]) == (0, [])


def test_token_comes_from_stdin_and_is_not_shown_anywhere(unassigned: Lockstep) -> None:
    token = "dk_live_0123456789abcdef"

    set_ = unassigned("creds", "set", "documo", "--token-stdin", stdin=f"{token}\n")
    moved = unassigned("creds", "set", "documo", "--tenant-url", "https://scim.other.test/v2")

    assert set_.code == 0 and "********cdef" in set_.out
    assert "was cleared" in moved.err and "not set" in moved.out
    assert token not in set_.out + set_.err + moved.out + moved.err


@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "yaml", "csv", "name", "markdown"])
def test_every_form_shows_every_person(unassigned: Lockstep, form: str) -> None:
    said = unassigned("people", "list", "-o", form)

    assert said.code == 0
    assert all(upn(name) in said.out for name in ("anna", "bo", "kim.berg"))


def test_name_cannot_steer_the_terminal_or_a_spreadsheet(lockstep: Lockstep, tmp_path: Path) -> None:
    rows = [person("anna", displayName="=cmd()|'calc'"), person("bo", displayName="[red]x\u202e[/red]")]
    lockstep("sources", "import", str(write_csv(tmp_path / "p.csv", rows)))

    as_csv = lockstep("people", "list", "-o", "csv").out
    as_table = lockstep("people", "list").out

    assert "'=cmd()" in as_csv
    assert "[red]x" in as_table and "\u202e" not in as_table


def test_roles_go_out_as_a_manifest_and_come_in_again(unassigned: Lockstep, tmp_path: Path) -> None:
    manifest = unassigned("apps", "roles", "manifest", "documo").out
    roles = orjson.loads(manifest)
    roles["appRoles"].reverse()
    (tmp_path / "roles.json").write_bytes(orjson.dumps(roles))

    taken = unassigned("apps", "roles", "manifest", "documo", str(tmp_path / "roles.json"))

    assert taken.code == 0
    assert unassigned("apps", "roles", "list", "documo", "-o", "name").out.split() == [
        "Viewer",
        "Member",
        "Editor",
        "Admin",
    ]


def test_version_and_help_open_nothing_and_load_little() -> None:
    code = (
        "import sys; from lockstep.cli import run; run(['version']);"
        "print([name for name in ('psycopg', 'sqlalchemy', 'aiohttp', 'rich') if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines()[-1] == "[]"


def test_command_that_sends_no_request_loads_no_client_for_one() -> None:
    code = (
        "import sys, lockstep.cli.people;"
        "print([name for name in ('aiohttp', 'aiosmtplib', 'authlib', 'lxml') if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("query", "form", "shown"),
    [
        ("items[].userPrincipalName", "table", "anna@contoso.test\nbo@contoso.test\nkim.berg@contoso.test\n"),
        ("items[?department=='Sales'] | length(@)", "table", "3\n"),
        ("items[:1].[userPrincipalName, accountEnabled]", "table", "anna@contoso.test\ttrue\n"),
        ("items[0].department", "json", '"Sales"\n'),
        ("items[0].[department]", "yaml", "- Sales\n"),
        ("items[:1].{upn: userPrincipalName}", "jsonl", '{"upn":"anna@contoso.test"}\n'),
        ("nothing.there", "table", "\n"),
    ],
)
def test_a_query_shows_what_it_finds_in_the_json_form(unassigned: Lockstep, query: str, form: str, shown: str) -> None:
    said = unassigned("people", "list", "--query", query, "-o", form)

    assert (said.code, said.out) == (0, shown)


@pytest.mark.parametrize("query", ["items[", "length(formatVersion, `1`)"])
def test_a_query_that_cannot_be_asked_is_refused_with_an_example_or_a_reason(unassigned: Lockstep, query: str) -> None:
    said = unassigned("people", "list", "--query", query)

    assert (said.code, said.out) == (64, "")
    assert "query" in said.err.lower()
    assert "Traceback" not in said.err


def test_dry_run_names_people_and_the_import_after_it_does_what_it_said(lockstep: Lockstep, tmp_path: Path) -> None:
    lockstep("sources", "import", str(write_csv(tmp_path / "a.csv", [person("anna"), person("bo")])))
    later = str(write_csv(tmp_path / "b.csv", [person("anna", surname="Lind"), person("cy")]))

    looked = lockstep("sources", "import", later, "--dry-run")
    done = lockstep("sources", "import", later)

    assert "would be 1 created, 1 updated, 1 removed" in looked.out
    assert [line.split()[:3] for line in looked.out.splitlines()[1:]] == [
        ["~", "updated", upn("anna")],
        ["+", "created", upn("cy")],
        ["-", "removed", upn("bo")],
    ]
    assert "Nothing changed." in looked.err
    assert "read: 1 created, 1 updated, 1 removed" in done.out


def test_confirming_names_those_whom_it_removes(lockstep: Lockstep, tmp_path: Path) -> None:
    everybody = [person(f"p{number}") for number in range(30)]
    lockstep("sources", "import", str(write_csv(tmp_path / "all.csv", everybody)))
    lockstep("sources", "import", str(write_csv(tmp_path / "few.csv", everybody[:5])))

    said = lockstep("sources", "confirm", "csv", "--yes")

    assert {upn(f"p{number}") for number in range(5, 30)} <= set(said.err.split())
    assert said.out == "Removed 25 objects missing from the source.\n"
