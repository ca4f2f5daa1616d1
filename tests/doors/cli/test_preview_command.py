"""`lockstep preview`: what provisioning would do to everyone, in every output format, here and on a server."""

from __future__ import annotations

import csv
import io

import psycopg
import pytest

from tests.support.command_line import DocumoThere, Installation, Lockstep
from tests.support.hub import upn


def test_preview_without_a_worker_is_made_by_the_command_and_writes_nothing(
    connected: Lockstep, documo: DocumoThere
) -> None:
    said = connected("preview", "documo")

    assert said.code == 0, said
    assert f"+ create   {upn('anna')}" in said.out
    assert "2 to create. Nothing was written." in said.out
    assert documo.users() == {}


def test_text_lists_the_first_objects_and_says_how_to_list_all_of_them(
    connected: Lockstep, documo: DocumoThere
) -> None:
    first = connected("preview", "documo", "--limit", "1")
    whole = connected("preview", "documo", "--last", "--limit", "0")
    as_json = connected("preview", "documo", "--last", "--limit", "1", "-o", "json").json

    assert (first.out.count("+ create "), "2 to create" in first.out) == (1, True)
    assert "Listed: 1 of 2 objects" in first.err and "--limit 0" in first.err
    assert (whole.out.count("+ create "), "Listed:" in whole.err) == (2, False)
    assert len(as_json["objects"]) == 2


def test_objects_that_changed_since_the_preview_before_are_told_and_listed(
    connected: Lockstep, documo: DocumoThere
) -> None:
    alone = connected("preview", "documo", "--only", "changed")
    connected("people", "disable", upn("bo"))

    second = connected("preview", "documo")
    changed = connected("preview", "documo", "--last", "--only", "changed", "-o", "json").json

    assert alone.code == 5 and "Preview 1 of documo has nothing to compare with" in alone.err
    assert (
        "1 object is planned differently than in preview 1. See: lockstep preview documo --last --only changed"
        in second.err
    )
    assert [one["name"] for one in changed["objects"]] == [upn("bo")]


def test_text_lists_the_first_changed_objects_and_says_how_many_there_are(
    connected: Lockstep, documo: DocumoThere
) -> None:
    connected("preview", "documo")
    connected("start", "documo")
    connected("run", "documo", "--wait")
    connected("preview", "documo")

    first = connected("preview", "documo", "--last", "--only", "changed", "--limit", "1")
    whole = connected("preview", "documo", "--last", "--only", "changed", "--limit", "0")

    assert first.out.count(". no change") == 1 and "Listed: 1 of 2 objects" in first.err
    assert whole.out.count(". no change") == 2 and "Listed:" not in whole.err


def test_unchanged_objects_are_listed_if_they_are_asked_for(connected: Lockstep, documo: DocumoThere) -> None:
    connected("start", "documo")
    connected("run", "documo", "--wait")

    everything = connected("preview", "documo")
    unchanged = connected("preview", "documo", "--last", "--only", "none")

    assert (everything.out.count(". no change"), unchanged.out.count(". no change")) == (0, 2)


def test_changed_objects_of_a_failed_preview_are_refused_with_the_cause_of_the_failure(
    connected: Lockstep, documo: DocumoThere
) -> None:
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")

    new = connected("preview", "documo", "--only", "changed")
    last = connected("preview", "documo", "--last", "--only", "changed")

    assert (new.code, last.code) == (4, 4)
    assert "HTTP 401" in new.err and "HTTP 401" in last.err
    assert "compare" not in new.err + last.err


@pytest.mark.parametrize(
    ("state", "said"),
    [("waiting", "is still being made"), ("stopped", "was stopped, and only complete previews are compared")],
)
def test_changed_objects_of_an_incomplete_preview_are_refused_with_its_state(
    connected: Lockstep, documo: DocumoThere, installation: Installation, state: str, said: str
) -> None:
    connected("preview", "documo")
    with psycopg.connect(installation.lockstep.conninfo, autocommit=True) as connection:
        connection.execute("update preview set state = %s", (state,))

    refused = connected("preview", "documo", "--last", "--only", "changed")

    assert (refused.code, said in refused.err) == (7, True)


def test_detailed_exit_code_says_whether_something_would_be_written(connected: Lockstep, documo: DocumoThere) -> None:
    before = connected("preview", "documo", "--detailed-exitcode")
    connected("start", "documo")
    connected("run", "documo", "--wait")

    after = connected("preview", "documo", "--detailed-exitcode")

    assert (before.code, after.code) == (2, 0)
    assert "2 unchanged" in after.out


def test_preview_as_json_has_the_counts_and_each_object(connected: Lockstep, documo: DocumoThere) -> None:
    found = connected("preview", "documo", "-o", "json").json

    assert (found["state"], found["counts"]["create"]) == ("done", 2)
    assert {one["name"] for one in found["objects"]} == {upn("anna"), upn("bo")}


def test_preview_as_csv_has_a_line_for_each_changed_attribute(connected: Lockstep, documo: DocumoThere) -> None:
    said = connected("preview", "documo", "-o", "csv")

    lines = list(csv.DictReader(io.StringIO(said.out)))
    assert {(line["name"], line["attribute"]) for line in lines} >= {(upn("anna"), "userName"), (upn("bo"), "userName")}


def test_preview_as_markdown_is_a_table(connected: Lockstep, documo: DocumoThere) -> None:
    said = connected("preview", "documo", "-o", "markdown")

    assert "2 to create" in said.out
    assert "| `+` | " in said.out


def test_last_preview_is_shown_again_without_a_request(connected: Lockstep, documo: DocumoThere) -> None:
    connected("preview", "documo")

    again = connected("preview", "documo", "--last", "--only", "create", "-q")
    listed = connected("preview", "documo", "--list", "-o", "json").json["items"]

    assert len(again.out.split()) == 2
    assert [one["state"] for one in listed] == ["done"]


def test_failed_preview_ends_with_the_code_of_its_cause(connected: Lockstep, documo: DocumoThere) -> None:
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")

    said = connected("preview", "documo")

    assert said.code != 0
    assert "HTTP 401" in said.err


def test_stopping_without_a_preview_under_way_is_refused(connected: Lockstep, documo: DocumoThere) -> None:
    none = connected("preview", "documo", "--stop")
    connected("preview", "documo")

    ended = connected("preview", "documo", "--stop")

    assert (none.code, ended.code) == (5, 7)
    assert "has already ended" in ended.err


def test_preview_is_applied_without_switching_provisioning_on(connected: Lockstep, documo: DocumoThere) -> None:
    connected("preview", "documo")
    connected("people", "set", upn("bo"), "givenName=Robert")

    said = connected("preview", "documo", "--apply", "1")
    left = connected("preview", "documo", "--left", "1", "-o", "json").json["left"]
    status = connected("status", "documo", "-o", "json").json

    assert said.code == 3, said
    assert "Preview 1 was applied by cycle 1: 1 created." in said.out
    assert (
        "1 object changed since the preview, so nothing was written for it" in said.err
        and "lockstep start documo" in said.err
    )
    assert set(documo.users()) == {upn("anna")}
    assert [(one["planned"]["name"], one["previewed"]["action"]) for one in left] == [(upn("bo"), "create")]
    assert status["runningCycle"] is None


def test_preview_of_another_configuration_is_not_applied(connected: Lockstep, documo: DocumoThere) -> None:
    connected("preview", "documo")
    connected("settings", "documo", "--interval", "20m")

    said = connected("preview", "documo", "--apply", "1")

    assert said.code == 7, said
    assert "was changed since preview 1 was made" in said.err and "lockstep preview documo" in said.err
    assert documo.users() == {}


def test_only_is_refused_where_it_would_not_limit_what_is_written(connected: Lockstep, documo: DocumoThere) -> None:
    connected("preview", "documo")

    said = connected("preview", "documo", "--apply", "1", "--only", "disable")

    assert said.code == 64, said
    assert "--only selects what is shown of a preview" in said.err
    assert documo.users() == {}


def test_start_with_a_preview_shows_it_and_does_not_switch_on_before_the_answer(
    connected: Lockstep, documo: DocumoThere
) -> None:
    asked = connected("start", "documo", "--preview")
    before = connected("settings", "documo", "-o", "json").json["status"]
    agreed = connected("start", "documo", "--preview", "--yes")

    assert asked.code != 0 and f"+ create   {upn('anna')}" in asked.out and "--yes" in asked.err
    assert (before, documo.users()) == ("off", {})
    assert agreed.code == 0 and "2 to create. Nothing was written." in agreed.out
    assert "Provisioning of Documo is on. The initial cycle begins." in agreed.out


def test_start_with_a_preview_that_fails_leaves_provisioning_off(connected: Lockstep, documo: DocumoThere) -> None:
    connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong\n")

    failed = connected("start", "documo", "--preview", "--yes")

    assert failed.code == 4 and "HTTP 401" in failed.err
    assert connected("settings", "documo", "-o", "json").json["status"] == "off"
