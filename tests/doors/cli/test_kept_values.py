"""An attribute that the application does not keep is named wherever an administrator looks, with the next step."""

from __future__ import annotations

import pytest

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn


@pytest.fixture
def forgetful(started: Lockstep) -> Lockstep:
    """Documo has no `costCenter` outside the enterprise extension: it accepts the value for two people and keeps neither."""
    said = started("map", "set", "documo", "costCenter", "--source", "department", "--yes")
    assert said.code == 0, said.err
    assert started("run", "documo", "--wait").code == 0
    return started


def test_status_lint_and_show_name_it_with_what_to_do(forgetful: Lockstep) -> None:
    status = forgetful("status", "documo")
    as_json = forgetful("status", "documo", "-o", "json").json
    lint = forgetful("map", "lint", "documo", "-o", "json").json["items"]
    show = forgetful("map", "show", "documo", "costCenter")

    assert "not kept     costCenter   lockstep map lint documo" in status.out
    assert as_json["notKept"] == ["costCenter"]
    [finding] = [one for one in lint if "does not keep" in one["message"]]
    assert 'Documo does not keep "costCenter": 2 consecutive responses left it out' in finding["message"]
    assert "lockstep push documo USER --again" in finding["nextStep"]
    assert "Documo does not keep" in show.out


def test_full_run_writes_nothing_and_explain_and_push_say_why(forgetful: Lockstep) -> None:
    assert forgetful("run", "documo", "--full", "--wait").code == 0
    cycle = forgetful("cycles", "documo", "--limit", "1", "-o", "json").json["items"][0]
    explained = forgetful("explain", upn("anna"), "documo")
    pushed = forgetful("push", "documo", upn("anna"))

    assert cycle["counts"] == {"unchanged": 2}
    assert "The application does not keep costCenter" in explained.out
    assert "The application does not keep costCenter" in pushed.out
    assert pushed.code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("restart", "documo"),
        ("push", "documo", upn("anna"), "--again"),
        ("creds", "set", "documo", "--token-stdin"),
        ("map", "set", "documo", "costCenter", "--source", "jobTitle", "--yes"),
        ("map", "set", "documo", "costCenter", "--remove", "--yes"),
    ],
    ids=" ".join,
)
def test_it_ends_with(command: tuple[str, ...], forgetful: Lockstep, documo: DocumoThere) -> None:
    done = forgetful(*command, stdin=f"{documo.key}\n")

    assert done.code == 0, done.err
    assert forgetful("status", "documo", "-o", "json").json["notKept"] == []


def test_push_again_sends_it(forgetful: Lockstep) -> None:
    pushed = forgetful("push", "documo", upn("anna"), "--again")

    assert '+ costCenter = "Sales"' in pushed.out
    assert "costCenter was sent, but the application did not return it." in pushed.out


def test_again_and_dry_run_exclude_each_other(contoso: Lockstep) -> None:
    assert contoso("push", "documo", upn("anna"), "--again", "--dry-run").code == 64
