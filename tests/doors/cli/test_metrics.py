"""Lockstep's `/metrics`: shown only with the token, accurate, and without personal data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import PEOPLE, DocumoThere, Lockstep
from tests.support.hub import guid, upn
from tests.support.serving_process import Page, free_port, process

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
TOKEN = "a-token-for-the-metrics-of-lockstep"


def test_metrics_follow_a_person_through_provisioning_and_name_nobody(
    connected: Lockstep, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    port = free_port()
    page = Page(f"http://127.0.0.1:{port}/metrics", TOKEN)
    written = "lockstep_objects_written_total"
    with process("lockstep", "serve", "--port", str(port), ready="Lockstep is listening"):
        before = page.scrape()
        assert before.value("lockstep_job_state", application="documo", state="not_started") == 1
        assert before.value(written, action="create", result="success") == 0
        assert before.value("lockstep_database_up") == 1
        assert before.value("lockstep_worker_queues_alive") == 2
        assert before.value("lockstep_database_connections_max") == 10

        assert connected("start", "documo").code == 0
        two = page.until(lambda one: one.value(written, action="create", result="success") == 2)
        two = page.until(
            lambda one: one.value("lockstep_cycle_last_end_timestamp_seconds", result="succeeded") is not None
        )
        assert two.value("lockstep_job_state", application="documo", state="active") == 1
        assert two.value("lockstep_linked_accounts", application="documo", kind="User", state="live") == 2
        assert two.value("lockstep_changes_waiting", application="documo") == 0
        assert (two.value("lockstep_application_request_seconds_count", application="documo", status="2xx") or 0) >= 2

        assert connected("assign", "documo", "--user", upn("kim.berg"), "--role", "Member").code == 0
        page.until(lambda one: one.value(written, action="create", result="success") == 3)
        assert connected("people", "disable", upn("bo")).code == 0
        page.until(lambda one: one.value(written, action="disable", result="success") == 1)
        assert connected("pause", "documo").code == 0
        last = page.until(lambda one: one.value("lockstep_job_state", state="paused") == 1)

    for private in (*(upn(name) for name in PEOPLE), *map(guid, PEOPLE), "Anna", "contoso.test", documo.key, TOKEN):
        assert private.lower() not in last.text.lower(), private


def test_metrics_of_waiting_leavers_and_held_writes(started: Lockstep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    assert started("settings", "documo", "--deletion-threshold", "1", "--yes").code == 0
    port = free_port()
    page = Page(f"http://127.0.0.1:{port}/metrics", TOKEN)
    with process("lockstep", "serve", "--no-worker", "--port", str(port), ready="Lockstep is listening"):
        assert page.scrape().value("lockstep_leavers_waiting", application="documo") == 0

        assert started("people", "disable", upn("anna"), upn("bo")).code == 0

        figures = page.until(lambda one: one.value("lockstep_leavers_waiting", application="documo") == 2)
        assert (figures.value("lockstep_leavers_waiting_oldest_seconds", application="documo") or 0) > 0
        assert figures.value("lockstep_worker_queues_alive") == 0

        started("run", "documo", "--wait")
        held = page.until(lambda one: one.value("lockstep_leavers_waiting", application="documo") == 0)
        assert held.value("lockstep_operations_held", application="documo") == 2
        assert held.value("lockstep_objects_written_total", action="stagedDelete", result="held") == 2


def test_metrics_need_the_token_and_are_off_without_one(contoso: Lockstep, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    page = Page(f"http://127.0.0.1:{port}/metrics")
    with process("lockstep", "serve", "--no-worker", "--port", str(port), ready="Lockstep is listening"):
        status, text = page.get(Authorization="Bearer ")
        assert status == 404
        assert "LOCKSTEP_METRICS_TOKEN" in text

    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    with process("lockstep", "serve", "--no-worker", "--port", str(port), ready="Lockstep is listening"):
        for headers in (
            {},
            {"Authorization": "Bearer "},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN}x"},
        ):
            status, text = page.get(**headers)
            assert status == 401
            assert "lockstep_" not in text
        assert page.get(Authorization=f"Bearer {TOKEN}")[0] == 200


def test_worker_shows_its_own_requests_and_leaves_the_database_to_the_server(
    connected: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    port = free_port()
    page = Page(f"http://127.0.0.1:{port}/metrics", TOKEN)
    with process("lockstep", "worker", "--health-port", str(port), ready="Lockstep worker started"):
        assert connected("start", "documo").code == 0
        figures = page.until(
            lambda one: (one.value("lockstep_application_request_seconds_count", status="2xx") or 0) >= 2
        )
        assert figures.value("lockstep_job_state") is None
        assert figures.value("lockstep_objects_written_total") is None


def test_short_token_is_refused(contoso: Lockstep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", "letmein")
    said = contoso("status")
    assert said.code != 0
    assert "LOCKSTEP_METRICS_TOKEN" in said.err
    assert "letmein" not in said.err


def test_every_figure_is_documented_and_every_documented_one_is_shown(
    contoso: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented = set(re.findall(r"^\| `(lockstep_\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    monkeypatch.setenv("LOCKSTEP_METRICS_TOKEN", TOKEN)
    port = free_port()
    with process("lockstep", "serve", "--no-worker", "--port", str(port), ready="Lockstep is listening"):
        text = Page(f"http://127.0.0.1:{port}/metrics", TOKEN).scrape().text

    shown = set(re.findall(r"^# TYPE (lockstep_\w+)", text, re.MULTILINE))

    assert {name for name in shown if not name.endswith("_created")} == documented


def test_alerts_ask_for_figures_that_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    rules = [rule for block in re.findall(r"```yaml\n(groups:.*?)```", page, re.DOTALL) for group in yaml.safe_load(block)["groups"]
             for rule in group["rules"]]  # fmt: skip
    asked = {name for rule in rules for name in re.findall(r"\b(?:lockstep|documo)_\w+", rule["expr"])}

    assert len(rules) > 10
    assert {name.removesuffix("_bucket") for name in asked} <= documented
