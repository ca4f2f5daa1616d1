"""The difference between the desired account and the application's current values."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.engine.decisions.diff import changes_between
from lockstep.engine.records import Change
from tests.engine.decision_cases import configuration, name_of, rows, users


def frozen(value: Any) -> Any:
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


@pytest.mark.parametrize("row", rows("diff.jsonl"), ids=name_of)
def test_difference(row: dict[str, Any]) -> None:
    target = row.get("target", "title")
    extra = {"attributeList": [{"name": target, **row["list"]}]} if "list" in row else {}
    config = configuration({"target": target, "source": "x", **row.get("map", {})}, mapping=extra)
    desired = {target: frozen(row["desired"])} if "desired" in row else {}
    held = {} if row["held"] is None else {target: frozen(row["held"])}

    changes = changes_between(desired, held, cleared=[target] if row.get("cleared") else (), mapping=users(config))

    old, new = row["change"] or (None, None)
    change = Change(target, frozen(old), frozen(new), added=frozen(row.get("added", [])))
    assert changes == ((change,) if row["change"] else ())


def test_changes_come_in_the_order_of_the_mapping() -> None:
    config = configuration({"target": "title", "source": "a"}, {"target": "nickName", "source": "b"})

    changes = changes_between({"nickName": "2", "title": "1"}, {}, mapping=users(config))

    assert [change.path for change in changes] == ["title", "nickName"]


def test_redacted_change_says_so() -> None:
    config = configuration(
        {"target": "title", "source": "a", "redact": True}, {"target": "nickName", "expression": "Redact([b])"}
    )

    changes = changes_between({"nickName": "2", "title": "1"}, {}, mapping=users(config))

    assert [change.redacted for change in changes] == [True, True]
