"""Status, logs, settings, mappings, scope, links, explain and doctor: what they show and what they refuse."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import orjson
import pytest

from lockstep.cli import lockstep as command_tree
from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn

NEW = ("run", "push", "start", "pause", "restart", "retry", "status", "cycles", "settings", "links", "explain", "doctor",
       "logs", "logs show", "audit", "map list", "map show", "map set", "map lint", "scope show", "scope set", "scope test",
       "deletes list", "deletes approve", "deletes reject", "creds test")  # fmt: skip


def test_status_lists_applications_and_shows_one(started: Lockstep) -> None:
    table = started("status")
    one = started("status", "documo")
    as_json = started("status", "-o", "json").json["items"][0]

    assert table.out.splitlines()[1].split()[:2] == ["documo", "Active"]
    assert (one.code, "No worker is running, so nothing is sent." in one.out) == (69, True)
    assert table.code == 69
    assert as_json["standing"] == "noWorker"
    assert (as_json["links"], as_json["waiting"], as_json["lastCycle"]["counts"]) == ({"User": 2}, 0, {"created": 2})


def test_cycles_are_listed_newest_first(started: Lockstep) -> None:
    started("run", "documo", "--wait")

    kinds = [row["kind"] for row in started("cycles", "documo", "-o", "json").json["items"]]

    assert kinds == ["incremental", "initial"]


def test_logs_are_narrowed_down_and_one_change_is_shown_whole(started: Lockstep) -> None:
    found = started("logs", "--app", "documo", "--user", upn("anna"), "--status", "success", "-o", "json").json["items"]
    whole = started("logs", "show", found[0]["changeId"])
    assert "Latest change in the directory before this: " in whole.err and ", by " in whole.err

    assert [row["sourceIdentity"]["displayName"] for row in found] == [upn("anna")]
    assert found[0]["provisioningAction"] == "create"
    assert "5. export" in whole.out and "+ userName" in whole.out
    assert started("logs", "--status", "failure", "-o", "json").json["items"] == []
    assert started("logs", "--since", "1h", "-q").out.count("\n") == 2


def test_settings_show_and_change_what_is_given(contoso: Lockstep) -> None:
    changed = contoso(
        "settings", "documo", "--notification-email", "it@contoso.test", "--email-on-failure", "--interval", "30m"
    )
    shown = contoso("settings", "documo", "-o", "json").json

    assert changed.code == 0
    assert (shown["notificationEmail"], shown["emailOnFailure"], shown["interval"]) == ("it@contoso.test", True, "30m")
    assert (shown["scope"], shown["status"], shown["notificationDelivery"]) == ("assigned", "off", "immediate")


def test_notifications_are_delivered_in_a_digest_if_the_settings_say_so(contoso: Lockstep) -> None:
    changed = contoso(
        "settings", "documo", "--notification-email", "it@contoso.test", "--notification-delivery", "digest"
    )
    refused = contoso("settings", "documo", "--notification-delivery", "weekly")
    shown = contoso("settings", "documo", "-o", "json").json

    assert changed.code == 0 and "it@contoso.test, daily digest at 07:00 UTC" in changed.out
    assert refused.code == 64 and 'must be "immediate" or "digest"' in refused.err
    assert shown["notificationDelivery"] == "digest"


def test_mapping_is_added_linted_and_taken_away(contoso: Lockstep) -> None:
    added = contoso(
        "map",
        "set",
        "documo",
        "title",
        "--expression",
        'IIF([jobTitle] = "", "-", [jobTitle])',
        "--default",
        "Employee",
    )
    listed = contoso("map", "list", "documo", "-o", "json").json["items"][-1]
    linted = contoso("map", "lint", "documo", "-o", "json").json["items"]
    removed = contoso("map", "set", "documo", "title", "--remove")
    gone = contoso("map", "show", "documo", "title")

    assert (added.code, removed.code, gone.code) == (0, 0, 5)
    assert (listed["target"], listed["default"]) == ("title", "Employee")
    assert listed["expression"] == 'IIF([jobTitle] = "", "-", [jobTitle])'
    assert any("[jobTitle]" in one["message"] for one in linted)


@pytest.mark.parametrize(
    "arguments",
    [
        ["map", "set", "documo", "title", "--source", "JobTitle"],
        ["map", "set", "documo", "title", "--expression", 'Join("-", [givenName], [JobTitle])'],
        ["scope", "set", "documo", "--filter", 'X: JobTitle EQUALS "Sales"', "--yes"],
        ["scope", "test", "documo", "--filter", 'X: JobTitle EQUALS "Sales"'],
        ["groups", "create", "sales", "--filter", 'X: JobTitle EQUALS "Sales"'],
        ["expr", "eval", "[JobTitle]", "--user", "kim.berg@contoso.test"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_unknown_source_attribute_is_refused_at_every_door_with_what_was_meant(
    contoso: Lockstep, arguments: list[str]
) -> None:
    refused = contoso(*arguments)

    assert (refused.code, refused.out) == (64, "")
    assert 'nknown source attribute "JobTitle", did you mean "jobTitle"?' in refused.err


NAMES = orjson.loads((Path(__file__).parents[2] / "cases" / "engine-06-unknown-attribute.json").read_bytes())


@pytest.mark.parametrize(
    "command", [one for key in ("refused", "accepted without a word, exit 0") for one in NAMES[key] if " APP " in one]
)
def test_unknown_source_attribute_of_a_case_is_refused_with_a_suggestion(contoso: Lockstep, command: str) -> None:
    refused = contoso(*shlex.split(command.replace("APP", "documo")))

    assert (refused.code, refused.out) == (64, "")
    assert "did you mean" in refused.err


@pytest.mark.parametrize("source", ["id", "[jobTitle]", "manager.department", f"extension_{'0' * 32}_costCenter"])
def test_mapping_from_everything_that_expressions_can_read_is_taken(contoso: Lockstep, source: str) -> None:
    assert contoso("map", "set", "documo", "title", "--source", source).code == 0


@pytest.mark.parametrize("change", [("--remove",), ("--match", "0")])
def test_the_only_matching_attribute_stays_one(contoso: Lockstep, change: tuple[str, ...]) -> None:
    refused = contoso("map", "set", "documo", "userName", *change)

    assert refused.code == 7
    assert "userName is the only matching attribute" in refused.err
    assert contoso("map", "show", "documo", "userName", "-o", "json").json["match"] == 1


def test_log_has_no_change_of_a_name_that_is_no_id(started: Lockstep) -> None:
    refused = started("logs", "show", "123")

    assert (refused.code, refused.err.splitlines()[0]) == (5, "error: The log has no change 123")


def test_scope_by_a_group_that_there_is_not_is_refused(contoso: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "scope.yaml"
    file.write_text("- title: team\n  all:\n    - not: {any: [{memberOf: nope}]}\n", encoding="utf-8")

    refused = contoso("scope", "set", "documo", "--file", str(file), "--yes")

    assert (refused.code, refused.err.splitlines()[0]) == (5, 'error: Unknown group "nope"')
    assert contoso("scope", "show", "documo", "-o", "json").json["scopingFilters"] == []


def test_scope_is_tried_before_it_is_set_and_nobody_loses_an_account_unasked(started: Lockstep) -> None:
    nobody = 'Sales only: department EQUALS "Nowhere and beyond" and surname IS NOT NULL'

    tried = started("scope", "test", "documo", "--filter", nobody, "-o", "json").json
    unasked = started("scope", "set", "documo", "--filter", nobody)
    unchanged = started("scope", "show", "documo", "-o", "json").json
    agreed = started("scope", "set", "documo", "--filter", nobody, "--yes")
    stored = started("scope", "show", "documo", "-o", "json").json

    assert (tried["people"], tried["inScope"], tried["unassigned"], tried["leaving"]) == (3, 0, 1, 2)
    assert (unasked.code, unchanged["scopingFilters"], agreed.code) == (64, [], 0)
    assert stored["scopingFilters"] == [
        {
            "title": "Sales only",
            "all": [
                {"attribute": "department", "operator": "EQUALS", "value": "Nowhere and beyond"},
                {"attribute": "surname", "operator": "IS NOT NULL"},
            ],
        }
    ]


def test_scope_test_names_the_clause_that_decided(contoso: Lockstep) -> None:
    said = contoso("scope", "test", "documo", "--user", upn("anna"), "--filter", "IT: department EQUALS IT")

    assert "NOT IN SCOPE" in said.out
    assert "  FAIL  IT.department EQUALS 'IT'" in said.out
    assert 'Would be provisioned if department were "IT".' in said.out


def test_scoping_filters_come_from_a_file_too(contoso: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "filters.yaml"
    file.write_text("- title: IT\n  all:\n  - {attribute: department, operator: EQUALS, value: IT}\n")

    said = contoso("scope", "set", "documo", "--file", str(file))

    assert said.code == 0
    assert 'IT: department EQUALS "IT"' in said.out


def test_links_are_listed_forgotten_and_chosen(started: Lockstep, documo: DocumoThere) -> None:
    account = documo.users()[upn("anna")]["id"]
    started("pause", "documo")

    listed = started("links", "documo", "--user", upn("anna"), "-o", "json").json["items"]
    forgotten = started("links", "documo", "--user", upn("anna"), "--forget", "--yes")
    orphans = started("links", "documo", "--orphans", "-q")
    taken = started("links", "documo", "--user", upn("anna"), "--choose", documo.users()[upn("bo")]["id"], "--yes")
    chosen = started("links", "documo", "--user", upn("anna"), "--choose", account, "--yes")

    assert [row["account"] for row in listed] == [account]
    assert (forgotten.code, taken.code, chosen.code) == (0, 7, 0)
    assert account in orphans.out and documo.users()[upn("bo")]["id"] not in orphans.out
    assert upn("bo") in taken.err
    first = started("links", "documo", "-o", "json").json["items"][0]
    assert (first["account"], first["matchedBy"]) == (account, "")


def test_link_names_the_attribute_that_its_account_was_matched_by(started: Lockstep) -> None:
    created = started("links", "documo", "-o", "json").json["items"]
    started("links", "documo", "--user", upn("anna"), "--forget", "--yes")
    started("run", "documo", "--wait")

    again = started("links", "documo", "--user", upn("anna"), "-o", "json").json["items"]
    wide = started("links", "documo", "-o", "wide")
    table = started("links", "documo", "-o", "table")

    assert {row["matchedBy"] for row in created} == {""}
    assert [row["matchedBy"] for row in again] == ["userName"]
    assert "MATCHED BY" in wide.out.upper() and "userName" in wide.out
    assert "userName" not in table.out


def test_account_of_nobody_is_shown_with_who_may_own_it(started: Lockstep, documo: DocumoThere) -> None:
    started("pause", "documo")
    started("links", "documo", "--user", upn("anna"), "--forget", "--yes")

    shown = started("links", "documo", "--orphans")
    rows = started("links", "documo", "--orphans", "-o", "json").json["items"]

    [row] = [row for row in rows if row["account"] == documo.users()[upn("anna")]["id"]]
    assert (row["owner"], row["owners"][0]["score"] >= 90) == (upn("anna"), True)
    assert "the same address" in row["why"]
    assert "the same address" in shown.out
    assert "--choose ACCOUNT" in shown.err
    assert [row["owner"] for row in rows if row["name"].startswith("admin@")] == [""]


def test_explain_says_the_gate_that_failed_and_what_would_change_it_without_credentials(contoso: Lockstep) -> None:
    said = contoso("explain", upn("kim.berg"), "--app", "documo")

    assert said.code == 0
    assert said.out.startswith("NOT PROVISIONED: ")
    assert "  FAIL  assigned" in said.out and "scope, match, export   not reached" in said.out
    assert "Would be provisioned if assigned to the application." in said.out


def test_expression_sees_a_person_of_the_directory_with_role_and_state(contoso: Lockstep) -> None:
    role = contoso("expr", "eval", "SingleAppRoleAssignment([appRoleAssignments])", "--user", upn("anna"))
    left = contoso("expr", "eval", "[IsSoftDeleted]", "--user", upn("kim.berg"))

    assert (role.out, left.out) == ("Member\n", "True\n")


def test_doctor_fails_for_a_key_that_others_can_read(started: Lockstep, tmp_path: Path) -> None:
    started("creds", "test", "documo")
    healthy = started("doctor", "-o", "json")
    (tmp_path / "data" / "key").chmod(0o644)
    broken = started("doctor")

    assert (healthy.code, healthy.json["ok"]) == (0, True)
    levels = {check["name"]: check["level"] for check in healthy.json["checks"]}
    assert (levels["PostgreSQL"], levels["app documo"], levels["worker"]) == ("ok", "ok", "warn")
    assert broken.code == 1
    assert "FAIL  key" in broken.out and "chmod 600" in broken.out


def test_doctor_fails_while_leavers_wait_for_a_worker(started: Lockstep) -> None:
    started("creds", "test", "documo")
    started("people", "disable", upn("anna"))

    said = started("doctor")

    assert said.code == 1
    assert (
        "FAIL  worker           no worker is running, so nothing is provisioned; 1 object waits to lose access"
        in said.out
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "dokumo"], 5, "Did you mean documo?"),
        (["status", "dokumo"], 5, "Did you mean documo?"),
        (["run", "documo"], 7, "lockstep start documo"),
        (["start", "documo"], 4, "lockstep creds set documo"),
        (["push", "documo"], 64, "Name a person (USER) or a group"),
        (["push", "documo", "kim.borg@contoso.test", "--dry-run"], 5, "Did you mean kim.berg@contoso.test?"),
        (["restart", "documo", "--reset", "everything"], 64, "watermark"),
        (["settings", "documo", "--scope", "everyone"], 64, '"assigned" or "all"'),
        (["settings", "documo", "--interval", "30"], 64, "40m"),
        (["scope", "set", "documo", "--filter", "department EQUALS IT"], 64, "has no title"),
        (["scope", "set", "documo", "--filter", "IT: department IST IT"], 64, "an operator must follow department"),
        (["links", "documo", "--forget"], 64, "--user"),
        (["logs", "show", "01a20663-178b-7dd8-b287-119a58a26065"], 5, "lockstep logs"),
        (["logs", "shw"], 64, 'Did you mean "show"?'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_says_why_and_ends_with_its_code(
    contoso: Lockstep, arguments: list[str], code: int, words: str
) -> None:
    said = contoso(*arguments)

    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("error: ")
    assert words in said.err


@pytest.mark.parametrize("name", NEW)
def test_help_fits_a_terminal_and_has_two_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command_tree.main([*name.split(), "--help"], prog_name="lockstep", standalone_mode=False)

    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert len(lines) <= 24
    assert sum(line.strip().startswith("lockstep ") for line in lines) >= 2
