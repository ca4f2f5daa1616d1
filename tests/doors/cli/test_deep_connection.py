"""The deep form of Test Connection writes, so it asks for confirmation; it deletes what it created."""

from __future__ import annotations

from tests.support.command_line import DocumoThere, Lockstep


def test_the_deep_test_is_never_begun_unasked(connected: Lockstep, documo: DocumoThere) -> None:
    said = connected("creds", "test", "documo", "--deep")

    assert said.code == 64
    assert "Add --yes" in said.err
    assert documo.users() == {}


def test_the_deep_test_tries_all_that_is_written_and_leaves_nothing_behind(
    connected: Lockstep, documo: DocumoThere
) -> None:
    said = connected("creds", "test", "documo", "--deep", "--yes", "-o", "json")

    rows = said.json["items"]
    assert said.code == 0, said.out
    assert len(rows) > 20 and all(row["passed"] for row in rows if row["tried"])
    assert rows[-1]["sentence"] == "Everything that was created was deleted"
    assert documo.users() == {}
