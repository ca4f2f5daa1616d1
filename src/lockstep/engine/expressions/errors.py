"""What goes wrong in an expression, told with the function, the argument, the character and what was expected.

`Trouble` is what a function raises: it knows neither text nor position. The compiler turns it into an `ExpressionError`, the only
error that leaves this package.
"""

from __future__ import annotations

from lockstep.errors import Kind, LockstepError

SHOWN_CHARACTERS = 120
_NO_VALUE = object()


class ExpressionError(LockstepError):
    """An expression cannot be parsed, compiled or evaluated. *position* counts characters from 1."""

    def __init__(
        self, text: str, position: int, message: str, *, function: str = "", argument: str = "", expected: str = ""
    ) -> None:
        detail = f'Expression "{_shortened(text, position)}": {message}, at character {position}.'
        super().__init__(Kind.INVALID, detail, code="InvalidExpression")
        self.text = text
        self.position = position
        self.message = message
        self.function = function
        self.argument = argument
        self.expected = expected


class Trouble(Exception):
    """A function cannot answer. *message* continues a sentence that begins with the function's name.

    Where it quotes a value of the source object, it says `{value}` and gives *value*: an expression that redacts hides it.
    """

    def __init__(
        self, message: str, *, argument: str = "", expected: str = "", offset: int = 0, value: object = _NO_VALUE
    ) -> None:
        super().__init__(message)
        self._message = message
        self._value = value
        self.argument = argument
        self.expected = expected
        self.index: int | None = None  # which argument, from 0, where the name is not enough because it repeats
        self.offset = offset  # characters into a constant argument, where a part of it (a regex construct) is at fault

    @property
    def message(self) -> str:
        return self.told()

    def told(self, *, hides_value: bool = False) -> str:
        if self._value is _NO_VALUE:
            return self._message
        return self._message.replace("{value}", "[Redact]" if hides_value else shown(self._value))


def shown(value: object) -> str:
    """*value* as an error may show it: quoted, on one line, short."""
    if value is None:
        return "nothing"
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    if not isinstance(value, (str, int)):
        return "a structured value"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a very large number"
    text = " ".join(value[:80].split()) if isinstance(value, str) else str(value)
    return f'"{text[:40]}..."' if len(text) > 40 else f'"{text}"'


def _shortened(text: str, position: int) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    # A window around the mistake: the beginning of a long expression seldom shows it.
    start = max(0, min(position - 1 - SHOWN_CHARACTERS // 2, len(text) - SHOWN_CHARACTERS))
    end = start + SHOWN_CHARACTERS
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
