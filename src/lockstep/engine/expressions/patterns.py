"""Run .NET regular expressions with RE2, and limit the work of one call.

RE2 takes time proportional to the text, but a replacement restarts the search after every match. The limit covers both. Every failure
raises an ExpressionTrouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import re2

from lockstep.engine.expressions.dotnet_regex import TranslatedPattern, Untranslatable, translate
from lockstep.engine.expressions.errors import ExpressionTrouble, shown
from lockstep.engine.expressions.values import MAX_TEXT, check_size
from lockstep.engine.expressions.work import Work

# Program size times the number of scanned characters, in the worst case; one unit takes about 4 ns.
MAX_WORK_OF_ONE = 10_000_000
MAX_WORK_OF_ALL = 20_000_000
STEPS_PER_UNIT = 3  # steps of a pattern (as above) per unit of an evaluation's work
UNITS_PER_MATCH = 100
MAX_PROGRAM = 20_000
MAX_MEMORY = 1 << 20  # bytes; also bounds the time for compiling
_ASCII = frozenset(map(chr, range(128)))
TOO_MUCH = "would take too long: the pattern is too large for a text of this length"


@dataclass(frozen=True, slots=True)
class Span:
    """One match: the range of characters of each group, or None for a group without a match. Group 0 is the whole match."""

    groups: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled .NET pattern. *groups* maps a .NET group name or number to the index in Span.groups."""

    source: str
    compiled: re2._Regexp
    groups: dict[str, int]
    depends_on_text: bool = False

    def matches(self, text: str, work: Work | None = None) -> list[Span]:
        """Return every match from left to right, and charge the cost of the search to *work*.

        Raises ExpressionTrouble if the cost is too high.
        """
        compiled = self._for(text, work)
        budget = MAX_WORK_OF_ALL // max(compiled.programsize, 1)
        found: list[Span] = []
        for match in compiled.finditer(text):
            if work is not None:
                work.charge(UNITS_PER_MATCH)
            span = _span(match, compiled.groups)
            # The binding reports an empty match (`$`, `(?m)^`) twice when the search restarts at its position.
            if found and found[-1].groups[0] == span.groups[0]:
                continue
            found.append(span)
            # In the worst case the engine scanned all the remaining text to find this match.
            budget -= len(text) - match.start()
            if budget < 0:
                raise ExpressionTrouble(TOO_MUCH, argument="source")
        return found

    def first(self, text: str, work: Work | None = None) -> Span | None:
        """Return the first match, or None if there is none."""
        compiled = self._for(text, work)
        match = compiled.search(text)
        return None if match is None else _span(match, compiled.groups)

    def is_full_match(self, text: str) -> bool:
        """Whether the pattern matches all of *text*."""
        return self._for(text).fullmatch(text) is not None

    def _for(self, text: str, work: Work | None = None) -> re2._Regexp:
        """Return the RE2 program to use for *text*, and charge the cost of the search to *work*. Raises ExpressionTrouble if the search
        could take too much work.
        """
        if len(text) > MAX_TEXT:
            raise ExpressionTrouble(
                f"can search texts of up to {MAX_TEXT:,} characters, got {len(text):,}", argument="source"
            )
        compiled = self.compiled
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ExpressionTrouble("got a text with half a surrogate pair", argument="source") from None
            if self.depends_on_text:
                compiled = _compiled(self.source, "".join(sorted(set(text) - _ASCII)))[0]
        if len(text) * compiled.programsize > MAX_WORK_OF_ONE:
            raise ExpressionTrouble(TOO_MUCH, argument="source")
        if work is not None:
            work.charge(len(text) * compiled.programsize // STEPS_PER_UNIT)
        return compiled


def compile_pattern(source: str) -> Pattern:
    """Compile a .NET pattern. Raises ExpressionTrouble, with the offset in the pattern, for constructs that RE2 does not support."""
    compiled, translated = _compiled(source, "")
    return Pattern(source, compiled, translated.groups, translated.depends_on_text)


@lru_cache(maxsize=256)
def _compiled(source: str, beyond_ascii: str) -> tuple[re2._Regexp, TranslatedPattern]:
    try:
        translated = translate(source, beyond_ascii)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY
        # re2.compile would also cache 128 programs of any size; this module has its own cache.
        compiled = re2._Regexp(translated.pattern, options)
    except Untranslatable as refused:
        raise ExpressionTrouble(
            f"cannot use this pattern: it {refused.message}, at character {refused.offset + 1} of the pattern",
            argument="pattern",
            expected="a pattern without lookaround and backreferences",
            offset=refused.offset + 1,
        ) from None
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else "no text"
        message = f"cannot use the pattern {shown(source)}: {reason.partition(':')[0]}"
        raise ExpressionTrouble(message, argument="pattern", expected="a regular expression") from None
    if compiled.programsize > MAX_PROGRAM:
        raise ExpressionTrouble(
            "cannot use this pattern: it is too large", argument="pattern", expected="a smaller pattern"
        )
    return compiled, translated


def _span(match: re2._Match, groups: int) -> Span:
    spans = [match.span(number) for number in range(groups + 1)]
    return Span(tuple(None if span == (-1, -1) else span for span in spans))


def replace_matches(pattern: Pattern, text: str, template: str, work: Work | None = None) -> str:
    """Replace every match by *template*. `$1`, `${name}`, `$$` and `$&` in it are substituted as in .NET's Regex.Replace."""
    spans = pattern.matches(text, work)
    if not spans:
        return text
    parts = parse_template(template, frozenset(pattern.groups))
    pieces: list[str] = []
    end = size = 0
    for span in spans:
        start, stop = span.groups[0] or (0, 0)
        new = "".join(_filled(part, span, pattern, text) for part in parts)
        size += start - end + len(new)
        check_size(size)
        pieces += (text[end:start], new)
        end = stop
    check_size(size + len(text) - end)
    return "".join(pieces) + text[end:]


def replace_group(pattern: Pattern, text: str, group: int, replacement: str, work: Work | None = None) -> str:
    """Replace only the text of *group* in every match; the rest of the match stays."""
    pieces: list[str] = []
    end = size = 0
    for span in pattern.matches(text, work):
        found = span.groups[group]
        if found is None:
            continue
        size += found[0] - end + len(replacement)
        check_size(size)
        pieces += (text[end : found[0]], replacement)
        end = found[1]
    check_size(size + len(text) - end)
    return "".join(pieces) + text[end:]


@lru_cache(maxsize=1024)
def parse_template(template: str, groups: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Split the replacement text of a .NET regular expression into parts of the form (kind, content). The kinds are "text", "group",
    "before", "after" and "all"; the content of the last three is "".
    """
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(template):
        dollar = template.find("$", at)
        if dollar < 0:
            parts.append(("text", template[at:]))
            break
        parts.append(("text", template[at:dollar]))
        part, at = _substitution(template, dollar, groups)
        parts.append(part)
    return tuple(parts)


def _substitution(template: str, at: int, groups: frozenset[str]) -> tuple[tuple[str, str], int]:
    """Parse the substitution that begins with the dollar sign at *at*. Returns the substitution and its end. An unknown group is kept as
    literal text.
    """
    following = template[at + 1 : at + 2]
    special = {"$": ("text", "$"), "&": ("group", "0"), "`": ("before", ""), "'": ("after", ""), "_": ("all", "")}
    if following in special and following:
        return special[following], at + 2
    if following == "{":
        end = template.find("}", at)
        name = template[at + 2 : end] if end > 0 else ""
        return (("group", name), end + 1) if name in groups else (("text", "$"), at + 1)
    if following == "+":
        return ("group", str(max(int(group) for group in groups if group.isdigit()))), at + 2
    # All following digits belong to the number: if there is only one group, $10 is literal text and not $1 followed by a zero.
    rest = template[at + 1 : at + 12]
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    number = digits.lstrip("0") or digits[:1]
    return (("group", number), at + 1 + len(digits)) if number in groups else (("text", "$"), at + 1)


def _filled(part: tuple[str, str], span: Span, pattern: Pattern, text: str) -> str:
    kind, value = part
    start, stop = span.groups[0] or (0, 0)
    match kind:
        case "group":
            found = span.groups[pattern.groups[value]]
            return "" if found is None else text[found[0] : found[1]]
        case "before":
            return text[:start]
        case "after":
            return text[stop:]
        case "all":
            return text
        case _:
            return value
