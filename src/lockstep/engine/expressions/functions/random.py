"""Functions for random values. All values are derived from the moment's seed, so a preview shows the same values as the write that follows.

Each call derives its values from its own label: the attribute, the expression and the position of the call. The values of different calls
are therefore independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from struct import unpack
from uuid import UUID

from lockstep.engine.expressions.catalogue import Example, function, integer, text
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import ValueKind

MAX_LENGTH = 256
DIGITS = "0123456789"
SPECIALS = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWERS = "abcdefghijklmnopqrstuvwxyz"


@function(
    "Guid",
    cost=80,
    returns=ValueKind.TEXT,
    meaning="A new random GUID, in lower case.",
    pure=False,
    wants_context=True,
    examples=[Example("Guid()", {"regex": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"})],
)
def guid(context: EvaluationContext, label: str) -> str:
    return str(UUID(bytes=context.moment.random_bytes(f"{context.label}|guid|{label}", 16), version=4))


@function(
    "RandomString",
    integer("length", "the length, at most 256"),
    integer("minimum numbers", "the minimum number of digits"),
    integer("minimum special characters", "the minimum number of characters that are neither letters nor digits"),
    integer("minimum capitals", "the minimum number of upper-case letters"),
    integer("minimum lower case", "the minimum number of lower-case letters"),
    text("characters to avoid", "characters that must not occur", optional=True),
    cost=100,
    returns=ValueKind.TEXT,
    meaning="A random text. Characters beyond the minimum numbers are also chosen from the requested kinds.",
    pure=False,
    wants_context=True,
    examples=[
        Example("RandomString(6,3,0,0,3)", {"regex": "[0-9a-z]{6}"}),
        Example('RandomString(10,2,2,2,1,"?,")', {"regex": "[^?,]{10}"}),
    ],
)
def random_string(
    context: EvaluationContext,
    label: str,
    length: int,
    numbers: int,
    specials: int,
    capitals: int,
    lowers: int,
    avoid: str | None = None,
) -> str:
    minima = (numbers, specials, capitals, lowers)
    _check_lengths(length, minima)
    banned = frozenset(avoid or "")
    kinds = [
        [character for character in kind if character not in banned] for kind in (DIGITS, SPECIALS, CAPITALS, LOWERS)
    ]
    wanted = [kind for kind, minimum in zip(kinds, minima, strict=True) if minimum] or kinds
    if (not all(wanted) and any(minima)) or not any(wanted):
        message = "has no characters left: all characters of a requested kind are excluded"
        raise ExpressionTrouble(message, argument="characters to avoid", expected="fewer characters to avoid")
    filling = [character for kind in wanted for character in kind]
    draw = _Draw(context, f"{context.label}|string|{label}")
    picked = [draw.one_of(kind) for kind, minimum in zip(kinds, minima, strict=True) for _ in range(minimum)]
    picked += [draw.one_of(filling) for _ in range(length - len(picked))]
    return "".join(draw.shuffled(picked))


def _check_lengths(length: int, minima: tuple[int, ...]) -> None:
    if not 0 <= length <= MAX_LENGTH:
        message = f"needs a length of 0 to {MAX_LENGTH} characters, got {length}"
        raise ExpressionTrouble(message, argument="length", expected=f"0 to {MAX_LENGTH}")
    if min(minima) < 0:
        raise ExpressionTrouble(f"got a minimum of {min(minima)}", expected="0 or more")
    if sum(minima) > length:
        message = f"needs a length of at least {sum(minima)}, the sum of the minimums, got {length}"
        raise ExpressionTrouble(message, argument="length", expected=f"at least {sum(minima)}")


class _Draw:
    """Draws unbiased random numbers. The random bytes come from the `Moment` of the evaluation."""

    def __init__(self, context: EvaluationContext, label: str) -> None:
        self._numbers = self._stream(context, label)

    def below(self, limit: int) -> int:
        # Discard numbers beyond the largest multiple of *limit*; otherwise the remainder would favour small results.
        fair = 65_536 - 65_536 % limit
        return next(number for number in self._numbers if number < fair) % limit

    def one_of(self, choices: list[str]) -> str:
        return choices[self.below(len(choices))]

    def shuffled(self, items: list[str]) -> list[str]:
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    @staticmethod
    def _stream(context: EvaluationContext, label: str) -> Iterator[int]:
        for block in count():
            yield from unpack(">512H", context.moment.random_bytes(f"{label}|{block}", 1024))
