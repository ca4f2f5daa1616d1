"""What a recorded batch adds to the charts: which waiting times, requests and failures count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from lockstep.engine.durations import counted_lengths
from lockstep.storage.activity import WorkDone
from lockstep.storage.dirty import Claim
from lockstep.storage.log_record import LoggedError, LoggedExchange, LogRecord
from lockstep.storage.resume import Resume, Stage
from lockstep.sync.outcome.outcomes import Outcome
from lockstep.sync.outcome.work_done import work_done

AGE = 60.0
ONE = counted_lengths([AGE])


def outcome(counted: str, *, stage: Stage = Stage.FRESH, more: Mapping[str, int] | None = None) -> Outcome:
    claim = Claim(
        "User", "1", 1, (), 1, 7, 0, None, None, Resume(stage), None, datetime(2026, 3, 1, tzinfo=UTC), is_adopted=False
    )  # fmt: skip
    return Outcome(claim, counted, more_counts=more or {})


def work(*outcomes: Outcome, records: tuple[LogRecord, ...] = ()) -> WorkDone:
    return work_done(outcomes, records, {7: AGE})


def record(status: str, code: str, *exchanges: LoggedExchange) -> LogRecord:
    error = LoggedError(code, "") if code else None
    return LogRecord("1", "1", None, "create", status, "User", "1", "", "", "", error=error, exchanges=exchanges)


@pytest.mark.parametrize(
    ("counted", "gained", "lost"),
    [
        ("created", ONE, {}),
        ("linked", ONE, {}),
        ("enabled", ONE, {}),
        ("disabled", {}, ONE),
        ("deleted", {}, ONE),
        ("updated", {}, {}),
        ("unchanged", {}, {}),
        ("failed", {}, {}),
        ("", {}, {}),
    ],
)
def test_access_begins_with_an_account_and_ends_with_its_disabling_or_deletion(
    counted: str, gained: dict[int, int], lost: dict[int, int]
) -> None:
    found = work(outcome(counted))

    assert (found.gained, found.lost) == (gained, lost)


def test_earlier_action_that_turned_out_to_have_worked_counts_too() -> None:
    found = work(outcome("updated", more={"created": 1}))

    assert found.counts == {"updated": 1, "created": 1}
    assert found.gained == ONE


def test_person_who_waited_for_a_date_is_counted_without_a_waiting_time() -> None:
    found = work(outcome("created", stage=Stage.SCHEDULED))

    assert found.counts == {"created": 1}
    assert found.gained == {}


def test_request_that_several_records_share_is_timed_once() -> None:
    own, shared = LoggedExchange("POST", 201, 0.5, ""), LoggedExchange("POST", 201, 0.5, "", shares_request=True)

    assert work(records=(record("success", "", own), record("success", "", shared))).responses == counted_lengths([0.5])


def test_only_failures_are_counted_by_their_code() -> None:
    records = (
        record("failure", "Busy"),
        record("skipped", "NotReady"),
        record("warning", "Odd"),
        record("failure", ""),
    )

    assert work(records=records).failures == {"Busy": 1}


@pytest.mark.parametrize(
    ("done", "is_empty"),
    [
        (work(), True),
        (work(outcome("")), True),
        (work(outcome("created")), False),
        (work(records=(record("failure", "Busy"),)), False),
        (work(records=(record("skipped", "", LoggedExchange("GET", 200, 0.5, "")),)), False),
    ],
)
def test_batch_without_any_figure_is_not_stored(done: WorkDone, is_empty: bool) -> None:
    assert done.is_empty is is_empty
