"""Evaluate a mapping expression and each of its parts, for a person or for given attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.mappings import SOURCE_NAMES, refuse_unknown
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import expression_record
from lockstep.configuration.source_names import unknown_in_expression
from lockstep.engine.expressions import EvaluationContext, ExplainedExpression, explain
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind


@needs(Permission.DIRECTORY_READ)
async def evaluate(
    context: Context,
    expression: str,
    *,
    user: str = "",
    app: str = "",
    attributes: Mapping[str, Any] = {},
    now: datetime | None = None,
    taken: Sequence[str] = (),
) -> tuple[ExplainedExpression, tuple[str, ...]]:
    """Return the value of *expression* and of each of its parts. A part that fails contains the reason. Also return a note on each name
    that is not an attribute of people.

    *attributes* override the attributes of the person *user*. *taken* are the values that are already in use in the application. Raises
    ExpressionError if the expression does not compile, and LockstepError if the person is unknown. If *user* is given, an unknown attribute
    raises LockstepError instead of leading to a note.
    """
    record = dict(await expression_record(context, user, app)) if user else {}
    record |= attributes
    moment = Moment(now or context.now(), expression.encode("utf-8", "replace"))
    unknown = list(unknown_in_expression(expression, "the expression", SOURCE_NAMES[ObjectKind.USER] | record.keys()))
    if user:
        refuse_unknown(unknown)
    told = explain(expression, record, EvaluationContext(moment, taken=frozenset(taken)))
    return told, tuple(f"{one.message} It evaluates as empty." for one in unknown)
