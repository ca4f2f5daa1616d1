"""Say which generated values the application must be asked about before somebody is created (SelectUniqueValue).

The candidates come in the order in which they will be tried. The answers go into `make_plan` as *taken*.
"""

from __future__ import annotations

from lockstep.engine.configuration import AttributeMapping, Expression
from lockstep.engine.expressions import EvaluationContext, ExpressionError
from lockstep.engine.intent import IntentKind
from lockstep.engine.matching import MatchQuery
from lockstep.engine.prepare import Prepared


def unique_candidates(prepared: Prepared) -> tuple[MatchQuery, ...]:
    """What to ask: each candidate with its target attribute. Empty for whoever has an account or gets none."""
    if prepared.mapping is None or prepared.is_linked or prepared.intent.kind is not IntentKind.PROVISION:
        return ()
    return tuple(
        MatchQuery(attribute.target, value, 0)
        for attribute in prepared.mapping.flowing
        for value in _candidates(attribute, prepared)
    )


def _candidates(attribute: AttributeMapping, prepared: Prepared) -> tuple[str, ...]:
    if not isinstance(attribute.source, Expression):
        return ()
    context = EvaluationContext(prepared.moment, (), prepared.configuration.default_domain, attribute.target)
    try:
        return attribute.source.compiled.unique_candidates(prepared.record, context)
    except ExpressionError:
        # The mapping itself will fail in the same way, and then say so.
        return ()
