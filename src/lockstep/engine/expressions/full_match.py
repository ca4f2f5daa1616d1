"""Match a whole text against a .NET pattern that may begin with lookaheads: `^(?!svc_).*@contoso\\.com$`.

RE2 has no lookahead. A lookahead at the beginning of the pattern only tests how the text begins, so it runs as a separate pattern. A
lookahead anywhere else is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockstep.engine.expressions.patterns import Pattern, compile_pattern

_BEGINNING = re.compile(r"(\(\?[imnsx]+\))?(\^|\\A)?")
_LOOKAHEADS = {"(?!": False, "(?=": True}


@dataclass(frozen=True, slots=True)
class FullMatch:
    """A compiled pattern for whole texts. Each entry of *beginnings* is a pattern and a flag: true if the text must begin with the pattern,
    false if it must not. The whole text must match *rest*.
    """

    rest: Pattern
    beginnings: tuple[tuple[Pattern, bool], ...] = ()

    def holds(self, text: str) -> bool:
        """Whether the pattern matches the whole *text*. Raises ExpressionTrouble if the match would take too much work."""
        return all(p.is_full_match(text) is wanted for p, wanted in self.beginnings) and self.rest.is_full_match(text)


def compile_full_match(source: str) -> FullMatch:
    """Compile *source*. Raises ExpressionTrouble, with the offset in the pattern, for constructs that RE2 does not support."""
    beginning = _BEGINNING.match(source)
    flags, at = ((beginning[1] or ""), beginning.end()) if beginning else ("", 0)
    found: list[tuple[str, bool]] = []
    while (wanted := _LOOKAHEADS.get(source[at : at + 3])) is not None:
        end = _closing(source, at)
        if end is None:
            break
        found.append((source[at + 3 : end], wanted))
        at = end + 1
    if not found or _is_repeated(source, at) or _has_alternatives(source[at:]):
        return FullMatch(compile_pattern(source))
    beginnings = tuple((compile_pattern(f"{flags}(?:{inner})[\\s\\S]*"), wanted) for inner, wanted in found)
    return FullMatch(compile_pattern(flags + source[at:]), beginnings)


def _closing(source: str, begin: int) -> int | None:
    """Return the index at which the group that opens at *begin* closes."""
    depth = 0
    for at, letter in _letters(source, begin):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return at
    return None


def _has_alternatives(source: str) -> bool:
    """Whether *source* has a `|` outside all groups. A lookahead at the beginning would then belong only to the first alternative."""
    depth = 0
    for _, letter in _letters(source, 0):
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            return True
    return False


def _is_repeated(source: str, at: int) -> bool:
    return source[at : at + 1] in ("*", "+", "?", "{") and at < len(source)


def _letters(source: str, begin: int) -> list[tuple[int, str]]:
    """Return the characters from *begin* on, with their indexes. Escaped characters and the content of character classes are left out."""
    found, at, in_class = [], begin, False
    while at < len(source):
        letter = source[at]
        if letter == "\\":
            at += 2
            continue
        if in_class:
            in_class = letter != "]" or source[at - 1] == "[" or source[at - 2 : at] == "[^"
        elif letter == "[":
            in_class = True
        else:
            found.append((at, letter))
        at += 1
    return found
