"""Writes held for approval are listed with reasons, can be decided in parts, and appear in `explain`."""

from __future__ import annotations

import pytest

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn


@pytest.fixture
def held(started: Lockstep) -> Lockstep:
    """Anna is no longer assigned, Bo is disabled, and more than one leaver at once is held."""
    assert started("settings", "documo", "--deletion-threshold", "1").code == 0
    started("assign", "remove", "documo", "--user", upn("anna"))
    started("people", "disable", upn("bo"))
    started("run", "documo", "--wait")
    return started


def waiting(lockstep: Lockstep, *options: str) -> dict[str, str]:
    rows = lockstep("deletes", "list", "documo", *options, "-o", "json").json["items"]
    return {row["name"]: row["reason"] for row in rows}


def test_each_held_write_says_why_this_person_would_go(held: Lockstep) -> None:
    table = held("deletes", "list", "documo")
    rows = {row["name"]: row for row in held("deletes", "list", "documo", "-o", "json").json["items"]}

    assert {name: row["reason"] for name, row in rows.items()} == {upn("anna"): "unassigned", upn("bo"): "disabled"}
    assert rows[upn("anna")]["what"] == "disable"
    assert rows[upn("anna")]["why"].startswith("The person is not assigned to the application")
    assert rows[upn("bo")]["why"] == "The person is disabled in the directory."
    assert "Held for approval" not in table.out
    assert "2 accounts would be disabled or deleted: 1 unassigned, 1 disabled." in table.err
    assert "The limit is 1 in this cycle." in table.err


def test_held_writes_are_chosen_by_person_reason_and_number(held: Lockstep) -> None:
    assert waiting(held, "--user", upn("bo")) == {upn("bo"): "disabled"}
    assert waiting(held, "--reason", "unassigned") == {upn("anna"): "unassigned"}
    assert len(waiting(held, "--first", "1")) == 1
    assert held("deletes", "approve", "documo", "--first", "1").code == 64, "asks"


def test_only_the_chosen_part_is_approved_and_rejected(held: Lockstep, documo: DocumoThere) -> None:
    approved = held("deletes", "approve", "documo", "--reason", "disabled", "--yes")
    held("run", "documo", "--wait")

    assert approved.out.strip() == "1 write is approved."
    assert documo.users()[upn("bo")]["active"] is False
    assert documo.users()[upn("anna")]["active"] is True
    rejected = held("deletes", "reject", "documo", "--user", upn("anna"), "--yes", "-o", "json").json
    assert (rejected["decision"], rejected["count"]) == ("rejected", 1)
    assert waiting(held) == {}
    assert waiting(held, "--rejected") == {upn("anna"): "unassigned"}
    entries = held("audit", "-o", "json").json["items"]
    assert [one["after"] for one in entries if one["activity"] == "Decide on held deletes"] == [
        {"decision": "rejected", "count": 1, "reasons": {"unassigned": 1}, "names": [upn("anna")]},
        {"decision": "approved", "count": 1, "reasons": {"disabled": 1}, "names": [upn("bo")]},
    ]
    assert "deletes list documo --rejected" in held("status", "documo").out

    after_all = held("deletes", "approve", "documo", "--rejected", "--user", upn("anna"), "--yes")
    held("run", "documo", "--wait")

    assert after_all.out.strip() == "1 write is approved."
    assert documo.users()[upn("anna")]["active"] is False
    assert waiting(held, "--rejected") == {}


def test_explain_knows_what_is_held_and_what_was_rejected(held: Lockstep) -> None:
    waits = held("explain", upn("anna"), "--app", "documo")
    held("deletes", "reject", "documo", "--yes")
    rejected = held("explain", upn("anna"), "--app", "documo")

    assert waits.out.startswith("HELD FOR APPROVAL: The person is not assigned")
    assert f"(disable): lockstep deletes list documo --user {upn('anna')}" in waits.out
    assert rejected.out.startswith("REJECTED: ")
    assert "The disable was rejected by" in rejected.out


def test_mapping_that_switches_off_is_a_reason_of_its_own(started: Lockstep) -> None:
    started("settings", "documo", "--deletion-threshold", "1")
    started("map", "set", "documo", "active", "--constant", "False", "--yes")
    started("run", "documo", "--wait")

    assert waiting(started) == {upn("anna"): "mapping", upn("bo"): "mapping"}
    assert started("status", "documo").code != 0


def test_explain_says_through_which_group_and_role_somebody_is_assigned(started: Lockstep) -> None:
    started("groups", "create", "team")
    started("groups", "add-member", "team", upn("anna"))
    started("assign", "documo", "--group", "team", "--role", "Admin")

    said = started("explain", upn("anna"), "--app", "documo")

    assert "ok    assigned  assigned through the group team (Admin), directly (Member)" in said.out


def test_explain_answers_without_an_application_that_refuses_the_credentials(started: Lockstep) -> None:
    started("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")

    inside = started("explain", upn("anna"), "--app", "documo")
    outside = started("explain", upn("kim.berg"), "--app", "documo")

    assert inside.code == 4
    assert "ok    assigned  assigned directly (Member)" in inside.out
    assert "match, export   not reached" in inside.out
    assert "Documo could not be queried: " in inside.out
    assert outside.code == 0, "nobody needs to be asked about a person who is not assigned"
    assert outside.out.startswith("NOT PROVISIONED")


def test_explain_says_that_provisioning_is_off(started: Lockstep) -> None:
    started("pause", "documo")

    assert (
        "Provisioning of Documo is paused, so nothing is sent" in started("explain", upn("anna"), "--app", "documo").out
    )


def test_both_limits_for_leavers_are_shown_and_set(contoso: Lockstep) -> None:
    before = contoso("settings", "documo").out
    changed = contoso("settings", "documo", "--deletion-threshold", "50,10%", "-o", "json").json
    off = contoso("settings", "documo", "--deletion-threshold", "0%", "-o", "json").json

    assert "held above 500, or 20% of the linked accounts" in before
    assert "held above 50 granted privileges, 500 renames, 500 emptied values, 20%" in before
    assert (changed["deletionThreshold"], changed["deletionThresholdPercent"]) == (50, 10)
    assert (off["deletionThreshold"], off["deletionThresholdPercent"]) == (50, None)
    assert contoso("settings", "documo", "--deletion-threshold", "many").code == 64
