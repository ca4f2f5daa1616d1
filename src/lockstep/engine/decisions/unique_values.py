"""Choose values that nobody in the application has yet (SelectUniqueValue): what to ask, and what the choice is told as.

The candidates come in the order in which they will be tried. The answers go into `make_plan` as *taken*, by target path. Only whoever gets
an account is asked about: a value that somebody has already is never chosen anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.matching import MatchQuery
from lockstep.engine.decisions.prepare import Prepared, recreates
from lockstep.engine.expressions import EvaluationContext, ExpressionError
from lockstep.engine.records import Reason, Step, StepStatus, StepType, Values
from lockstep.engine.rules.configuration import AttributeMapping, Expression, ObjectMapping
from lockstep.engine.rules.generated import label_of

CODE = "EntryConflict"


def unique_mappings(mapping: ObjectMapping | None) -> tuple[AttributeMapping, ...]:
    """The mappings of unique values, if any: most applications have none, and then nothing is asked."""
    return tuple(attribute for attribute in mapping.flowing if attribute.is_unique) if mapping is not None else ()


def unique_candidates(prepared: Prepared) -> tuple[MatchQuery, ...]:
    """What to ask: each candidate with its target attribute. Empty for whoever has an account or gets none."""
    if prepared.intent.kind is not IntentKind.PROVISION or (prepared.is_linked and not recreates(prepared)):
        return ()
    return tuple(
        MatchQuery(attribute.target, value, 0)
        for attribute in unique_mappings(prepared.mapping)
        for value in _candidates(attribute, prepared)
    )


def all_taken(prepared: Prepared, taken: Mapping[str, Collection[str]]) -> Reason | None:
    """Why there is no value left for one of the mappings; None where there is one for each."""
    for attribute in unique_mappings(prepared.mapping):
        candidates = _candidates(attribute, prepared)
        if candidates and all(value in taken.get(attribute.target, ()) for value in candidates):
            many = len(candidates) > 1
            which = f"all {len(candidates)} values" if many else "the only value"
            text = f"There is no free value for {attribute.target}: {which} of its mapping ({_shown(attribute, candidates)})"
            text += f" {'are' if many else 'is'} in use in the application already."
            next_step = "Add another rule to SelectUniqueValue, or give one of the two people another value."
            return Reason(CODE, text, {"attribute": attribute.target}, next_step)
    return None


def unique_steps(prepared: Prepared, values: Values, taken: Mapping[str, Collection[str]]) -> tuple[Step, ...]:
    """Why a value is not the one that its first rule makes."""
    steps = []
    for attribute in unique_mappings(prepared.mapping):
        chosen = values.get(attribute.target)
        candidates = _candidates(attribute, prepared)
        passed = candidates[: candidates.index(chosen)] if isinstance(chosen, str) and chosen in candidates else ()
        if not passed or any(value not in taken.get(attribute.target, ()) for value in passed):
            continue
        are = "are" if len(passed) > 1 else "is"
        text = f"{attribute.target} becomes {_shown(attribute, (chosen,))}: {_shown(attribute, passed)} {are} in use already."
        steps.append(Step("EntryUniqueValue", StepType.PROCESSING, StepStatus.SUCCESS, text, {}))
    return tuple(steps)


def _shown(attribute: AttributeMapping, values: Collection[object]) -> str:
    return "[Redact]" if attribute.is_redacted else ", ".join(f'"{value}"' for value in values)


def _candidates(attribute: AttributeMapping, prepared: Prepared) -> tuple[str, ...]:
    if not isinstance(attribute.source, Expression):
        return ()
    label = label_of(attribute.target, prepared.obj.id)
    context = EvaluationContext(prepared.moment, (), prepared.configuration.default_domain, label)
    try:
        return attribute.source.compiled.unique_candidates(prepared.record, context)
    except ExpressionError:
        # The mapping itself will fail in the same way, and then say so.
        return ()
