"""Choose values that are not yet in use in the application (SelectUniqueValue): list the candidates that the application is asked about,
and report the choice.

Candidates are tried in order. Pass the values that are in use to `make_plan` as *taken*, keyed by target path. Only objects that get a new
account have candidates, because a value is never chosen again for an existing account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.matching import MatchQuery
from lockstep.engine.decisions.prepare import PreparedObject, recreates
from lockstep.engine.expressions import EvaluationContext, ExpressionError
from lockstep.engine.plans import Step, StepStatus, StepType
from lockstep.engine.records import Reason, Values
from lockstep.engine.rules.generated import label_of
from lockstep.engine.rules.mappings import AttributeMapping, Expression, ObjectMapping

CODE = "EntryConflict"


def unique_mappings(mapping: ObjectMapping | None) -> tuple[AttributeMapping, ...]:
    """Return the mappings that choose unique values. For most applications there are none."""
    return tuple(attribute for attribute in mapping.flowing if attribute.is_unique) if mapping is not None else ()


def unique_candidates(prepared: PreparedObject) -> tuple[MatchQuery, ...]:
    """Return one query per candidate and target attribute. There are no queries if the object already has an account or does not get
    one.
    """
    if prepared.intent.kind is not IntentKind.PROVISION or (prepared.is_linked and not recreates(prepared)):
        return ()
    return tuple(
        MatchQuery(attribute.target, value, 0)
        for attribute in unique_mappings(prepared.mapping)
        for value in _candidates(attribute, prepared)
    )


def all_taken(prepared: PreparedObject, taken: Mapping[str, Collection[str]]) -> Reason | None:
    """Return the reason if all candidates of one of the mappings are in use, otherwise None."""
    for attribute in unique_mappings(prepared.mapping):
        candidates = _candidates(attribute, prepared)
        if candidates and all(value in taken.get(attribute.target, ()) for value in candidates):
            many = len(candidates) > 1
            which = f"all {len(candidates)} values" if many else "the only value"
            text = f"No unused value is left for {attribute.target}: {which} of its mapping ({_shown(attribute, candidates)})"
            text += f" {'are' if many else 'is'} already in use in the application."
            next_step = "Add another rule to SelectUniqueValue, or change the value of one of the two people."
            return Reason(CODE, text, {"attribute": attribute.target}, next_step)
    return None


def unique_steps(prepared: PreparedObject, values: Values, taken: Mapping[str, Collection[str]]) -> tuple[Step, ...]:
    """Return a log step for each chosen value that is not the first candidate, because the candidates before it are in use."""
    steps = []
    for attribute in unique_mappings(prepared.mapping):
        chosen = values.get(attribute.target)
        candidates = _candidates(attribute, prepared)
        passed = candidates[: candidates.index(chosen)] if isinstance(chosen, str) and chosen in candidates else ()
        if not passed or any(value not in taken.get(attribute.target, ()) for value in passed):
            continue
        are = "are" if len(passed) > 1 else "is"
        text = f"{attribute.target} is set to {_shown(attribute, (chosen,))}: {_shown(attribute, passed)} {are} already in use."
        steps.append(Step("EntryUniqueValue", StepType.PROCESSING, StepStatus.SUCCESS, text, {}))
    return tuple(steps)


def _shown(attribute: AttributeMapping, values: Collection[object]) -> str:
    return "[Redact]" if attribute.is_redacted else ", ".join(f'"{value}"' for value in values)


def _candidates(attribute: AttributeMapping, prepared: PreparedObject) -> tuple[str, ...]:
    if not isinstance(attribute.source, Expression):
        return ()
    label = label_of(attribute.target, prepared.obj.id)
    context = EvaluationContext(prepared.moment, (), prepared.configuration.default_domain, label)
    try:
        return attribute.source.compiled.unique_candidates(prepared.record, context)
    except ExpressionError:
        # Evaluating the mapping itself fails in the same way and reports the error.
        return ()
