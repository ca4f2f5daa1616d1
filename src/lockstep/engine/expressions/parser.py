"""Parse the text of an expression into a tree, with a tokenizer and recursive descent.

Only the grammar is checked here, not whether a function exists. In a quoted text, only `\\\\` and `\\"` are escapes; any other backslash is
kept, because documented regexes are written with single backslashes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.tree import (
    AttributeNode,
    CallNode,
    ComparisonNode,
    EmptySlot,
    ExpressionNode,
    KeywordNode,
    NumberNode,
    Operand,
    TextNode,
)

MAX_CHARACTERS = 10_000
CACHED_TEXT = 2_000  # characters; longer expressions are not cached
MAX_DEPTH = 64
LARGEST_NUMBER = 2**63 - 1

# Safe with `re`: every alternative starts with a different character, so matching is linear.
_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |\[(?P<attribute>[^\[\]"]*)\]
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<hex>&[Hh][0-9A-Fa-f]+)
    |(?P<number>[+-]?[0-9]+)
    |(?P<operator><>|<=|>=|=|<|>)
    |(?P<mark>[(),])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r'\\([\\"])')


@dataclass(frozen=True, slots=True)
class ExpressionToken:
    kind: str  # text, attribute, word, hex, number, operator, mark, end
    value: str
    position: int
    end: int


def parse(text: str) -> ExpressionNode:
    """Parse *text*. Raises ExpressionError with the position of the first error."""
    return _parse_cached(text) if len(text) <= CACHED_TEXT else read_tree(text)


@lru_cache(maxsize=1024)
def _parse_cached(text: str) -> ExpressionNode:
    return read_tree(text)


def read_tree(text: str) -> ExpressionNode:
    """Like `parse`, without the cache."""
    if len(text) > MAX_CHARACTERS:
        message = f"an expression can have at most {MAX_CHARACTERS:,} characters; this one has {len(text):,}"
        raise ExpressionError(text, MAX_CHARACTERS + 1, message, expected="a shorter expression")
    if not text.isascii():
        _check_characters(text)
    return _Parser(text).whole()


def _check_characters(text: str) -> None:
    """Raise ExpressionError for a lone surrogate, which can be neither stored nor sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        readable = text.encode(errors="replace").decode()
        message = "the text contains half a surrogate pair"
        raise ExpressionError(readable, error.start + 1, message, expected="a whole character") from None


def tokens(text: str) -> list[ExpressionToken]:
    """Split *text* into tokens without whitespace; the last one has the kind `end`."""
    found: list[ExpressionToken] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        kind = match.lastgroup or ""
        if kind != "blank":
            found.append(ExpressionToken(kind, match.group(kind), at + 1, match.end()))
        at = match.end()
    found.append(ExpressionToken("end", "", len(text) + 1, len(text)))
    return found


def _unreadable(text: str, at: int) -> ExpressionError:
    match text[at]:
        case '"':
            return ExpressionError(text, at + 1, 'a text is not closed with "', expected='a closing "')
        case "[":
            return ExpressionError(text, at + 1, "an attribute is not closed with ]", expected="a closing ]")
        case "&":
            message = "& is not supported for joining texts; use Join or Append"
            return ExpressionError(text, at + 1, message, expected="Join or Append")
        case character:
            message = f"unexpected {character!r} outside quotes"
            return ExpressionError(text, at + 1, message, expected="a function, [attribute], text in quotes or number")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> ExpressionToken:
        return self.tokens[self.at]

    def whole(self) -> ExpressionNode:
        if self.token.kind == "end":
            raise self.wrong("the expression is empty", "a function such as Join(...)")
        tree = self.operand()
        if self.token.kind == "operator":
            raise self.wrong("a comparison can only be the condition of IIF or CBool", "the end of the expression")
        if self.token.kind != "end":
            raise self.wrong(f"unexpected {self.token.value!r} after the end", "the end of the expression")
        return tree

    def operand(self) -> Operand:
        token = self.token
        self.at += 1
        match token.kind:
            case "text":
                return TextNode(_ESCAPE.sub(r"\1", token.value[1:-1]), token.position)
            case "attribute":
                return self.attribute(token)
            case "number" | "hex":
                return self.number(token)
            case "word" if self.token.value == "(" and self.token.kind == "mark":
                return self.call(token)
            case "word":
                return KeywordNode(token.value, token.position)
        self.at -= 1
        if token.kind == "end":
            raise self.wrong("the expression ends too early", "a value")
        raise self.wrong(f"unexpected {token.value!r}", "a function, [attribute], text in quotes or number")

    def attribute(self, token: ExpressionToken) -> AttributeNode:
        name = token.value.strip()
        if not name:
            raise ExpressionError(self.text, token.position, "[] does not name an attribute", expected="[attribute]")
        return AttributeNode(name, token.position)

    def number(self, token: ExpressionToken) -> NumberNode:
        is_hex = token.kind == "hex"
        digits = token.value[2:] if is_hex else token.value
        # Check the length first, because Python refuses to convert thousands of digits.
        value = int(digits, 16 if is_hex else 10) if len(digits) <= 40 else LARGEST_NUMBER + 1
        if abs(value) > LARGEST_NUMBER:
            raise ExpressionError(self.text, token.position, "the number is too large", expected="a 64-bit number")
        following = self.token
        glued = token.end == following.position - 1
        if (glued and following.kind in ("word", "number")) or self.text[token.end : token.end + 1] == ".":
            message = "a number must be whole; put other text in quotes"
            raise ExpressionError(self.text, token.position, message, expected="a whole number")
        return NumberNode(value, is_hex, token.position)

    def call(self, name: ExpressionToken) -> CallNode:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            message = f"functions can be nested at most {MAX_DEPTH} levels deep"
            raise ExpressionError(self.text, name.position, message, function=name.value, expected="less nesting")
        self.at += 1
        arguments = self.arguments(name)
        self.depth -= 1
        return CallNode(name.value, tuple(arguments), name.position)

    def arguments(self, name: ExpressionToken) -> list[ExpressionNode]:
        if self.token.value == ")" and self.token.kind == "mark":
            self.at += 1
            return []
        found: list[ExpressionNode] = []
        while True:
            found.append(self.argument())
            token = self.token
            if token.kind != "mark" or token.value == "(":
                what = f"unexpected {token.value!r}" if token.kind != "end" else "a ) is missing"
                message = f"{what} in the arguments of {name.value}"
                raise ExpressionError(self.text, token.position, message, function=name.value, expected=", or )")
            self.at += 1
            if token.value == ")":
                return found

    def argument(self) -> ExpressionNode:
        token = self.token
        if token.kind == "mark" and token.value in ",)":
            return EmptySlot(token.position)
        left = self.operand()
        operator = self.token
        if operator.kind != "operator":
            return left
        self.at += 1
        right = self.operand()
        if self.token.kind == "operator":
            raise self.wrong("only one comparison is allowed; nest IIF for AND and OR", ", or )")
        return ComparisonNode(left, operator.value, right, operator.position)

    def wrong(self, message: str, expected: str) -> ExpressionError:
        return ExpressionError(self.text, self.token.position, message, expected=expected)
