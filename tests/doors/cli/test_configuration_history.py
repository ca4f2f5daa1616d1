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
