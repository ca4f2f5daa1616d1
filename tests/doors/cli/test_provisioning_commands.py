"""Run, push, start, pause and restart, and what stops them. The exit code says how each one ended."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import person, upn, write_csv

SAME_NAME = ("map", "set", "documo", "userName", "--expression", '"same@contoso.test"')


def test_run_with_wait_does_the_work_itself_where_no_worker_is_running(
    connected: Lockstep, documo: DocumoThere
) -> None:
    connected("start", "documo")

    said = connected("run", "documo", "--wait")

    assert said.code == 0
    assert said.out.startswith("Done in ") and said.out.endswith(": 2 created.\n")
    assert sorted(documo.users()) == [upn("anna"), upn("bo")]


def test_run_without_wait_says_that_no_worker_will_do_it(connected: Lockstep, documo: DocumoThere) -> None:
    connected("start", "documo")

    said = connected("run", "documo")

    assert said.code == 0
    assert "No worker is running" in said.err
    assert documo.users() == {}


def test_run_ends_with_3_and_groups_failures_of_one_kind(connected: Lockstep, documo: DocumoThere) -> None:
    connected(*SAME_NAME)
    connected("start", "documo")

    said = connected("run", "documo", "--wait")
    as_json = connected("run", "documo", "--wait", "-o", "json")

    assert said.code == 3
    assert "1 created, 1 failed" in said.out
    assert "  1 x " in said.out and "lockstep logs --app documo --status failure" in said.out
    assert as_json.code == 3
    assert [group["count"] for group in as_json.json["failures"]] == [1]


def test_run_that_takes_too_long_ends_with_8_and_the_work_goes_on(
    connected: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        origin = f"http://127.0.0.1:{mute.getsockname()[1]}"
        monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", origin)
        connected("creds", "set", "documo", "--tenant-url", f"{origin}/scim/v2")
        connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_1\n")
        connected("start", "documo")

        said = connected("run", "documo", "--timeout", "1s")

    assert said.code == 8
    assert "the work continues" in said.err


def test_refused_key_ends_with_6_and_status_says_what_to_do(connected: Lockstep) -> None:
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")
    connected("start", "documo")

    ran = connected("run", "documo", "--wait")
    status = connected("status", "documo")

    assert (ran.code, status.code) == (6, 6)
    assert "in quarantine" in ran.err and "next" in ran.err
    assert "Quarantine" in status.out and "next attempt" in status.out and "what to do" in status.out


def test_connection_test_ends_with_4_where_the_key_is_refused_and_69_where_nobody_answers(
    connected: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = connected("creds", "test", "documo")
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")
    refused = connected("creds", "test", "documo")
    monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", "http://127.0.0.1:1")
    connected("creds", "set", "documo", "--tenant-url", "http://127.0.0.1:1/scim/v2")
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_1\n")
    silent = connected("creds", "test", "documo", "-o", "json")

    assert (works.code, refused.code, silent.code) == (0, 4, 69)
    assert "FAIL    Authentication" in refused.out
    failed = [probe["name"] for probe in silent.json["items"] if probe["result"] == "FAIL"]
    assert failed == ["TCP"]


def test_dry_run_shows_the_plan_and_writes_nothing(connected: Lockstep, documo: DocumoThere) -> None:
    said = connected("push", "documo", upn("anna"), upn("kim.berg"), "--dry-run")

    assert said.code == 0
    assert f"  + create   {upn('anna')}" in said.out
    assert '      + userName                       = "anna@contoso.test"' in said.out
    assert f"  . skip     {upn('kim.berg')}" in said.out and "not assigned" in said.out
    assert documo.users() == {}


def test_push_provisions_at_once_while_provisioning_is_off_and_tells_its_steps(
    connected: Lockstep, documo: DocumoThere
) -> None:
    said = connected("push", "documo", upn("anna"), "-o", "json")

    [row] = said.json["items"]
    assert (said.code, row["status"], row["action"], row["name"]) == (0, "success", "create", upn("anna"))
    steps = [step["provisioningStepType"] for step in row["provisioningSteps"]]
    assert steps == ["import", "scoping", "matching", "processing", "export"]
    assert list(documo.users()) == [upn("anna")]


def test_push_that_fails_ends_with_3_and_says_what_to_do(connected: Lockstep, documo: DocumoThere) -> None:
    connected(*SAME_NAME)

    first = connected("push", "documo", upn("anna"))
    second = connected("push", "documo", upn("bo"))

    assert (first.code, second.code) == (0, 3)
    assert f"  ! failure  {upn('bo')}" in second.out
    assert list(documo.users()) == ["same@contoso.test"]


def test_push_with_a_refused_key_is_no_success(connected: Lockstep) -> None:
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")

    said = connected("push", "documo", upn("anna"), "-o", "json")

    assert said.code == 3
    assert said.json["items"][0]["status"] != "success"


def test_pause_stops_runs_and_start_lets_them_go_on(started: Lockstep) -> None:
    paused = started("pause", "documo")
    refused = started("run", "documo")
    status = started("status", "documo", "-o", "json")
    again = started("start", "documo")

    assert (paused.code, refused.code, again.code) == (0, 7, 0)
    assert "lockstep start documo" in refused.err
    assert status.json["code"] == "Paused"


def test_restart_that_forgets_links_asks_and_adopts_the_accounts_again(started: Lockstep, documo: DocumoThere) -> None:
    before = {name: one["id"] for name, one in documo.users().items()}

    unasked = started("restart", "documo", "--reset", "links")
    asked = started("restart", "documo", "--reset", "full", "--yes")
    ran = started("run", "documo", "--wait", "-o", "json")

    assert (unasked.code, asked.code, ran.code) == (64, 0, 0)
    assert "Add --yes" in unasked.err
    assert started("links", "documo", "-o", "json").json["items"][0]["state"] == "live"
    assert {name: one["id"] for name, one in documo.users().items()} == before


def test_links_that_no_filter_matches_are_not_called_missing(started: Lockstep) -> None:
    assert started("links", "documo", "--state", "lost").err == "No links match.\n"


def test_full_run_looks_at_everybody_again(started: Lockstep) -> None:
    usual = started("run", "documo", "--wait", "-o", "json")
    full = started("run", "documo", "--full", "--wait", "-o", "json")

    assert (usual.json["total"], full.json["total"]) == (0, 2)
    assert full.json["counts"] == {"unchanged": 2}


def test_failed_person_is_tried_again_when_told_so(connected: Lockstep, documo: DocumoThere) -> None:
    connected(*SAME_NAME)
    connected("start", "documo")
    connected("run", "documo", "--wait")
    failing = connected("status", "documo", "-o", "json").json["failing"]

    again = connected("retry", "documo", "-o", "json")
    nobody = connected("retry", "documo", "--user", upn("kim.berg"), "-o", "json")

    assert (failing, again.json["count"], nobody.json["count"]) == (1, 1, 0)


def test_held_leavers_are_listed_and_disabled_only_after_approval(
    connected: Lockstep, documo: DocumoThere, tmp_path: object
) -> None:
    crowd = [f"p{number}" for number in range(12)]
    connected("sources", "import", str(write_csv(tmp_path / "crowd.csv", [person(name) for name in (*crowd, "anna", "bo", "kim.berg")])))  # type: ignore[operator]  # fmt: skip
    users = [part for name in crowd for part in ("--user", upn(name))]
    connected("assign", "documo", *users)
    connected("start", "documo")
    connected("run", "documo", "--wait")
    connected("assign", "remove", "documo", *users)
    connected("run", "documo", "--wait")

    listed = connected("deletes", "list", "documo", "-o", "json")
    status = connected("status", "documo")
    unasked = connected("deletes", "approve", "documo")
    active_before = [name for name, one in documo.users().items() if one["active"]]
    approved = connected("deletes", "approve", "documo", "--yes", "-o", "json")
    connected("run", "documo", "--wait")

    held = len(listed.json["items"])
    assert held > 0 and {row["action"] for row in listed.json["items"]} == {"disable"}
    assert (status.code, unasked.code) == (6, 64)
    assert approved.json["count"] == held
    assert len(active_before) >= held + 2
    assert sorted(name for name, one in documo.users().items() if one["active"]) == [upn("anna"), upn("bo")]


def test_who_changes_something_is_told_that_no_worker_is_running(started: Lockstep) -> None:
    said = started("people", "disable", upn("anna"))

    assert said.code == 0
    assert "No worker is running, so nothing is sent to documo yet." in said.err


def test_nothing_is_said_of_workers_where_nothing_waits_for_one(started: Lockstep) -> None:
    started("people", "disable", upn("anna"))

    said = started("run", "documo", "--wait")

    assert said.code == 0
    assert "worker" not in said.err


def test_run_that_leaves_writes_held_ends_with_6(connected: Lockstep, tmp_path: Path) -> None:
    crowd = [f"p{number}" for number in range(12)]
    everybody = write_csv(tmp_path / "crowd.csv", [person(name) for name in (*crowd, "anna", "bo", "kim.berg")])
    connected("sources", "import", str(everybody))
    users = [part for name in crowd for part in ("--user", upn(name))]
    connected("assign", "documo", *users)
    connected("start", "documo")
    connected("run", "documo", "--wait")
    connected("assign", "remove", "documo", *users)

    said = connected("run", "documo", "--wait")

    assert said.code == 6
    assert "for approval" in said.err and "lockstep deletes list documo" in said.err

    connected("deletes", "reject", "documo", "--yes")
    after = connected("status", "documo", "-o", "json")
    assert after.json["rejected"] > 0
    assert (connected("run", "documo", "--wait").code, after.code) == (0, 69)


def test_paused_application_does_not_promise_to_send_changes(started: Lockstep) -> None:
    started("pause", "documo")

    said = started("status", "documo")

    assert said.code == 6
    assert "Paused by " in said.out
    assert "changes are sent immediately" not in said.out


def test_status_says_since_when_and_by_whom_provisioning_is_paused(started: Lockstep) -> None:
    assert started("status", "documo", "-o", "json").json["pausedDateTime"] is None

    started("pause", "documo")

    told = started("status", "documo", "-o", "json").json
    assert told["pausedDateTime"].endswith("Z") and told["pausedBy"]
    assert f" by {told['pausedBy']}" in next(
        line for line in started("status", "documo").out.splitlines() if line.startswith("  paused ")
    )
    started("start", "documo")
    assert started("status", "documo", "-o", "json").json["pausedBy"] == ""
