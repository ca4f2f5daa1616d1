"""The cause of a write, as the log record names it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockstep.engine.plans import Plan
from lockstep.engine.records import Action, ObjectKind, Reason
from lockstep.sync.outcome.causes import cause_of

PLAN = Plan(
    Action.UPDATE, (Reason("Changed", "title differs."),), kind=ObjectKind.USER, source_id="p-1", display="somebody"
)


@pytest.mark.parametrize(
    ("cause", "marks", "words"),
    [
        ("unassigned", ["changed"], "left the scope: no longer assigned"),
        ("filtered", ["changed"], "left the scope: the scoping filters"),
        (
            "filtered",
            ["configuration", "approved"],
            "left the scope: the scoping filters; approved by an administrator",
        ),
        ("disabled", ["disabled"], "disabled in the directory"),
        ("deleted", ["deleted"], "deleted in the directory"),
        ("", ["initialCycle", "changed"], "changed in the directory"),
        ("", ["configuration"], "the configuration changed"),
        ("", ["approved"], "approved by an administrator"),
        ("", ["lateAnswer"], ""),
    ],
)
def test_cause_is_what_the_plan_knows_and_then_why_the_object_was_looked_at(
    cause: str, marks: list[str], words: str
) -> None:
    assert cause_of(replace(PLAN, cause=cause), marks, initiated_by="system") == words


def test_drift_is_the_cause_of_what_only_the_application_changed() -> None:
    plan = replace(PLAN, reports_drift=True)

    assert cause_of(plan, ["initialCycle"], initiated_by="system") == "changed in the application"


def test_person_who_provisions_somebody_by_name_is_the_cause() -> None:
    assert cause_of(PLAN, ["onDemand"], initiated_by="anna") == "provisioned on demand by anna"
