"""Split a filter or a path into words, strings and brackets, each with its position. One tokenizer for all small languages.

Positions count characters from 1, because they are shown to people.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import orjson

from lockstep.scim.errors import ScimError

END = "end"

# A word is everything up to a space, a quote or a bracket: names, URNs, operators, numbers and unquoted values alike.
_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<punct>[()\[\]])|(?P<word>[^\s"()\[\]]+)|(?P<end>\Z))')


class Token(NamedTuple):
    """*kind* is "word", "string", "end", or the bracket itself; *text* is a string's decoded value."""

    kind: str
    text: str
    position: int


def tokenize(text: str, error: Callable[[str], ScimError]) -> list[Token]:
    """All tokens of *text*, the last of kind "end". What cannot be read raises *error* with the position."""
    tokens: list[Token] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise error(f"A text in quotes has no end, at character {start + 1}.")
        kind = match.lastgroup or END
        start = match.start(kind)
        value = match.group(kind)
        if kind == "string":
            tokens.append(Token("string", _decode(value, start, error), start + 1))
        elif kind == "punct":
            tokens.append(Token(value, value, start + 1))
        else:
            tokens.append(Token(kind, value, start + 1))
            if kind == END:
                return tokens
        at = match.end()


def quote(value: str) -> str:
    """A string literal that `tokenize` reads back."""
    return orjson.dumps(value).decode()


def _decode(literal: str, start: int, error: Callable[[str], ScimError]) -> str:
    try:
        return str(orjson.loads(literal))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise error(f"The text in quotes at character {start + 1} is not a JSON string.") from None
