"""Objects that compete for the same account: one goes first; the others read the application again after its outcome is recorded.

Without this, an object whose create is answered with "already exists" would find the account that another object has just created, and
overwrite it with its own values.
"""

from __future__ import annotations

from lockstep.engine.decisions.matching import folded
from lockstep.engine.records import Action
from lockstep.sync.planning.planner import PlanResult

Key = tuple[str, str, str]


class Contenders:
    """Which attempt of this drain has reserved which account."""

    def __init__(self) -> None:
        self._held: dict[Key, int] = {}  # attempt by key
        self._keys: dict[int, tuple[Key, ...]] = {}

    def enter(self, attempt: int, planned: PlanResult) -> bool:
        """Reserve the account that this plan creates or links until `leave`; False if another attempt has reserved it."""
        keys = _keys(planned)
        if any(self._held.get(key, attempt) != attempt for key in keys):
            return False
        if keys:
            self._keys[attempt] = keys
            self._held.update(dict.fromkeys(keys, attempt))
        return True

    def leave(self, attempt: int) -> None:
        for key in self._keys.pop(attempt, ()):
            del self._held[key]


def _keys(planned: PlanResult) -> tuple[Key, ...]:
    plan = planned.plan
    if plan.link_to is not None:
        return ((plan.kind.value, "", plan.link_to.id),)
    if plan.action is Action.CREATE:
        queries = planned.prepared.queries
        return tuple((plan.kind.value, query.attribute, folded(query.attribute, query.value)) for query in queries)
    return ()
