"""Functions for texts: cut, measure, change case.

Positions count from 1. For a null source, Left and Word give "", and all other functions give null.
"""

from __future__ import annotations

from unicodedata import category

from lockstep.engine.expressions.catalogue import Example, anything, function, integer, text, word
from lockstep.engine.expressions.diacritics import without_diacritics
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.letter_case import lower, upper
from lockstep.engine.expressions.values import ExpressionValue, to_text, within_limit

_SEPARATOR_CATEGORIES = frozenset(
    ("Zs", "Zl", "Zp", "Cc", "Cf", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So")
)


@function(
    "Append",
    text("source", "the text"),
    text("suffix", "the text to append"),
    returns=ValueKind.TEXT,
    meaning="Appends the suffix to the source.",
    examples=[
        Example(
            'Append([userPrincipalName], ".test")',
            "John.Doe@contoso.com.test",
            {"userPrincipalName": "John.Doe@contoso.com"},
        ),
        Example(
            "Append(Mid([givenName], 1, 3), Mid([surname], 1, 5))", "JohDoe", {"givenName": "John", "surname": "Doe"}
        ),
    ],
)
def append(source: str | None, suffix: str | None) -> str | None:
    return None if source is None else within_limit(source + (suffix or ""))


@function(
    "CStr",
    anything("value", "a number, a reference or a boolean"),
    returns=ValueKind.TEXT,
    meaning="Converts the value to text.",
    examples=[
        Example("CStr([dn])", "cn=Joe,dc=contoso,dc=com", {"dn": "cn=Joe,dc=contoso,dc=com"}),
        Example("CStr(12)", "12"),
    ],
)
def cstr(value: ExpressionValue) -> str | None:
    return to_text(value, "value")


@function(
    "CRef",
    text("value", "a distinguished name"),
    returns=ValueKind.TEXT,
    meaning="Converts text to a reference, for DNComponent.",
    examples=[Example("DNComponent(CRef([dn]),1)", "Joe", {"dn": "cn=Joe,ou=Sales,dc=contoso,dc=com"})],
)
def cref(value: str | None) -> str | None:
    return value


@function(
    "Left",
    text("source", "the text"),
    integer("number of characters", "how many characters to return; if negative, the whole text is returned"),
    returns=ValueKind.TEXT,
    meaning="The first characters of the source. Null gives empty text.",
    examples=[Example('Left("John Doe", 3)', "Joh")],
)
def left(source: str | None, count: int) -> str:
    return (source or "")[:count] if count >= 0 else source or ""


@function(
    "Mid",
    text("source", "the text"),
    integer("start", "the first character's position, from 1"),
    integer("length", "the number of characters; if omitted, all to the end", optional=True),
    returns=ValueKind.TEXT,
    meaning="Characters from the middle of the source; fewer if the source ends before.",
    examples=[Example('Mid("John",1,3)', "Joh"), Example('Mid("John","2","9")', "ohn")],
)
def mid(source: str | None, start: int, length: int | None = None) -> str | None:
    if start < 1:
        raise ExpressionTrouble(
            f"counts characters from 1, got {start} as start", argument="start", expected="1 or more"
        )
    if length is not None and length < 0:
        raise ExpressionTrouble(f"got a length of {length}", argument="length", expected="0 or more")
    if source is None:
        return None
    return source[start - 1 :] if length is None else source[start - 1 : start - 1 + length]


@function(
    "Len",
    text("source", "the text"),
    returns=ValueKind.INTEGER,
    meaning="The number of characters in the source.",
    examples=[Example('Len("John Doe")', 8)],
)
def length_of(source: str | None) -> int | None:
    return None if source is None else len(source)


@function(
    "InStr",
    text("source", "the text to search"),
    text("find", "the text to find"),
    integer("start", "the position where the search starts, from 1", optional=True),
    word(
        "compare",
        "vbBinaryCompare (default) or vbTextCompare, which ignores case",
        ("vbBinaryCompare", "vbTextCompare"),
        optional=True,
    ),
    cost=24,
    returns=ValueKind.INTEGER,
    meaning="The position of the first occurrence of the text; 0 if there is none.",
    examples=[
        Example('InStr("The quick brown fox","quick")', 5),
        Example('InStr("repEated","e",3,vbBinaryCompare)', 7),
        Example('InStr("repEated","e",3,vbTextCompare)', 4),
    ],
)
def instr(source: str | None, find: str | None, start: int | None = None, compare: str | None = None) -> int | None:
    if start is not None and start < 1:
        raise ExpressionTrouble(
            f"counts characters from 1, got {start} as start", argument="start", expected="1 or more"
        )
    if source is None:
        return None
    wanted = find or ""
    if compare == "vbTextCompare":
        source, wanted = lower(source), lower(wanted)
    return source.find(wanted, (start or 1) - 1) + 1


@function(
    "NormalizeDiacritics",
    text("source", "the text"),
    cost=18,
    returns=ValueKind.TEXT,
    meaning="Replaces accented letters with plain letters, from a fixed table (ä becomes a, ø oe, ß ss). Other characters stay.",
    examples=[Example("NormalizeDiacritics([givenName])", "Zoe", {"givenName": "Zoë"})],
)
def normalize_diacritics(source: str | None) -> str | None:
    return None if source is None else within_limit(without_diacritics(source))


@function(
    "PCase",
    text("source", "the text"),
    text(
        "word separators",
        "characters that separate words, instead of all spaces, punctuation and symbols",
        optional=True,
    ),
    cost=20,
    returns=ValueKind.TEXT,
    meaning="Converts the first character of each word to upper case and all others to lower case.",
    examples=[
        Example("PCase([firstName])", "Pablo Gonsalves (Second)", {"firstName": "PABLO GONSALVES (SECOND)"}),
        Example('PCase([lastName]," \'-")', "Pinto-De'Silva", {"lastName": "PINTO-DE'SILVA"}),
        Example(
            'PCase(Join(" ",[firstName],[lastName]))', "Gregory James", {"firstName": "GREGORY", "lastName": "JAMES"}
        ),
    ],
)
def pcase(source: str | None, word_separators: str | None = None) -> str | None:
    if source is None:
        return None
    given = frozenset(word_separators) if word_separators else None
    result: list[str] = []
    at_start = True
    for character in source:
        result.append(upper(character) if at_start else lower(character))
        at_start = category(character) in _SEPARATOR_CATEGORIES if given is None else character in given
    return "".join(result)


@function(
    "StripSpaces",
    text("source", "the text"),
    cost=1,
    returns=ValueKind.TEXT,
    meaning="Removes spaces from the source. Other white space stays.",
    examples=[Example('StripSpaces("John Doe")', "JohnDoe")],
)
def strip_spaces(source: str | None) -> str | None:
    return None if source is None else source.replace(" ", "")


@function(
    "ToLower",
    text("source", "the text"),
    text("culture", "such as tr-TR; if omitted, culture-invariant", optional=True),
    cost=26,
    returns=ValueKind.TEXT,
    meaning="Converts the source to lower case.",
    remarks="A value that differs only in case is written, except where the target attribute ignores case (as userName does).",
    examples=[
        Example(
            'ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".",  [PreferredFirstName], [PreferredLastName]))), "contoso.com"))',
            "john.smith@contoso.com",
            {"PreferredFirstName": "John", "PreferredLastName": "Smith"},
        ),
    ],
)
def to_lower(source: str | None, culture: str | None = None) -> str | None:
    return None if source is None else lower(source, culture)


@function(
    "ToUpper",
    text("source", "the text"),
    text("culture", "such as tr-TR; if omitted, culture-invariant", optional=True),
    cost=18,
    returns=ValueKind.TEXT,
    meaning="Converts the source to upper case.",
    remarks="A value that differs only in case is written, except where the target attribute ignores case (as userName does).",
    examples=[Example('ToUpper("se")', "SE")],
)
def to_upper(source: str | None, culture: str | None = None) -> str | None:
    return None if source is None else upper(source, culture)


@function(
    "Word",
    text("source", "the text"),
    integer("word number", "which word, from 1"),
    text("delimiters", "the characters that separate words"),
    cost=6,
    returns=ValueKind.TEXT,
    meaning="One word of the source; an empty text if there is no such word.",
    examples=[
        Example('Word("The quick brown fox",3," ")', "brown"),
        Example('Word("This,string!has&many separators",3,",!&#")', "has"),
    ],
)
def word_at(source: str | None, number: int, delimiters: str | None) -> str:
    if not source or number < 1:
        return ""
    marks = frozenset(delimiters or "")
    found = 0
    start = None
    for index, character in enumerate(source + next(iter(marks), "")):
        if character not in marks:
            start = index if start is None else start
        elif start is not None:
            found += 1
            if found == number:
                return source[start:index]
            start = None
    return source if not marks and number == 1 else ""
