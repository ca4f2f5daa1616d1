"""Explain a plan as a list of gates that an object must pass. The explanation shows the first gate that failed, and says what would have to
be different for the object to pass.

Every interface shows the same list. The gates after the failed one were not reached, which does not mean that they would pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lockstep.engine.plans import Plan, Step, StepStatus, StepType
from lockstep.engine.records import Action, LinkState, Reason

PROVISIONED = frozenset({Action.CREATE, Action.UPDATE, Action.ENABLE, Action.LINK, Action.NONE})


class GateState(StrEnum):
    OK = "ok"
    FAIL = "FAIL"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    state: GateState
    text: str = ""


class WriteDecision(StrEnum):
    """The decision of a guard or an administrator about the planned write."""

    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Facts that the plan does not contain. *assigned* says how the person is assigned, and with which role.

    *decision* is set if the write waits for approval or was rejected, and *decided* is a sentence about it. *unasked* says why the
    application was not asked. *notes* list other reasons why nothing is sent.
    """

    assigned: str = ""
    notes: tuple[str, ...] = ()
    decision: WriteDecision | None = None
    decided: str = ""
    unasked: str = ""


NOTHING_ELSE = Circumstances()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a plan. *verdict* is a short heading, *sentence* adds the reason, and *counterfactual* says what would change
    the result, or is "".

    *notes* list pending decisions, other reasons why nothing is sent, and whether the application could not be asked.
    """

    verdict: str
    sentence: str
    gates: tuple[Gate, ...]
    counterfactual: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> Gate | None:
        return next((gate for gate in self.gates if gate.state is GateState.FAIL), None)


def explain(plan: Plan, known: Circumstances = NOTHING_ELSE) -> Explanation:
    """Return the explanation of *plan*, with its gates: found, enabled, assigned, scope, match, export. Match and export depend on the
    application.
    """
    reason = plan.reason
    verdict = _verdict(plan, known)
    hint = reason.next_step
    is_counterfactual = hint.startswith("Would be ")
    return Explanation(
        verdict=verdict,
        sentence=f"{verdict}: {reason.text}",
        gates=tuple(_ladder(plan, known)),
        counterfactual=hint if is_counterfactual else "",
        next_step="" if is_counterfactual else hint,
        notes=tuple(note for note in (known.decided, *known.notes, known.unasked) if note),
    )


def _verdict(plan: Plan, known: Circumstances) -> str:
    if plan.action is Action.HELD or (known.decision is WriteDecision.HELD and plan.action.writes):
        return "HELD FOR APPROVAL"
    if known.decision is WriteDecision.REJECTED and plan.action.writes:
        return "REJECTED"
    if known.unasked and plan.action is Action.CREATE:
        return "IN SCOPE, ACCOUNT UNKNOWN"
    if plan.action is Action.REFUSE:
        return "CANNOT BE PROVISIONED"
    verdicts = {
        Action.DISABLE: "TO BE DISABLED",
        Action.DELETE: "TO BE DELETED",
        Action.RELEASE: "TO BE RELEASED",
        Action.SKIP: "NOT PROVISIONED",
        Action.CREATE: "TO BE PROVISIONED",
        Action.LINK: "TO BE LINKED",
    }
    if plan.action is Action.NONE and plan.link_state is LinkState.DISABLED:
        return "DISABLED"
    if plan.action is Action.NONE and plan.cause:
        return "LEFT AS IT IS"
    return verdicts.get(plan.action, "PROVISIONED")


def _ladder(plan: Plan, known: Circumstances) -> Iterator[Gate]:
    scoping = _step(plan, StepType.SCOPING)
    details = scoping.details if scoping else {}
    rows = [
        ("found", True, "found in the directory"),
        (
            "enabled",
            details.get("Active in the source system") != "False",
            _text(plan, "enabled", "enabled, not deleted"),
        ),
        (
            "assigned",
            _reason(plan, "assigned") is None,
            _text(plan, "assigned", known.assigned or "assigned, or everyone is in scope"),
        ),
        (
            "scope",
            details.get("Scoping filter evaluation passed") != "False",
            _text(plan, "scope", "scoping filters pass"),
        ),
        ("match", _matched(plan), _match_text(plan)),
        ("export", plan.action in PROVISIONED, plan.reason.text),
    ]
    failed = False
    for name, passed, text in rows:
        if failed or (known.unasked and name in ("match", "export")):
            yield Gate(name, GateState.NOT_REACHED)
            continue
        failed = not passed
        yield Gate(name, GateState.OK if passed else GateState.FAIL, text)


def _text(plan: Plan, gate: str, otherwise: str) -> str:
    reason = _reason(plan, gate)
    return reason.text if reason else otherwise


def _reason(plan: Plan, gate: str) -> Reason | None:
    return next((reason for reason in plan.reasons if reason.details.get("gate") == gate), None)


def _matched(plan: Plan) -> bool:
    step = _step(plan, StepType.MATCHING)
    return _reason(plan, "match") is None and (step is None or step.status is not StepStatus.FAILURE)


def _match_text(plan: Plan) -> str:
    step = _step(plan, StepType.MATCHING)
    return step.description if step else _text(plan, "match", "nothing to match")


def _step(plan: Plan, kind: StepType) -> Step | None:
    return next((step for step in plan.steps if step.type is kind), None)
