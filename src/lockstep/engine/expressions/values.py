"""The values that functions exchange, and the conversions between their kinds.

A value is None, a text, a whole number, a truth value, a tuple of values, or structured (role assignments, references). Between functions
a truth value is the text "True" or "False". Both null and an empty list mean "no value".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from lockstep.engine.expressions.errors import ExpressionTrouble

ExpressionValue: TypeAlias = (
    Any  # see the module docstring; functions receive converted arguments, so they need not check
)
AttributeRecord: TypeAlias = Mapping[str, ExpressionValue]

MAX_TEXT = 65_536
MAX_VALUES = 10_000
LARGEST = 2**63 - 1
TRUE = "True"
FALSE = "False"


class Diversion(Enum):
    """A decision that an expression may return instead of a value."""

    DROP = "<dropped>"  # the attribute is left out of the flow
    SKIP_OBJECT = "<object ignored>"  # the whole object is left out


DROP: Final = Diversion.DROP
SKIP_OBJECT: Final = Diversion.SKIP_OBJECT


class Diverted(Exception):
    """Raised to pass a `Diversion` up through nested function calls."""

    def __init__(self, flow: Diversion) -> None:
        super().__init__(flow.value)
        self.flow = flow


def truth(answer: bool) -> str:
    return TRUE if answer else FALSE


def to_text(value: ExpressionValue, argument: str = "") -> str | None:
    """Convert *value* to one text; null and an empty list give None, and a reference gives its id. Raises ExpressionTrouble for several
    values and for other structured values.
    """
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, bool):
        return truth(value)
    if isinstance(value, (str, int, float)):
        return _number_text(value)
    if isinstance(value, (tuple, list)):
        if not value:
            return None
        if len(value) == 1:
            return to_text(value[0], argument)
    if isinstance(value, Mapping):
        inner = value.get("value", value.get("id"))
        if isinstance(inner, str) and "displayName" not in value:
            return inner
    message = f"needs one text{_for(argument)}, got {{value}}"
    raise ExpressionTrouble(message, argument=argument, expected="one text", value=value)


def _number_text(value: str | float) -> str:
    # Python refuses to print integers with thousands of digits.
    return str(_bounded(value) if isinstance(value, int) else value)


def _bounded(value: int) -> int:
    if not -LARGEST - 1 <= value <= LARGEST:
        raise ExpressionTrouble("got a number that is too large", expected="a 64-bit number")
    return value


def to_integer(value: ExpressionValue, argument: str = "") -> int | None:
    """Convert a number or its text to a whole number; null gives None. Raises ExpressionTrouble for anything else."""
    if value is None:
        return None
    if value.__class__ is int:
        return _bounded(value)
    text = to_text(value, argument)
    if text is None:
        return None
    number = parse_integer(text)
    if number is None:
        message = f"needs a whole number{_for(argument)}, got {{value}}"
        raise ExpressionTrouble(message, argument=argument, expected="a whole number", value=text)
    return number


def needed_integer(value: ExpressionValue, argument: str = "") -> int:
    number = to_integer(value, argument)
    if number is None:
        message = f"needs a whole number{_for(argument)}, but it is empty"
        raise ExpressionTrouble(message, argument=argument, expected="a whole number")
    return number


def parse_integer(text: str) -> int | None:
    """Parse *text* as a 64-bit number in decimal, or in hexadecimal with `&H`. Returns None if it is not a number."""
    text = text.strip()
    if not text or len(text) > 24 or not text.isascii():
        return None
    digits = text[1:] if text[0] in "+-" else text
    if digits.isdigit():
        number = int(text)
    elif text[:2].upper() == "&H" and all(character in "0123456789abcdefABCDEF" for character in text[2:]) and text[2:]:
        number = int(text[2:], 16)
    else:
        return None
    return number if -LARGEST - 1 <= number <= LARGEST else None


def to_values(value: ExpressionValue, argument: str = "") -> tuple[str, ...]:
    """Convert *value* to a tuple of texts; null gives an empty tuple. Empty texts are kept; nulls in a list are removed."""
    if value is None:
        return ()
    if value.__class__ is str:
        return (value,)
    if isinstance(value, (tuple, list)):
        if len(value) > MAX_VALUES:
            raise ExpressionTrouble(f"got {len(value):,} values; the limit is {MAX_VALUES:,}", argument=argument)
        texts = (item if item.__class__ is str else to_text(item, argument) for item in value)
        return tuple(text for text in texts if text is not None)
    text = to_text(value, argument)
    return () if text is None else (text,)


def to_condition(value: ExpressionValue, argument: str = "") -> bool:
    """Return True for "true" in any letter case and for numbers other than 0, False for everything else and for null."""
    if value is None:
        return False
    text = to_text(value, argument)
    if text is None:
        return False
    if text in (TRUE, FALSE):
        return text == TRUE
    number = parse_integer(text)
    return number != 0 if number is not None else text.strip().lower() == "true"


def is_nothing(value: ExpressionValue) -> bool:
    return value is None or value in ("", (), [])


def within_limit(text: str) -> str:
    """Return *text*. Raises ExpressionTrouble if it exceeds the maximum length of an attribute."""
    if len(text) > MAX_TEXT:
        raise ExpressionTrouble(
            f"produced a text of {len(text):,} characters; the limit is {MAX_TEXT:,}", expected="a shorter text"
        )
    return text


def check_size(size: int) -> None:
    """Raise ExpressionTrouble if a text of *size* characters would be too long. Call this function before the text is built, because the
    text might not fit into memory.
    """
    if size > MAX_TEXT:
        raise ExpressionTrouble(
            f"would produce a text of {size:,} characters; the limit is {MAX_TEXT:,}", expected="a shorter text"
        )


def _for(argument: str) -> str:
    return f" for {argument}" if argument else ""
