"""Limit the work of one evaluation. Work is counted, not timed, so an expression always gives the same result for the same object.

The limit is needed because an evaluation blocks the event loop: while one expression works on a long text, all other tasks wait.
"""

from __future__ import annotations

from typing import Any, Final

from lockstep.engine.expressions.errors import ExpressionTrouble

# A unit is about 10 ns, so the worst case is about 40 ms.
MAX_WORK: Final = 4_000_000
FREE: Final = 256  # characters that are not charged
# Calls below this cost are not charged either. An expression has at most about 900 calls, so the uncharged work at most doubles the
# total.
FREE_UNITS: Final = 4_096
CHARACTERS_PER_UNIT: Final = 8  # for a text that is copied or searched as a whole
UNITS_PER_VALUE: Final = 8  # for each value of a list


class Work:
    """The units of work that are *left* in one evaluation; reset to MAX_WORK before the next."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def charge(self, units: int) -> None:
        """Charge *units* of work. Raises ExpressionTrouble if fewer are left."""
        self.left -= units
        if self.left < 0:
            raise ExpressionTrouble(
                "was stopped: the expression takes too long", expected="shorter texts or fewer functions"
            )

    def charge_result(self, value: Any) -> None:
        """Charge for a new text, or for each element of a list that was read. Raises ExpressionTrouble if no units are left."""
        if value.__class__ is str:
            if len(value) > FREE:
                self.charge(len(value) // CHARACTERS_PER_UNIT)
        elif isinstance(value, (tuple, list)):
            self.charge(UNITS_PER_VALUE * len(value))


def size_of(value: Any) -> int:
    """Return the size of an argument in characters. In a list, an element that is not a text counts as one character, and the list itself
    counts as one more. Any other value counts as one.
    """
    if value.__class__ is str:
        return len(value)
    size = 1
    if isinstance(value, (tuple, list)):
        for item in value:
            size += len(item) if item.__class__ is str else 1
    return size
