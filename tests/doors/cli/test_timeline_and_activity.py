"""`lockstep timeline` and `lockstep activity`: the history of a person, and the figures of the charts."""

from __future__ import annotations

import csv
import io

from tests.support.command_line import Lockstep
from tests.support.hub import upn


def test_timeline_has_the_directory_and_the_applications_newest_first(started: Lockstep) -> None:
    shown = started("timeline", upn("anna"), "-o", "json").json["items"]
    only = started("timeline", upn("anna"), "--only", "documo", "-o", "json").json["items"]

    assert [one["time"] for one in shown] == sorted((one["time"] for one in shown), reverse=True)
    assert {one["kind"] for one in shown} == {"directory", "provisioning"}
    assert [one["event"] for one in only] == ["Created in Documo"]


def test_timeline_says_that_there_is_more_and_how_to_see_it(started: Lockstep) -> None:
    short = started("timeline", upn("anna"), "--limit", "1")
    whole = started("timeline", upn("anna"), "--limit", "0")

    assert (len(short.out.splitlines()), "Show all: --limit 0" in short.err) == (2, True)
    assert (len(whole.out.splitlines()) > 2, whole.err) == (True, "")


def test_timeline_as_csv_has_the_changed_values(started: Lockstep) -> None:
    said = started("timeline", upn("anna"), "--only", "documo", "-o", "csv")

    (line,) = csv.DictReader(io.StringIO(said.out))
    assert "userName:  -> " in line["values"]


def test_timeline_of_an_unknown_name_or_application_is_refused(started: Lockstep) -> None:
    assert started("timeline", "nobody@contoso.test").code == 5
    assert started("timeline", upn("anna"), "--only", "documa").code == 5


def test_activity_of_an_application_shows_what_was_written_and_how_long_it_took(started: Lockstep) -> None:
    said = started("activity", "documo")
    steps = started("activity", "documo", "-o", "json").json["steps"]
    rows = list(csv.DictReader(io.StringIO(started("activity", "documo", "--span", "24h", "-o", "csv").out)))

    assert "Time to provision: p50 " in said.out and "2 accounts in the last 7 days" in said.out
    assert "Time to deprovision: none in the last 7 days" in said.out
    assert (sum(one["created"] for one in steps), len(steps)) == (2, 60)
    assert (sum(int(one["created"]) for one in rows), len(rows)) == (2, 48)


def test_activity_of_all_applications_shows_the_days(started: Lockstep) -> None:
    said = started("activity")
    found = started("activity", "-o", "json").json

    assert len(said.out.splitlines()) == 1 + 14 + 2
    assert (found["days"][-1]["created"], found["applications"][0]["written"][-1]) == (2, 2)
