"""The deep form of Test Connection writes, so it asks; what it made is gone afterwards."""

from __future__ import annotations

from tests.doors.cli.conftest import DocumoThere, Lockstep

from lockstep.targets.check.deep import as_probes
from lockstep.targets.check.run import CheckReport


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
    assert rows[-1]["sentence"] == "Everything that was made was deleted"
    assert documo.users() == {}


def test_what_could_not_be_deleted_fails_the_deep_test() -> None:
    (probe,) = as_probes(CheckReport("http://x", (), 0, 0.0, ("/Users/1",)))

    assert not probe.passed and "/Users/1" in probe.sentence and probe.remedy
