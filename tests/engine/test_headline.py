"""One sentence on the state of provisioning, and "in step" only if that is true."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.engine.decisions.headline import Facts, headline, worst_exit_code

ROWS: list[tuple[dict[str, Any], str, int, str]] = [
    ({}, "inStep", 0, "In step."),
    (
        {"is_on": False, "is_started": False, "signs_on": True},
        "signOnOnly", 0, "Used for single sign-on only: accounts are not provisioned.",
    ),
    ({"is_on": False, "is_started": False}, "notSwitchedOn", 6, "Provisioning has not been switched on yet."),
    (
        {"is_on": False, "paused_by": "kim", "waiting": 1},
        "paused", 6, "Paused by kim: nothing is sent until it is switched on. 1 object waits.",
    ),
    ({"is_on": False}, "paused", 6, "Provisioning is off: nothing is sent until it is switched on."),
    (
        {"quarantine": "The key was revoked", "quarantine_holds_all": True, "has_worker": False, "next_attempt": "in 5 minutes"},
        "quarantined", 6, "In quarantine: The key was revoked. Nothing is sent. The next attempt is in 5 minutes.",
    ),
    ({"has_worker": False, "waiting": 2}, "noWorker", 69, "No worker is running, so nothing is sent. 2 objects wait."),
    ({"has_worker": False}, "noWorker", 69, "No worker is running, so nothing is sent."),
    (
        {"trouble": "Documo cannot be reached: connection refused", "trouble_for": "2 minutes", "failing": 3},
        "noAnswer", 69, "Documo cannot be reached: connection refused. This has lasted for 2 minutes.",
    ),
    (
        {"quarantine": "15 of 30 objects fail", "slowed": 4, "failing": 15},
        "slowed", 6, "In quarantine: 15 of 30 objects fail. Only people who lose access are processed. 4 objects wait.",
    ),
    ({"held": 501, "failing": 2}, "held", 6, "501 writes wait for approval."),
    (
        {"held": 2, "has_worker": False, "waiting": 1},
        "held", 6, "2 writes wait for approval. No worker is running, so nothing is sent. 1 object waits.",
    ),
    (
        {"held": 2, "trouble": "Documo cannot be reached: connection refused."},
        "held", 6, "2 writes wait for approval. Documo cannot be reached: connection refused.",
    ),
    ({"held": 1}, "held", 6, "1 write waits for approval."),
    ({"maybe_created": 1}, "maybeCreated", 3, "Whether 1 account was created is not known yet."),
    ({"cycle": "initial", "done": 3, "total": 9, "failing": 1, "had_cycle": False}, "running", 0, "Initial cycle: 3 of 9 objects."),
    (
        {"is_on": False, "preview": 7, "cycle": "initial", "done": 3, "total": 9},
        "running", 0, "Applying preview 7: 3 of 9 objects.",
    ),
    ({"is_on": False, "is_started": False, "signs_on": True, "preview": 7, "cycle": "initial"}, "running", 0, "Applying preview 7."),
    (
        {"is_on": False, "preview": 7, "cycle": "initial", "done": 3, "total": 9, "held": 2},
        "held", 6, "2 writes wait for approval. Applying preview 7: 3 of 9 objects.",
    ),
    (
        {"is_on": False, "preview": 7, "cycle": "initial", "has_worker": False, "waiting": 2},
        "noWorker", 69, "No worker is running, so nothing is sent. 2 objects wait.",
    ),
    ({"failing": 1}, "failing", 3, "1 object fails and will be retried."),
    (
        {"failing": 12, "leavers_failing": 2},
        "failing", 3, "12 objects fail and will be retried. 2 of them should have lost access.",
    ),
    ({"rejected": 29}, "rejected", 3, "In step, except for 29 writes that were rejected: those accounts stay active."),
    ({"had_cycle": False}, "firstCycle", 0, "The first cycle has not ended yet."),
    ({"waiting": 1}, "waiting", 0, "1 object is being processed."),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "standing", "exit_code", "sentence"), ROWS)
def test_headline(facts: dict[str, Any], standing: str, exit_code: int, sentence: str) -> None:
    found = headline(Facts("documo", **facts))

    assert (found.standing, found.exit_code, found.sentence) == (standing, exit_code, sentence)


@pytest.mark.parametrize(("facts", "standing"), [(row[0], row[1]) for row in ROWS])
def test_whatever_needs_somebody_says_what_to_do(facts: dict[str, Any], standing: str) -> None:
    found = headline(Facts("documo", **facts))

    assert bool(found.next_step) == (found.exit_code != 0)


@pytest.mark.parametrize(
    ("codes", "worst"), [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 6, 0], 6), ([6, 69, 3], 69), ([69, 6], 69)]
)
def test_exit_code_of_several_applications_is_the_worst(codes: list[int], worst: int) -> None:
    given = {0: Facts("a"), 3: Facts("a", failing=1), 6: Facts("a", held=1), 69: Facts("a", has_worker=False)}

    assert worst_exit_code(headline(given[code]) for code in codes) == worst


def test_changes_are_said_to_be_sent_where_they_are() -> None:
    assert headline(Facts("documo", held=3, failing=1)).sends


@pytest.mark.parametrize("name", ["notSwitchedOn", "paused", "quarantined", "noWorker", "noAnswer", "slowed"])
def test_changes_are_not_said_to_be_sent_where_they_are_not(name: str) -> None:
    facts = next(row[0] for row in ROWS if row[1] == name)

    assert not headline(Facts("documo", **facts)).sends
