"""Build the link that is stored after a plan has been carried out: its base, and the references that cannot be set yet.

The base contains the values that are known to have been accepted. These are the returned values and, for attributes that the response
omits, the sent values. A value that is missing from the response is not an empty value.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.mapping import base_after, held_values
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.settlement import SentOperation
from lockstep.engine.plans import Plan
from lockstep.engine.records import Account, Action, Link, LinkState, Values
from lockstep.engine.rules.mappings import Drift, Expression, ObjectMapping
from lockstep.engine.rules.sealing import holds_secret, without_secrets
from lockstep.ports import Answer
from lockstep.storage.references import WaitingReference
from lockstep.sync.outcome import kept_values
from lockstep.sync.planning.planner import PlanResult


def touches_link(planned: PlanResult) -> bool:
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
        or bool(plan.withheld and link.desired_hash)
        or kept_values.is_news(planned)
        or holds_secret(link.base, planned.prepared.mapping)
    )


def becomes_lost(planned: PlanResult) -> bool:
    link = planned.prepared.link
    return planned.plan.link_state is LinkState.LOST and link is not None and link.state is not LinkState.LOST


def link_after(planned: PlanResult, answer: Answer | None) -> Link | None:
    """Return the link after the plan was carried out, or None if there is no account to link."""
    plan, prepared = planned.plan, planned.prepared
    account = answer.account if answer is not None else None
    target_id = account.id if account is not None else plan.link_to.id if plan.link_to else plan.target_id
    if not target_id or plan.link_state is None or planned.is_stray:
        return None
    etag = account.etag if account is not None else planned.current.etag if planned.current else ""
    has_link = prepared.link is not None and (prepared.is_linked or prepared.link.is_sought)
    old = prepared.link if has_link and prepared.link and prepared.link.target_id == target_id else None
    return Link(
        kind=plan.kind,
        source_id=plan.source_id,
        target_id=target_id,
        state=plan.link_state,
        base=without_secrets(_base(planned, old, answer), prepared.mapping),
        desired_hash="" if plan.withheld else plan.desired_hash or (old.desired_hash if old else ""),
        config_version=prepared.configuration.version,
        etag=etag,
        generated={**(old.generated if old else {}), **plan.mapped.generated},
        review_at=plan.review_at,
        cause=plan.cause,
        display=plan.display,
        answers=kept_values.answers_of(planned, old, answer),
        matched_by=plan.matched_by or (old.matched_by if old and plan.action is not Action.CREATE else ""),
        is_forgotten=old is not None and old.is_forgotten,
        gone_at=plan.gone_at,
    )


def made_link(
    prepared: PreparedObject, account: Account, base: Values, made_by: SentOperation | None, *, matched_by: str = ""
) -> Link:
    """Return the link to an account that an operation with unknown outcome has created or adopted. The next plan starts from *base*."""
    return Link(
        prepared.obj.kind,
        prepared.obj.id,
        account.id,
        LinkState.LIVE,
        without_secrets(base, prepared.mapping),
        config_version=prepared.configuration.version,
        etag=account.etag,
        generated=_generated(prepared.mapping, made_by) if made_by is not None and prepared.mapping is not None else {},
        cause=prepared.intent.cause,
        display=prepared.obj.display,
        matched_by=matched_by,
    )


def _generated(mapping: ObjectMapping, made_by: SentOperation) -> Values:
    """Return the values that were generated for the account and must not change later."""
    return {
        one.target: {"value": made_by.after[one.target], "expression": one.source.compiled.text}
        for one in mapping.flowing
        if one.is_generated and isinstance(one.source, Expression) and made_by.after.get(one.target) is not None
    }


def _base(planned: PlanResult, old: Link | None, answer: Answer | None) -> Mapping[str, Any]:
    mapping = planned.prepared.mapping
    if mapping is None:
        return old.base if old else {}
    plan: Plan = planned.plan
    seen = planned.current
    base: Values = {**(old.base if old else {}), **(held_values(mapping, seen.resource) if seen else {})}
    cleared = {change.path for change in plan.changes if change.new is None}
    sent = {change.path: change.new for change in plan.changes if change.new is not None}
    if plan.changes:
        base = base_after(base, sent, cleared, _returned(mapping, answer))
    return {**base, **_not_agreed(planned, old, base, sent.keys() | cleared)}


def _returned(mapping: ObjectMapping, answer: Answer | None) -> Values:
    """Return the mapped values in the response to the write."""
    if answer is None or answer.account is None:
        return {}
    return answer.held if answer.held is not None else held_values(mapping, answer.account.resource)


def _not_agreed(planned: PlanResult, old: Link | None, base: Values, written: Set[str]) -> Values:
    """Return the values that the application itself changed and that the mapping does not correct. The two sides never agreed on these
    values, so they stay visible as drift.
    """
    mapping = planned.prepared.mapping
    if (
        old is None
        or mapping is None
        or old.state is not LinkState.LIVE
        or planned.plan.link_state is not LinkState.LIVE
    ):
        return {}
    desired = planned.plan.mapped.values
    return {
        one.target: old.base[one.target]
        for one in mapping.flowing
        if one.drift is not Drift.ENFORCE
        and one.target not in written
        and one.target in old.base
        and one.target in desired
        and same_value(old.base[one.target], desired[one.target], one)
        and not same_value(base.get(one.target), desired[one.target], one)
    }


def waiting_references(planned: PlanResult) -> tuple[WaitingReference, ...] | None:
    """Return the references to objects without an account. Returns None if the mapping has no references and there are no stored ones to
    replace.
    """
    plan, mapping = planned.plan, planned.prepared.mapping
    if mapping is None or not any(attribute.is_reference for attribute in mapping.flowing):
        return None
    return tuple(
        WaitingReference(plan.kind, plan.source_id, path, missing) for path, missing in plan.mapped.missing_references
    )
