"""Every version that a configuration has had can be listed and compared."""

from __future__ import annotations

from tests.support.command_line import Lockstep


def test_versions_are_listed_with_who_made_them_and_compared(contoso: Lockstep) -> None:
    contoso("map", "set", "documo", "title", "--source", "jobTitle", "--yes")
    contoso("settings", "documo", "--scope", "all", "--yes")

    listed = contoso("config", "history", "documo", "-o", "json").json["items"]
    newest, mapped = listed[0]["version"], listed[1]["version"]
    assert [row["version"] for row in listed] == list(range(newest, 0, -1))
    assert listed[1]["activity"] == "Update attribute mappings or scope"
    assert all(row["author"] and row["at"] for row in listed)

    def places(*versions: int) -> list[str]:
        found = contoso("config", "diff", "documo", *map(str, versions), "-o", "json").json["changes"]
        return [change["place"].rpartition(".")[2] for change in found]

    assert places(newest) == ["scope"]
    assert places(mapped) == ["attributes[title]"]
    assert sorted(places(mapped - 1, newest)) == ["attributes[title]", "scope"]
    assert places(newest, newest) == []


def test_a_version_that_never_was_is_named(contoso: Lockstep) -> None:
    said = contoso("config", "diff", "documo", "99")

    assert said.code == 5
    assert "has no version 99" in said.err


def test_an_earlier_version_is_restored_as_a_new_one_after_its_changes_were_shown(contoso: Lockstep) -> None:
    before = contoso("config", "history", "documo", "-o", "json").json["items"][0]["version"]
    contoso("map", "set", "documo", "title", "--source", "jobTitle", "--yes")
    exported = contoso("export", "documo").out

    shown = contoso("config", "restore", "documo", str(before), "--dry-run")
    unchanged = contoso("export", "documo").out
    done = contoso("config", "restore", "documo", str(before), "--yes")
    again = contoso("config", "restore", "documo", str(before), "--yes")

    assert "title" in exported and unchanged == exported
    assert (shown.code, done.code, again.code) == (0, 0, 0)
    assert "attributes[title]" in shown.out and "attributes[title]" in done.out
    assert "Applied: " in done.err and "Applied: " not in again.err + shown.err
    assert "title" not in contoso("export", "documo").out
    row = contoso("config", "history", "documo", "-o", "json").json["items"][0]
    newest = row["version"]
    assert row["activity"] == f"Restore configuration version {before}"
    assert contoso("config", "diff", "documo", str(before), str(newest), "-o", "json").json["changes"] == []


def test_restoring_without_a_confirmation_changes_nothing(contoso: Lockstep) -> None:
    before = contoso("config", "history", "documo", "-o", "json").json["items"][0]["version"]
    contoso("map", "set", "documo", "title", "--source", "jobTitle", "--yes")
    exported = contoso("export", "documo").out

    refused = contoso("config", "restore", "documo", str(before))

    assert refused.code != 0
    assert contoso("export", "documo").out == exported


def test_restoring_a_version_that_never_was_is_refused(contoso: Lockstep) -> None:
    said = contoso("config", "restore", "documo", "99", "--yes")

    assert said.code == 5
    assert "has no version 99" in said.err
