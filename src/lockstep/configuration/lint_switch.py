"""Check the one mapping that writes `active`: whether it enables people who should have access, and disables leavers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from lockstep.configuration.findings import Finding
from lockstep.engine.decisions.mapping import DISABLING
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED
from lockstep.engine.expressions import EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind, Value
from lockstep.engine.rules.mappings import AttributeMapping, Constant, Expression, ObjectMapping
from lockstep.engine.rules.operators import text_of

_REMEDY = 'Map active as Switch([IsSoftDeleted], , "False", "True", "True", "False").'
_CONTEXT = EvaluationContext(Moment(datetime(2000, 1, 1, tzinfo=UTC)))


def check_switch(mapping: ObjectMapping, place: str) -> Iterator[Finding]:
    """Report mistakes in the way *mapping* enables and disables accounts."""
    switch = mapping.deactivation
    if switch is None:
        if mapping.source is ObjectKind.USER:
            message = "no mapping writes active, so people who leave the scope are deleted instead of disabled"
            yield Finding("warning", place, message, _REMEDY)
        return
    if isinstance(switch.source, Constant):
        yield _constant(switch.source.value, place)
        return
    if switch.dependencies.isdisjoint(DISABLING):
        yield Finding(
            "warning", place, "the mapping of active does not read IsSoftDeleted, so no one is ever disabled", _REMEDY
        )
        return
    stays, leaves = _value(switch, has_left=False), _value(switch, has_left=True)
    if stays not in ("true", None):
        message = f"active is {stays or 'empty'} for people who should have access, so every account is disabled"
        yield Finding("error", place, message, _REMEDY)
    if leaves not in ("false", None):
        message = f"active is {leaves or 'empty'} for people who have left, so no one is ever disabled"
        yield Finding("error", place, message, _REMEDY)


def _constant(value: Value, place: str) -> Finding:
    text = text_of(value).casefold()
    if text == "true":
        return Finding("warning", place, "active is always true, so no one is ever disabled", _REMEDY)
    if text == "false":
        return Finding("error", place, "active is always false, so every account is disabled", _REMEDY)
    return Finding("error", place, f'active is always "{text_of(value)}", which is neither true nor false', _REMEDY)


def _value(switch: AttributeMapping, *, has_left: bool) -> str | None:
    """Return the value of *switch* for a leaver if *has_left* is true, otherwise for an active person. None if the value depends on other
    attributes or cannot be evaluated.
    """
    if not isinstance(switch.source, Expression) or not switch.dependencies <= DISABLING:
        return None
    record = {IS_SOFT_DELETED: str(has_left), "accountEnabled": str(not has_left)}
    try:
        return text_of(switch.source.compiled.evaluate(record, _CONTEXT)).casefold()
    except ExpressionError:
        return None
