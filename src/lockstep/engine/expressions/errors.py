"""Errors in expressions. An error names the function, the argument, the character position and what was expected.

Functions raise `ExpressionTrouble`, which has neither the text nor the position. The compiler converts it to an `ExpressionError`, the
only error that this package raises.
"""

from __future__ import annotations

from lockstep.errors import Kind, LockstepError

SHOWN_CHARACTERS = 120
_NO_VALUE = object()


class ExpressionError(LockstepError):
    """Raised if an expression cannot be parsed, compiled or evaluated. *position* counts characters from 1."""

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


class ExpressionTrouble(Exception):
    """Raised if a function cannot return a value. *message* continues a sentence that begins with the function's name.

    To quote a value of the source object, write `{value}` in *message* and pass *value*. Expressions with redaction then hide the value.
    """

    def __init__(
        self, message: str, *, argument: str = "", expected: str = "", offset: int = 0, value: object = _NO_VALUE
    ) -> None:
        super().__init__(message)
        self._message = message
        self._value = value
        self.argument = argument
        self.expected = expected
        self.index: int | None = None  # which argument, from 0, if its name repeats
        self.offset = offset  # characters from the start of a constant argument to its faulty part (a regex construct)

    @property
    def message(self) -> str:
        return self.text()

    def text(self, *, hides_value: bool = False) -> str:
        if self._value is _NO_VALUE:
            return self._message
        return self._message.replace("{value}", "[Redact]" if hides_value else shown(self._value))


def shown(value: object) -> str:
    """Format *value* for an error message: quoted, shortened and on one line."""
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
    # Show the text around the error, which is seldom at the beginning of a long expression.
    start = max(0, min(position - 1 - SHOWN_CHARACTERS // 2, len(text) - SHOWN_CHARACTERS))
    end = start + SHOWN_CHARACTERS
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
