"""Evaluate an expression for people of the directory, and for attributes that the caller enters by hand. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services
from lockstep.actions.mappings import SOURCE_NAMES
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import expression_record
from lockstep.configuration.findings import Finding
from lockstep.configuration.source_names import unknown_in_expression
from lockstep.engine.expressions import EvaluationContext, ExplainedExpression, explain
from lockstep.engine.records import ObjectKind

BY_HAND = "Entered values"


@dataclass(frozen=True, slots=True)
class TrialValue:
    """The value of an expression for one person, and the value of each part of the expression."""

    name: str
    explained: ExplainedExpression


@dataclass(frozen=True, slots=True)
class ExpressionTrial:
    """The results of evaluating one expression. *findings* reports each unknown attribute; such an attribute evaluates as empty."""

    trials: Sequence[TrialValue]
    findings: Sequence[Finding] = ()


@needs(Permission.APPLICATIONS_READ, app="app")
async def try_expression(
    context: Context, app: str, text: str, *, people: Sequence[str] = (), by_hand: Mapping[str, Any] | None = None
) -> ExpressionTrial:
    """Evaluate the expression *text* for each of *people*, and for the attributes *by_hand*. If an evaluation fails, the part that failed
    says why.

    Raises ExpressionError if *text* does not compile, and LockstepError for an unknown person.
    """
    records: list[tuple[str, Mapping[str, Any]]] = []
    if by_hand:
        records.append((BY_HAND, by_hand))
    records += [(name, await expression_record(context, name, app)) for name in people]
    known = SOURCE_NAMES[ObjectKind.USER] | (by_hand or {}).keys()
    moment = new_services(context).moment()
    found = [TrialValue(name, explain(text, record, EvaluationContext(moment))) for name, record in records]
    if not records:
        explain(text, {}, EvaluationContext(moment))  # checks that it compiles
    return ExpressionTrial(found, tuple(unknown_in_expression(text, "the expression", known)))


def attributes_from(settings: Iterable[str]) -> dict[str, Any]:
    """Parse attributes that are written as `name=value`. If a name occurs several times, the attribute gets several values. A value that
    begins and ends with the brackets of a JSON array or object is parsed as JSON. Raises ValueError if a name is missing.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if (
            not setting.isprintable()
            and not setting.isascii()
            and any("\ud800" <= char <= "\udfff" for char in setting)
        ):
            raise ValueError("a setting must be UTF-8")
        if not equals or not name:
            raise ValueError(f"{setting!r} is not NAME=VALUE")
        value = _value(text)
        if name in found:
            before = found[name]
            value = (*before, value) if isinstance(before, tuple) else (before, value)
        found[name] = value
    return found


def _value(text: str) -> Any:
    if text[:1] in ("[", "{"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text
