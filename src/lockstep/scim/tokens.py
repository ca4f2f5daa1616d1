"""Split a filter or path into words, strings and brackets with their positions. This is the only tokenizer of the package.

Positions count characters from 1, because error messages show them to people.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import orjson

from lockstep.scim.errors import ScimError

END = "end"

# A word extends to the next space, quote or bracket: a name, URN, operator, number or unquoted value.
_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<punct>[()\[\]])|(?P<word>[^\s"()\[\]]+)|(?P<end>\Z))')

# Single and typographic quotes. A closing quote must be followed by the end of a value, so that 'O'Neil' is one string.
_SINGLE, _DOUBLE = (
    "'\u2018\u2019\u201a\u201b\u2039\u203a`\u00b4\uff07",
    '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02',
)
OTHER_QUOTES = frozenset((_SINGLE + _DOUBLE).replace('"', ""))
_OTHER_STRING = re.compile(
    rf"\s*(?P<string>(?:[{_SINGLE}](?:\\.|[^\\])*?[{_SINGLE}]|[{_DOUBLE[1:]}](?:\\.|[^\\])*?[{_DOUBLE}]))(?=[\s()\[\]]|\Z)",
    re.DOTALL,
)
_ESCAPED = re.compile(rf"\\([\\{_SINGLE}{_DOUBLE}])")


class Token(NamedTuple):
    """A token. *kind* is "word", "string", "end", or the bracket itself. For a string, *text* is the decoded value, without quotes."""

    kind: str
    text: str
    position: int


def tokenize(text: str, error: Callable[[str], ScimError], *, any_quotes: bool = False) -> list[Token]:
    """Return all tokens of *text*; the last one has the kind "end". If *text* is invalid, raises the exception that *error* builds from an
    explanation.

    *any_quotes* also accepts single and typographic quotes. In their content, a backslash only escapes a quote or a backslash.
    """
    tokens: list[Token] = []
    at = 0
    while True:
        if any_quotes and (other := _OTHER_STRING.match(text, at)):
            inner = _ESCAPED.sub(r"\1", other["string"][1:-1])
            tokens.append(Token("string", inner, other.start("string") + 1))
            at = other.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise error(f"A quoted string is not closed, at character {start + 1}.")
        kind = match.lastgroup or END
        start = match.start(kind)
        value = match.group(kind)
        if kind == "string":
            tokens.append(Token("string", _decode(value, start, error), start + 1))
        elif any_quotes and kind == "word" and value[0] in OTHER_QUOTES:
            raise error(f"A quoted string is not closed, at character {start + 1}.")
        elif kind == "punct":
            tokens.append(Token(value, value, start + 1))
        else:
            tokens.append(Token(kind, value, start + 1))
            if kind == END:
                return tokens
        at = match.end()


def quote(value: str) -> str:
    """Return *value* as a string literal. `tokenize` converts this literal to *value* again."""
    return orjson.dumps(value).decode()


def _decode(literal: str, start: int, error: Callable[[str], ScimError]) -> str:
    try:
        text = str(orjson.loads(literal))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise error(f"The quoted string at character {start + 1} is not a valid JSON string.") from None
    if "\x00" in text:  # no stored text can contain it, so nothing can match
        raise error(f"The quoted string at character {start + 1} contains NUL.")
    return text
