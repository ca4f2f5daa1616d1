"""When a job goes into quarantine, and how it gets out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lockstep.engine.decisions.quarantine import (
    Health,
    QuarantineReason,
    decide_quarantine,
    holds_everything,
    next_attempt,
)
from tests.engine.decision_cases import MOMENT, NOW, name_of, rows


@pytest.mark.parametrize("row", rows("quarantine.jsonl"), ids=name_of)
def test_quarantine(row: dict[str, Any]) -> None:
    flags = dict.fromkeys(row.get("flags", ()), True)
    health = Health(row["successes"], row["failures"], row.get("references", 0), **flags)

    assert decide_quarantine(health) == row["reason"]


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 40), (2, 80), (5, 640), (6, 1280), (7, 1440), (50, 1440)])
def test_attempts_slow_down_to_once_a_day(attempt: int, minutes: int) -> None:
    assert next_attempt(QuarantineReason.PROPORTION, attempt, MOMENT) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 5), (2, 10), (4, 40), (5, 60), (50, 60)])
def test_credentials_are_probed_hourly_while_leavers_wait(attempt: int, minutes: int) -> None:
    at = next_attempt(QuarantineReason.EXCEPTION, attempt, MOMENT, leavers_waiting=True)

    assert at == NOW + timedelta(minutes=minutes)


def test_credentials_are_probed_daily_when_nobody_waits() -> None:
    assert next_attempt(QuarantineReason.EXCEPTION, 50, MOMENT) == NOW + timedelta(days=1)


def test_only_refused_credentials_hold_leavers_back() -> None:
    assert [reason for reason in QuarantineReason if holds_everything(reason)] == [QuarantineReason.EXCEPTION]


def test_what_may_pass_by_itself_is_probed_hourly() -> None:
    assert next_attempt(QuarantineReason.EXCEPTION, 50, MOMENT, needs_somebody=False) == NOW + timedelta(hours=1)
