"""What becomes of a write that somebody rejected: the same effect is not sent again, until somebody lets it go.

A rejection is about what the write would do to the account, not about the write: another change of the person must not carry it out.
It ends when the person's plan does nothing of the kind any more, or when somebody approves it or provisions the person by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from lockstep.engine.decisions.safeguards import GuardCode, hold_anew
from lockstep.engine.records import Action, Plan, Reason, Step, StepStatus, StepType
from lockstep.engine.rules.operators import is_empty, text_of

REJECTED = "Rejected"
Effects = frozenset[tuple[str, str]]  # the code of a guard, and what it minds in one write


@dataclass(frozen=True, slots=True)
class Rejection:
    """The newest rejection of one object that has not ended. *effects* are those of the write that was rejected."""

    action: str
    effects: Effects
    by: str
    at: datetime


def guarded_effects(plan: Plan) -> Effects:
    """What *plan*, or the write that it keeps back, would do that a guard minds; two writes are alike where this is equal."""
    return frozenset(_effects(replace(plan, action=plan.held_action) if plan.held_action is not None else plan))


def keep_rejected(plan: Plan, rejection: Rejection, *, app: str) -> Plan | None:
    """What *rejection* makes of *plan*; None where the plan does nothing of the kind, so that the rejection has ended.

    Where all of it was rejected nothing is sent, not even the harmless part. Where only some of it was, or where it is of the same
    kind (another role, a deletion in place of a disable), it waits for a decision, whatever the limits are.
    """
    effects = guarded_effects(plan)
    if not {code for code, _ in effects} & {code for code, _ in rejection.effects}:
        return None
    if effects <= rejection.effects:
        return _left_out(plan, rejection, app)
    return hold_anew(plan, f"the {rejection.action} of this account was rejected before")


def _effects(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.claims_privileged and plan.link_to is not None:
        yield GuardCode.MATCH.value, plan.link_to.id
    if not plan.action.writes:
        return
    if plan.ends_access:
        yield GuardCode.LOSSES.value, "delete" if plan.action is Action.DELETE else "switch off"
    for power in plan.grants:
        yield GuardCode.GRANTS.value, power
    for change in plan.changes:
        if plan.empties and is_empty(change.new):
            yield GuardCode.EMPTIED.value, change.path
        if change.path in plan.renames:
            yield GuardCode.RENAMES.value, change.path if change.redacted else f"{change.path} {text_of(change.new)}"


def _left_out(plan: Plan, rejection: Rejection, app: str) -> Plan:
    text = f"The {rejection.action} was rejected by {rejection.by or 'somebody'} on {rejection.at:%Y-%m-%d %H:%M} UTC: it is not sent."
    step = f"To send it after all: lockstep deletes approve {app} --rejected --user {plan.display}"
    shown = Step("EntrySynchronizationHold", StepType.PROCESSING, StepStatus.SKIPPED, text)
    return replace(
        plan,
        action=Action.SKIP,
        held_action=plan.action,
        reasons=(Reason(REJECTED, text, {}, step), *plan.reasons),
        steps=(*plan.steps, shown),
        link_state=None,  # the link stays as it is
    )
