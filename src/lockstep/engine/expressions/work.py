"""How much work one evaluation may do, counted and not timed: the same expression on the same object always ends in the same way.

An evaluation runs between two turns of the event loop, so what one long text can cost is everybody's waiting time.
"""

from __future__ import annotations

from typing import Any, Final

from lockstep.engine.expressions.errors import Trouble

# A unit is about 10 ns, so the worst case is about 40 ms.
MAX_WORK: Final = 4_000_000
FREE: Final = 256  # characters that nobody counts
# Nor does anybody count a call that costs less. The calls that an expression can hold (about 900) may do as much once more.
FREE_UNITS: Final = 4_096
CHARACTERS_PER_UNIT: Final = 8  # where a text is copied or searched as a whole
UNITS_PER_VALUE: Final = 8  # of a list


class Work:
    """What is *left* of one evaluation; set it to MAX_WORK for the next."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def charge(self, units: int) -> None:
        """Raises Trouble when more was done than one evaluation may."""
        self.left -= units
        if self.left < 0:
            raise Trouble("stops here: the expression needs too much work", expected="shorter texts or fewer functions")

    def charge_result(self, value: Any) -> None:
        """Charge for a text that was made or a list that was gone through."""
        if value.__class__ is str:
            if len(value) > FREE:
                self.charge(len(value) // CHARACTERS_PER_UNIT)
        elif isinstance(value, (tuple, list)):
            self.charge(UNITS_PER_VALUE * len(value))


def size_of(value: Any) -> int:
    """How many characters, or values that are no texts, an argument has."""
    if value.__class__ is str:
        return len(value)
    size = 1
    if isinstance(value, (tuple, list)):
        for item in value:
            size += len(item) if item.__class__ is str else 1
    return size
