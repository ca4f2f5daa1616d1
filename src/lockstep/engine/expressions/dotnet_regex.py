r"""Translate a .NET regular expression to RE2, which runs in linear time.

`\d`, `\w` and `\s` cover all of Unicode in .NET but only ASCII in RE2. Each of these classes is expanded to the characters of the class
that occur in the text. This is exact and keeps the program small (`\b` stays ASCII). Lookaround, backreferences and everything else that
needs backtracking are refused with their position in the pattern.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from unicodedata import category

MAX_PATTERN = 2_000

_ESCAPES = {"e": r"\x1b", "Z": r"\z"}
_SAME = frozenset("abBfnrtvAzDpP")
_LOOKAROUND = {"=": "lookahead", "!": "negative lookahead", "<=": "lookbehind", "<!": "negative lookbehind"}

# For each class: its ASCII characters, the remaining ASCII characters, and beyond ASCII its Unicode categories and single characters.
_CLASSES: dict[str, tuple[tuple[str, str], frozenset[str], str]] = {
    "d": (("0-9", r"\x00-/:-\x7f"), frozenset(("Nd",)), ""),
    "w": (
        ("0-9A-Za-z_", r"\x00-/:-@\[-^`{-\x7f"),
        frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Nd", "Pc")),
        "",
    ),
    "s": ((r"\t-\r ", r"\x00-\x08\x0e-\x1f!-\x7f"), frozenset(("Zs", "Zl", "Zp")), "\x85"),
}


@dataclass(frozen=True, slots=True)
class TranslatedPattern:
    """A translated pattern. *groups* maps the .NET name of a group (or its number as text) to RE2's group number.

    *depends_on_text* is true if the pattern has a class that must be expanded to the non-ASCII characters of the text.
    """

    pattern: str
    groups: dict[str, int]
    depends_on_text: bool


class Untranslatable(Exception):
    """Raised if the pattern needs something that RE2 cannot do. *offset* counts characters of the pattern from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def translate(pattern: str, beyond_ascii: str = "") -> TranslatedPattern:
    """Translate *pattern* for texts whose non-ASCII characters are all in *beyond_ascii*. Raises Untranslatable."""
    if len(pattern) > MAX_PATTERN:
        raise Untranslatable(f"can have at most {MAX_PATTERN:,} characters; this one has {len(pattern):,}", MAX_PATTERN)
    translator = _Translator(pattern, beyond_ascii)
    return TranslatedPattern(translator.run(), translator.numbering(), translator.depends_on_text)


@dataclass(slots=True)
class _Translator:
    pattern: str
    beyond_ascii: str
    at: int = 0
    depends_on_text: bool = False
    out: list[str] = field(default_factory=list)
    captures: list[str] = field(default_factory=list)  # names of the capturing groups in order, "" if unnamed

    def run(self) -> str:
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            match character:
                case "\\":
                    self.out.append(self.escape(in_class=False))
                case "[":
                    self.out.append(self.character_class())
                case "(" if self.pattern.startswith("(?", self.at):
                    self.group()
                case "(":
                    self.captures.append("")
                    self.take(character)
                case _:
                    self.take(character)
        return "".join(self.out)

    def numbering(self) -> dict[str, int]:
        """Map group numbers of .NET to those of RE2. .NET numbers unnamed groups first, then named ones; RE2 numbers all groups from
        left to right.
        """
        unnamed = [number for number, name in enumerate(self.captures, 1) if not name]
        named = [(name, number) for number, name in enumerate(self.captures, 1) if name]
        groups = {"0": 0}
        for number in [*unnamed, *(number for _, number in named)]:
            groups[str(len(groups))] = number
        groups.update(named)
        return groups

    def take(self, text: str, length: int = 1) -> None:
        self.out.append(text)
        self.at += length

    def refuse(self, what: str) -> Untranslatable:
        return Untranslatable(f"uses {what}, which is not supported", self.at)

    def group(self) -> None:
        rest = self.pattern[self.at + 2 : self.at + 80]
        for sign, name in sorted(_LOOKAROUND.items(), key=lambda item: -len(item[0])):
            if rest.startswith(sign):
                raise self.refuse(f"{name} (?{sign}...)")
        if rest.startswith(">"):
            raise self.refuse("an atomic group (?>...)")
        if rest.startswith("("):
            raise self.refuse("a conditional (?(...)...)")
        if rest.startswith("#"):
            end = self.pattern.find(")", self.at)
            self.at = len(self.pattern) if end < 0 else end + 1
            return
        if rest.startswith(("<", "'", "P<")):
            self.named_group(rest)
            return
        flags = rest[: len(rest) - len(rest.lstrip("imsnx-"))]
        if flags and set(flags) & set("nx"):
            raise self.refuse(f"the option {'n' if 'n' in flags else 'x'}")
        self.take("(?" + flags, 2 + len(flags))

    def named_group(self, rest: str) -> None:
        start = self.at + 2 + (2 if rest.startswith("P<") else 1)
        closing = "'" if rest.startswith("'") else ">"
        end = self.pattern.find(closing, start)
        name = self.pattern[start:end] if end >= 0 else ""
        if "-" in name:
            raise self.refuse("a balancing group")
        if not name.isidentifier() or not name.isascii():
            message = "has a group whose name is not letters, digits and underscores"
            raise Untranslatable(message if name else "has a group without a name", self.at)
        if name in self.captures:
            raise Untranslatable(f"has two groups with the name {name}", self.at)
        self.captures.append(name)
        self.take(f"(?P<{name}>", end + 1 - self.at)

    def escape(self, *, in_class: bool) -> str:
        """Translate the escape at the current position and move past the escape."""
        start = self.at
        character = self.pattern[start + 1 : start + 2]
        if not character:
            raise Untranslatable("ends with a single backslash", start)
        self.at += 2
        if character in "dwsDWS":
            self.depends_on_text = True
            inner = self.members(character)
            return inner if in_class else f"[{inner}]"
        if in_class and character == "b":
            return r"\x08"
        return self.other_escape(character, start, in_class=in_class)

    def members(self, letter: str) -> str:
        """Return the characters of a class such as `\\w`, for use inside brackets."""
        ascii_part, kinds, also = _CLASSES[letter.lower()]
        inside, outside = ascii_part
        wanted = letter.islower()
        found = [
            rf"\x{{{ord(character):x}}}"
            for character in self.beyond_ascii
            if (category(character) in kinds or character in also) is wanted
        ]
        return (inside if wanted else outside) + "".join(found)

    def other_escape(self, character: str, start: int, *, in_class: bool) -> str:
        if character in _ESCAPES and (character != "Z" or not in_class):
            return _ESCAPES[character]
        if character in "xu":
            length = 2 if character == "x" else 4
            digits = self.pattern[self.at : self.at + length]
            if len(digits) < length or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise Untranslatable(f"has \\{character} without {length} hexadecimal digits", start)
            self.at += length
            return rf"\x{{{digits}}}"
        if character == "0":
            return r"\x00"
        if character == "k" or character.isdigit():
            self.at = start
            raise self.refuse(f"a backreference \\{character}")
        if character in _SAME and not (in_class and character in "BAz"):
            return "\\" + character
        if character.isalnum():
            self.at = start
            raise self.refuse(f"the escape \\{character}")
        # RE2 rejects a backslash before a character that needs no escape.
        return character if ord(character) > 127 or character in " _" else "\\" + character

    def character_class(self) -> str:
        start = self.at
        self.at += 1
        out = ["["]
        if self.pattern.startswith("^", self.at):
            out.append("^")
            self.at += 1
        first = True
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            if character == "]" and not first:
                self.at += 1
                return "".join(out) + "]"
            if character == "-" and self.pattern.startswith("-[", self.at):
                raise self.refuse("the subtraction of a class [a-z-[...]]")
            if character == "\\":
                out.append(self.escape(in_class=True))
            else:
                # "[" and a leading "]" are literal in .NET; RE2 would read them as a class name such as [:alpha:].
                out.append("\\" + character if character in "[]" else character)
                self.at += 1
            first = False
        raise Untranslatable("has a class [ without a closing ]", start)
