"""What a plan that was carried out makes of the link: the base both sides agree on now, and whom the object waits for. Pure.

The base is what is known to have been accepted: what was sent, overlaid with what came back. Absent is not empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.engine.mapping import base_after, held_values
from lockstep.engine.records import Link, LinkState, Plan
from lockstep.ports import Answer
from lockstep.storage.batches import Row
from lockstep.sync.planner import Planned


def touches_link(planned: Planned) -> bool:
    plan, link = planned.plan, planned.prepared.link
    if plan.link_state is None or not (plan.target_id or plan.link_to):
        return False
    if plan.link_to is not None or link is None:
        return plan.link_to is not None
    return (
        link.state is not plan.link_state
        or (plan.link_state is LinkState.DISABLED and link.cause != plan.cause)
        or link.review_at != plan.review_at
        or bool(plan.desired_hash and link.desired_hash != plan.desired_hash)
    )


def becomes_lost(planned: Planned) -> bool:
    link = planned.prepared.link
    return planned.plan.link_state is LinkState.LOST and link is not None and link.state is not LinkState.LOST


def link_row(planned: Planned, answer: Answer | None) -> Row | None:
    """The link once the plan is carried out; None where there is no account to link."""
    plan, prepared = planned.plan, planned.prepared
    account = answer.account if answer is not None else None
    target_id = account.id if account is not None else plan.link_to.id if plan.link_to else plan.target_id
    if not target_id or plan.link_state is None:
        return None
    etag = account.etag if account is not None else planned.current.etag if planned.current else ""
    old = prepared.link if prepared.is_linked and prepared.link and prepared.link.target_id == target_id else None
    return {
        "kind": plan.kind.value,
        "source_id": plan.source_id,
        "target_id": target_id,
        "state": plan.link_state.value,
        "display": plan.display,
        "base": _base(planned, old, account.resource if account is not None else None),
        "desired_hash": plan.desired_hash or (old.desired_hash if old else ""),
        "config_version": prepared.configuration.version,
        "etag": etag,
        "generated": {**(old.generated if old else {}), **plan.generated},
        "cause": plan.cause,
        "review_at": plan.review_at,
        "is_forgotten": old is not None and old.is_forgotten,
    }


def _base(planned: Planned, old: Link | None, returned: Mapping[str, Any] | None) -> Mapping[str, Any]:
    mapping = planned.prepared.mapping
    if mapping is None:
        return old.base if old else {}
    plan: Plan = planned.plan
    seen = planned.current
    base = {**(old.base if old else {}), **(held_values(mapping, seen.resource) if seen else {})}
    if not plan.changes:
        return base
    cleared = {change.path for change in plan.changes if change.new is None}
    sent = {change.path: change.new for change in plan.changes if change.new is not None}
    return base_after(mapping, base, sent, cleared, returned)


def waiting_rows(planned: Planned) -> tuple[Row, ...] | None:
    """Whom the object waits for; None where its mapping has no references, so that nothing needs to be forgotten."""
    plan, mapping = planned.plan, planned.prepared.mapping
    if mapping is None or not any(attribute.is_reference for attribute in mapping.flowing):
        return None
    return tuple(
        {"kind": plan.kind.value, "holder": plan.source_id, "attribute": path, "missing": missing}
        for path, missing in plan.missing_references
    )
