"""Plans, explanations and the consequences of a change, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from lockstep.actions.consequences import Consequences
from lockstep.actions.previews import change_json, step_json
from lockstep.engine.decisions.effects import Effect
from lockstep.engine.decisions.explain import Explanation
from lockstep.engine.plans import Plan


class PlanJson(TypedDict):
    id: str
    name: str
    kind: str
    action: str
    reason: str
    reasonCode: str
    nextStep: str
    targetId: str
    modifiedProperties: list[dict[str, Any]]
    provisioningSteps: list[dict[str, Any]]


class GateJson(TypedDict):
    name: str
    state: str
    text: str


class ExplanationJson(TypedDict):
    application: str
    verdict: str
    sentence: str
    gates: list[GateJson]
    counterfactual: str
    notes: list[str]
    plan: PlanJson


class EffectJson(TypedDict):
    """One effect of a change on the people or groups of one application. A warning has neither *count* nor *names*."""

    application: str
    kind: str
    effect: str
    what: str
    count: NotRequired[int]
    names: NotRequired[list[str]]


def plan_json(plan: Plan) -> PlanJson:
    """Return a plan as JSON. Redacted values stay redacted."""
    return {
        "id": plan.source_id,
        "name": plan.display,
        "kind": plan.kind.value,
        "action": plan.action.value,
        "reason": plan.reason.text,
        "reasonCode": plan.reason.code,
        "nextStep": plan.reason.next_step,
        "targetId": plan.target_id or (plan.link_to.id if plan.link_to else ""),
        "modifiedProperties": [change_json(change) for change in plan.changes],
        "provisioningSteps": [step_json(step) for step in plan.steps],
    }


def explanation_json(app: str, plan: Plan, why: Explanation) -> ExplanationJson:
    return {
        "application": app,
        "verdict": why.verdict,
        "sentence": why.sentence,
        "gates": [{"name": gate.name, "state": gate.state.value, "text": gate.text} for gate in why.gates],
        "counterfactual": why.counterfactual,
        "notes": list(why.notes),
        "plan": plan_json(plan),
    }


def effects_json(found: Sequence[Consequences]) -> list[EffectJson]:
    """Return the consequences of a change as JSON, with all names."""
    rows: list[EffectJson] = []
    for one in found:
        rows += [
            {
                "application": one.app,
                "kind": one.kind.value,
                "effect": effect.value,
                "count": one.count(effect),
                "what": one.words.get(effect, ""),
                "names": list(one.names[effect]),
            }
            for effect in Effect
            if effect in one.names
        ]
        rows += [
            {"application": one.app, "kind": one.kind.value, "effect": "warning", "what": finding.message}
            for finding in one.findings
        ]
    return rows
