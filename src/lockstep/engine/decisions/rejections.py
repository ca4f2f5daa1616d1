"""Apply an administrator's decision about a write: only approved writes are sent, and rejected ones are not sent again.

A decision applies to the effect on the account, not to a single write: another change of the person must not cause the rejected effect.
The decision ends when the person's plan no longer has an effect of that kind, or when an administrator approves the effect or provisions
the person by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from lockstep.engine.decisions.safeguards import hold_regardless
from lockstep.engine.plans import BlockedBy, GuardCode, Plan, Step, StepStatus, StepType
from lockstep.engine.records import Action, Reason
from lockstep.engine.rules.operators import is_empty, text_of

REJECTED = "Rejected"
DELETE, SWITCH_OFF = "delete", "switch off"
GuardedEffects = frozenset[tuple[GuardCode, str]]  # pairs of a guard and an effect that it limits


@dataclass(frozen=True, slots=True)
class Rejection:
    """The newest rejection of one object that is still in force. *effects* are those of the rejected write."""

    action: str
    effects: GuardedEffects
    by: str
    at: datetime


def guarded_effects(plan: Plan) -> GuardedEffects:
    """Return the effects of *plan* that are limited by guards. For a held plan, these are the effects of the write that is held.

    Two writes with equal effects count as the same write.
    """
    return frozenset(_effects(replace(plan, action=plan.held_action) if plan.held_action is not None else plan))


def keep_rejected(plan: Plan, rejection: Rejection, *, app: str) -> Plan | None:
    """Apply *rejection* to *plan*. If the plan has no effect of a rejected kind, the rejection has ended, and the result is None.

    If all effects of the plan were rejected, nothing is sent, not even changes that no guard limits. If the plan also has an effect that
    was not rejected, such as another role, or a deletion instead of a disable, the plan is held for approval, regardless of the limits.
    """
    effects = guarded_effects(plan)
    if not {guard for guard, _ in effects} & {guard for guard, _ in rejection.effects}:
        return None
    if effects <= rejection.effects:
        return _left_out(plan, rejection, app)
    return hold_regardless(plan, f"the {rejection.action} of this account was rejected before")


def hold_unapproved(plan: Plan, approved: GuardedEffects) -> Plan:
    """Return *plan* if all its effects were *approved*; otherwise hold it. An approved deletion also covers a disable.

    The mapping, the person or the account may change between the approval and the write. An approval does not cover such changes.
    """
    covered = set(approved)
    if (GuardCode.LOSSES, DELETE) in covered:
        covered.add((GuardCode.LOSSES, SWITCH_OFF))
    return plan if guarded_effects(plan) <= covered else hold_regardless(plan, "a different write was approved")


def _effects(plan: Plan) -> Iterator[tuple[GuardCode, str]]:
    if plan.claims_privileged and plan.link_to is not None:
        yield GuardCode.MATCH, plan.link_to.id
    if plan.claims_anothers and plan.link_to is not None:
        yield GuardCode.FORMER_OWNER, plan.link_to.id
    if not plan.action.writes:
        return
    if plan.ends_access:
        yield GuardCode.LOSSES, DELETE if plan.action is Action.DELETE else SWITCH_OFF
    for privilege in plan.grants:
        yield GuardCode.GRANTS, privilege
    for change in plan.changes:
        if plan.empties and is_empty(change.new):
            yield GuardCode.EMPTIED, change.path
        if change.path in plan.renames:
            yield GuardCode.RENAMES, change.path if change.redacted else f"{change.path} {text_of(change.new)}"


def _left_out(plan: Plan, rejection: Rejection, app: str) -> Plan:
    text = f"The {rejection.action} was rejected by {rejection.by or 'someone'} on {rejection.at:%Y-%m-%d %H:%M} UTC, so it is not sent."
    step = f"To send it anyway, approve the rejected change: lockstep deletes approve {app} --rejected --user {plan.display}"
    shown = Step("EntrySynchronizationHold", StepType.PROCESSING, StepStatus.SKIPPED, text)
    return replace(
        plan,
        action=Action.SKIP,
        held_action=plan.action,
        blocked_by=BlockedBy.REJECTION,
        reasons=(Reason(REJECTED, text, {}, step), *plan.reasons),
        steps=(*plan.steps, shown),
        link_state=None,  # the link keeps its state
    )
