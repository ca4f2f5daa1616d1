"""The list of allowed private addresses: effective in all processes without a restart, never for cloud metadata."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn
from tests.support.serving_process import GIVE_UP_SECONDS, Page, free_port, process

TOKEN = "a-token-for-the-metrics-of-lockstep"


def until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_running_server_follows_the_list_without_a_restart(
    connected: Lockstep, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKSTEP_OUTBOUND_ALLOW")
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    port = free_port()
    page = Page(f"http://127.0.0.1:{port}/metrics", TOKEN)
    with process("lockstep", "serve", "--port", str(port), ready="Lockstep is listening"):
        assert connected("start", "documo").code == 0
        page.until(lambda one: one.value("lockstep_job_state", state="quarantined") == 1)
        assert documo.users() == {}
        assert f"lockstep outbound add {documo.origin}" in connected("status", "documo").out

        assert connected("outbound", "add", documo.origin, "--reason", "in our own network").code == 0
        until(lambda: set(documo.users()) == {upn("anna"), upn("bo")})
        page.until(lambda one: one.value("lockstep_job_state", state="active") == 1)

        assert connected("outbound", "remove", documo.origin).code == 0
        page.until(lambda one: one.value("lockstep_outbound_places") == 0)
        assert connected("people", "disable", upn("bo")).code == 0
        page.until(lambda one: one.value("lockstep_job_state", state="quarantined") == 1)
        assert documo.users()[upn("bo")]["active"] is True

        assert connected("outbound", "add", documo.origin).code == 0
        until(lambda: documo.users()[upn("bo")]["active"] is False)


def test_list_is_shown_with_what_this_shell_adds_and_every_change_is_audited(
    contoso: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert contoso("outbound", "add", "HTTPS://App.Internal:8443/", "--reason", "ticket 12").code == 0
    again = contoso("outbound", "add", "https://app.internal:8443")
    assert again.out.strip() == "https://app.internal:8443 is already in the list; nothing changed."
    monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", "10.20.0.0/16")

    rows = contoso("outbound", "list", "-o", "json").json["items"]
    assert [(row["entry"], row["reason"]) for row in rows] == [
        ("https://app.internal:8443", "ticket 12"),
        ("10.20.0.0/16", ""),
    ]
    assert rows[1]["origin"] == "LOCKSTEP_OUTBOUND_ALLOW of this shell"

    wrong = contoso("outbound", "remove", "https://app.internal")
    assert wrong.code == 5
    assert "Did you mean https://app.internal:8443?" in wrong.err
    assert contoso("outbound", "remove", "https://app.internal:8443").code == 0
    entries = contoso("audit", "--activity", "Change the outbound list", "-o", "json").json["items"]
    assert [(one["object"], one["after"]["allowed"]) for one in entries] == [
        ("https://app.internal:8443", False), ("https://app.internal:8443", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("app.internal:8443", "Did you mean https://app.internal:8443, or http://app.internal:8443?"),
        ("https://app.internal/scim/v2", "Did you mean https://app.internal:443?"),
        ("10.1.2.3/8", "Did you mean 10.0.0.0/8, or only 10.1.2.3?"),
        ("*.internal", "neither an origin nor a network"),
        ("0.0.0.0/0", "larger than any private network"),
        ("128.0.0.0/1", "larger than any private network"),
        ("http://169.254.169.254", "never connects to"),
        ("169.254.169.254", "never connects to"),
        ("https://[fd00:ec2::254]", "never connects to"),
    ],
)
def test_place_that_cannot_be_or_must_not_be_is_refused(contoso: Lockstep, place: str, said: str) -> None:
    refused = contoso("outbound", "add", place)

    assert refused.code == 64
    assert said in refused.err
    assert contoso("outbound", "list", "-o", "json").json["items"] == []


def test_connection_test_says_when_only_this_shell_allows_the_application(
    connected: Lockstep, documo: DocumoThere
) -> None:
    told = f"{documo.origin} is allowed only by the environment of this shell."
    assert told in connected("creds", "test", "documo").err

    connected("outbound", "add", documo.origin)

    assert told not in connected("creds", "test", "documo").err
