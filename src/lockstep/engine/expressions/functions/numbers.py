"""Functions for whole numbers. Hexadecimal numbers are written `&HF`, with or without quotes."""

from __future__ import annotations

from lockstep.engine.expressions.catalogue import Example, function, integer
from lockstep.engine.expressions.kinds import ValueKind


@function(
    "BitAnd",
    integer("value1", "a whole number", nullable=True),
    integer("value2", "a whole number", nullable=True),
    returns=ValueKind.INTEGER,
    meaning="The bits that are set in both numbers. Null if one of them is null.",
    examples=[
        Example("BitAnd(&HF, &HF7)", 7),
        Example("BitAnd([userAccountControl], 2)", 2, {"userAccountControl": "514"}),
    ],
)
def bit_and(value1: int | None, value2: int | None) -> int | None:
    return None if value1 is None or value2 is None else value1 & value2
