"""Determine from an account whether an unanswered operation took effect. Pure; `lockstep.sync.drain.settling` reads the account.

The journal decides. It has the values that were sent, the account that they were sent to, and queries for that account. The present plan is
not used: the person may have been renamed, disabled or purged since then, but still owns the account that our create made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.matching import MatchQuery, folded, matching_value
from lockstep.engine.records import Account, Action, Value, Values
from lockstep.engine.rules.mappings import Drift, ObjectMapping
from lockstep.engine.rules.operators import text_of
from lockstep.scim.target_values import MISSING, read_path


@dataclass(frozen=True, slots=True)
class SentOperation:
    """An operation from the journal. None as a value in *after* means that the operation cleared this path. Redacted values are left out.

    *queries* find the account of a create. *target_id* is the id of the account that was written. If a late response named an account,
    *target_id* is the id in that response.
    """

    id: str
    action: str
    target_id: str
    after: Values
    queries: tuple[MatchQuery, ...] = ()

    @property
    def is_delete(self) -> bool:
        return self.action == Action.DELETE


def sent(
    id: str,
    action: str,
    target_id: str,
    after: Mapping[str, Any] | None,
    queries: Sequence[Mapping[str, str]] | None,
    mapping: ObjectMapping | None,
) -> SentOperation:
    """Build the operation from a journal row. Rows written by older versions have no queries; for them, queries are built from the sent
    values.
    """
    values = {path: _frozen(value) for path, value in (after or {}).items()}
    asked = [(one["attribute"], one["value"]) for one in queries or ()]
    if not asked and mapping is not None:
        matching = [attribute.target for attribute in mapping.matching]
        asked = [(path, text_of(values[path])) for path in matching if values.get(path) not in (None, "")]
    numbered = tuple(MatchQuery(attribute, value, number) for number, (attribute, value) in enumerate(asked, 1))
    return SentOperation(id, action, target_id, values, numbered)


def may_be_made_by(operation: SentOperation, account: Account, found_by: MatchQuery) -> bool:
    """Whether the create *operation* may have made *account*, which the query *found_by* returned.

    The matching attributes before the attribute of *found_by* are compared. The create cannot have made the account if the account has a
    different value in one of them.
    """
    for query in operation.queries:
        if query == found_by:
            return True
        shown = matching_value(account.resource, query.attribute)
        if shown is not None and shown != folded(query.attribute, query.value):
            return False
    return True


def answers_to(queries: Sequence[MatchQuery], account: Account) -> bool:
    """Whether *account* has the values for matching that *queries* contain. Attributes that *account* does not show are ignored."""
    for query in queries:
        shown = matching_value(account.resource, query.attribute)
        if shown is not None and shown != folded(query.attribute, query.value):
            return False
    return True


def resembles(operation: SentOperation, account: Account, mapping: ObjectMapping) -> bool:
    """Whether the values that *account* shows are those that the create sent. At least one of the sent values must be shown. Matching
    values are not compared, because some applications rewrite them.
    """
    matching = {attribute.target for attribute in mapping.matching}
    shown = {path: value for path, value in _shown(operation.after, account).items() if path not in matching}
    return bool(shown) and all(_is_same(mapping, path, value, operation.after[path]) for path, value in shown.items())


def took_effect(operation: SentOperation, account: Account | None, mapping: ObjectMapping | None) -> bool:
    """Whether *account* shows that a change or deletion took effect. A deletion took effect if *account* is None. Written attributes that
    *account* does not show are ignored. However, the result is true only if at least one written attribute is shown or was to be cleared.
    """
    if operation.is_delete or account is None:
        return operation.is_delete and account is None
    shown = _shown(operation.after, account)
    cleared = [path for path, value in operation.after.items() if value is None]
    if any(not _is_gone(account, path) for path in cleared):
        return False
    return bool(shown or cleared) and all(
        _is_same(mapping, path, value, operation.after[path]) for path, value in shown.items()
    )


def base_of_made(operation: SentOperation, account: Account, mapping: ObjectMapping | None) -> Values:
    """Return the agreed values of an account that Lockstep created: the sent values, in the spelling that the application returned. Mapped
    values that Lockstep did not send, but that *account* has, are included.

    If a mapping tolerates drift, the sent value is used instead of the returned value. Otherwise a change by the application would count as
    agreed.
    """
    sent_values = {path: value for path, value in operation.after.items() if value is not None}
    if mapping is None:
        return sent_values
    left_alone = {one.target for one in mapping.flowing if one.drift is not Drift.ENFORCE}
    held = held_values(mapping, account.resource)
    return {
        **sent_values,
        **{path: value for path, value in held.items() if path not in left_alone & sent_values.keys()},
    }


def base_after_change(
    base: Values, operation: SentOperation, account: Account, mapping: ObjectMapping | None
) -> Values:
    """Update *base* from *account*, which was read after a change with an unknown outcome. At each path that was sent, a value that the
    account shows counts as agreed.

    If the account does not show a sent value, that value counts as agreed if the change took effect. Otherwise the value is removed from
    *base*, so that it is written again.
    """
    took = took_effect(operation, account, mapping)
    known = {path: value for path, value in base.items() if path not in operation.after}
    for path, value in operation.after.items():
        shown = read_path(account.resource, path)
        if shown is not MISSING:
            known[path] = _frozen(shown)
        elif took and value is not None:
            known[path] = value
    return known


def is_switched_off(account: Account) -> bool:
    """Whether the account shows that it is disabled."""
    shown = read_path(account.resource, "active")
    return shown is not MISSING and text_of(_frozen(shown)).lower() == "false"


def _shown(values: Values, account: Account) -> Values:
    """Return the values that *account* has at the paths in *values*."""
    found = {path: read_path(account.resource, path) for path, value in values.items() if value is not None}
    return {path: _frozen(value) for path, value in found.items() if value is not MISSING}


def _is_same(mapping: ObjectMapping | None, path: str, one: Value, other: Value) -> bool:
    attribute = mapping.by_target.get(path) if mapping is not None else None
    if attribute is None:
        return text_of(one).casefold() == text_of(other).casefold()
    return same_value(one, other, attribute)


def _is_gone(account: Account, path: str) -> bool:
    shown = read_path(account.resource, path)
    return shown is MISSING or shown in (None, "", [])


def _frozen(value: Any) -> Value:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
