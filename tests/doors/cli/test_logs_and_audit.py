"""Questions of auditors: who was changed, by which change, from which value to which; omissions are always reported."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.cli.times import local_time
from tests.support.command_line import Lockstep
from tests.support.hub import upn


def test_log_says_that_there_is_more_and_goes_on_where_it_ended(started: Lockstep) -> None:
    first = started("logs", "--limit", "1", "-o", "csv")
    [row] = csv.DictReader(io.StringIO(first.out))
    rest = started("logs", "--after", row["number"], "-o", "csv")
    everything = started("logs", "--limit", "0", "-o", "csv")

    assert f"--after {row['number']}" in first.err
    assert (rest.err, everything.err) == ("", "")
    assert everything.out.splitlines() == [*first.out.splitlines(), *rest.out.splitlines()[1:]]


def test_csv_of_the_log_names_the_application_and_the_values(started: Lockstep) -> None:
    rows = list(csv.DictReader(io.StringIO(started("logs", "--user", upn("anna"), "-o", "csv").out)))

    assert [(row["action"], row["application"]) for row in rows] == [("create", "Documo")]
    assert f"userName: None -> {upn('anna')}" in rows[0]["changes"]


def test_query_asks_the_form_that_json_shows(started: Lockstep) -> None:
    assert started("logs", "--query", "items[].provisioningAction").out.split() == ["create", "create"]


def test_log_of_a_person_holds_what_was_before_a_rename(started: Lockstep) -> None:
    started("people", "set", upn("anna"), "userPrincipalName=anna.new@contoso.test")
    started("run", "documo", "--wait")

    actions = {
        name: [row["provisioningAction"] for row in started("logs", "--user", name, "-o", "json").json["items"]]
        for name in (upn("anna"), "anna.new@contoso.test")
    }

    assert actions == {key: ["update", "create"] for key in actions}


def test_change_is_shown_by_its_number_or_the_beginning_of_its_id(started: Lockstep) -> None:
    row = next(csv.DictReader(io.StringIO(started("logs", "-o", "csv").out)))

    shown = {started("logs", "show", name).out for name in (row["number"], row["changeId"], row["changeId"][:30])}

    assert len(shown) == 1


def test_entry_person_and_group_are_shown_by_the_address_of_their_page(started: Lockstep) -> None:
    row = next(csv.DictReader(io.StringIO(started("logs", "-o", "csv").out)))
    anna = started("people", "show", upn("anna"), "-o", "json").json["id"]
    group = started("groups", "create", "readers", "-o", "json").json["id"]
    origin = "https://lockstep.contoso.test"

    entry = started("logs", "show", f"{origin}/logs/provisioning/{row['changeId']}?tab=HTTP+exchange")
    person = started("people", "show", f"{origin}/users/{anna}")
    shown = started("groups", "show", f"{origin}/groups/{group}#members")
    explained = started("explain", f"{origin}/users/{anna}/explain?app=documo")
    other = started("logs", "show", f"{origin}/users/{anna}")

    assert entry.out == started("logs", "show", row["number"]).out
    assert person.out == started("people", "show", upn("anna")).out and "readers" in shown.out
    assert explained.out == started("explain", upn("anna"), "documo").out
    assert other.code == 64 and "is not the address of a page under /logs/provisioning/" in other.err


LIMITS = [
    "people list", "groups list", "logs", "logs sign-ins", "audit", "links documo", "cycles documo", "config history documo", "mail list",
]  # fmt: skip


@pytest.mark.parametrize("command", LIMITS)
def test_a_limit_that_is_no_count_is_refused_with_the_range_that_is_accepted(contoso: Lockstep, command: str) -> None:
    said = contoso(*command.split(), "--limit", "-1")

    assert said.code == 64
    assert re.search(r"error: --limit must be a whole number (from 1 to [\d,]+|of at least 0), not -1\n", said.err)


def test_people_are_not_listed_with_a_limit_of_none(contoso: Lockstep) -> None:
    said = contoso("people", "list", "--limit", "0")

    assert said.code == 64 and "--limit must be a whole number from 1 to 100,000, not 0" in said.err


def test_time_is_given_as_a_length_or_a_date(started: Lockstep) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()

    assert len(started("logs", "--since", "1w", "-q").out.split()) == 2
    assert len(started("logs", "--until", tomorrow, "-q").out.split()) == 2
    assert started("logs", "--since", tomorrow).err == "No log entries match.\n"
    assert started("logs", "--since", "soon").code == 64


def test_todays_times_are_short_and_others_have_their_date() -> None:
    now = datetime.now().astimezone()

    assert local_time(now.isoformat()) == now.strftime("%H:%M:%S")
    assert local_time((now - timedelta(days=40)).isoformat()).startswith((now - timedelta(days=40)).strftime("%Y-"))


def test_audit_says_who_changed_what_from_which_value_to_which(started: Lockstep) -> None:
    started("settings", "documo", "--interval", "30m")
    started("settings", "documo", "--interval", "50m")

    [entry, *_] = started("audit", "--activity", "setting", "-o", "json").json["items"]
    shown = started("audit", "show", str(entry["number"]))

    assert (entry["object"], entry["before"]["schedule"], entry["after"]["schedule"]) == (
        "documo",
        {"interval": "PT30M"},
        {"interval": "PT50M"},
    )
    assert "(command line)" in entry["actor"]
    assert "  ~ schedule.interval: PT30M -> PT50M" in shown.out.splitlines()


def test_audit_is_narrowed_down_and_says_that_there_is_more(started: Lockstep) -> None:
    found = started("audit", "--object", upn("anna"), "-o", "json").json["items"]
    first = started("audit", "--limit", "1")

    assert {one["object"] for one in found} == {upn("anna")}
    assert "There are more entries." in first.err
    assert started("audit", "--actor", "somebody else").err == "No audit entries match.\n"
    assert started("audit", "show", "999").code == 5


def test_audit_log_is_verified(started: Lockstep) -> None:
    assert started("audit", "verify", "-o", "json").json["intact"] is True


@pytest.mark.parametrize("arguments", [[], ["apps"], ["groups", "rule"], ["deletes"]], ids=" ".join)
def test_group_without_a_command_prints_its_help(lockstep: Lockstep, arguments: list[str]) -> None:
    said = lockstep(*arguments)

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Usage: lockstep")
    assert said.out.count("\n") > 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Keep accounts in applications in step"),
        (("scope", "set"), "Usage: lockstep scope set"),
        (("filters",), "IS NOT NULL"),
        (("exit-codes",), "writes wait for approval"),
        (("environment",), "LOCKSTEP_OUTBOUND_ALLOW"),
        (("expressions",), "lockstep expr functions"),
    ],
)
def test_help_knows_commands_and_topics(lockstep: Lockstep, words: tuple[str, ...], says: str) -> None:
    said = lockstep("help", *words)

    assert (said.code, says in said.out) == (0, True)


def test_help_names_every_variable_of_the_settings_reference(lockstep: Lockstep) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/settings.md").read_text().partition("\n## Documo")[0]
    written = set(re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE))

    assert len(written) > 15
    assert written - set(re.findall(r"[A-Z_]+", lockstep("help", "environment").out)) == set()


def test_help_names_every_exit_code_of_the_documentation(lockstep: Lockstep) -> None:
    page = (Path(__file__).parents[3] / "docs/cli.md").read_text()
    written = set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))

    assert {"0", "2", "8", "130"} <= written
    assert written - set(re.findall(r"\b\d+\b", lockstep("help", "exit-codes").out)) == set()


def test_help_for_an_unknown_word_names_the_topics(lockstep: Lockstep) -> None:
    said = lockstep("help", "nonsense")

    assert (said.code, "Topics: csv, environment, exit-codes, expressions, filters, output" in said.err) == (64, True)


def test_log_says_what_caused_a_loss_of_access(started: Lockstep) -> None:
    started("people", "disable", upn("anna"))
    started("assign", "remove", "documo", "--user", upn("bo"))
    started("run", "documo", "--wait")

    found = list(csv.DictReader(io.StringIO(started("logs", "--action", "disable", "-o", "csv").out)))

    assert {row["cause"] for row in found} == {"disabled in the directory", "left the scope: no longer assigned"}
    assert "cause    " in started("logs", "show", found[0]["number"]).out


def test_versions_are_commented_on_when_they_are_applied_and_later(contoso: Lockstep, tmp_path: Path) -> None:
    contoso("apps", "add", "documo")
    file = tmp_path / "documo.yaml"
    file.write_text(contoso("export", "documo").out.replace("scope: assigned", "scope: all"))

    applied = contoso("apply", str(file), "--yes", "--comment", "Merge 4711")
    said = contoso("config", "comment", "documo", "1", "As delivered")
    contoso("config", "restore", "documo", "1", "--yes", "--comment", "Back again")
    found = contoso("config", "history", "documo", "-o", "json").json
    unknown = contoso("config", "comment", "documo", "7", "x")

    assert applied.code == said.code == 0 and "Version 1 of documo: comment saved." in said.err
    assert [one["comment"] for one in found["items"]] == ["Back again", "Merge 4711", "As delivered"]
    assert unknown.code == 5 and "has no version 7" in unknown.err
