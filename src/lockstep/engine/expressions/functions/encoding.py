"""Functions that encode and decode text and bytes: base64, hexadecimal, security identifiers, distinguished names.

"Unicode" means UTF-16 little-endian, as in .NET.
"""

from __future__ import annotations

import base64
import binascii

from lockstep.engine.expressions.catalogue import Example, function, integer, text, word
from lockstep.engine.expressions.errors import ExpressionTrouble, shown
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.values import within_limit

_ENCODINGS = {"Unicode": "utf-16-le", "ASCII": "ascii", "UTF8": "utf-8"}


@function(
    "ConvertToBase64",
    text("source", "the text"),
    returns=ValueKind.TEXT,
    meaning="Encodes the text's UTF-16 bytes as base64.",
    examples=[Example('ConvertToBase64("Hello world!")', "SABlAGwAbABvACAAdwBvAHIAbABkACEA")],
)
def convert_to_base64(source: str | None) -> str | None:
    if source is None:
        return None
    return within_limit(base64.b64encode(source.encode("utf-16-le", "surrogatepass")).decode("ascii"))


@function(
    "ConvertFromBase64",
    text("source", "base64"),
    word("encoding", "Unicode (default), ASCII or UTF8", tuple(_ENCODINGS), optional=True),
    cost=1,
    returns=ValueKind.TEXT,
    meaning="Decodes base64 to the text that it represents.",
    examples=[
        Example('ConvertFromBase64("SABlAGwAbABvACAAdwBvAHIAbABkACEA")', "Hello world!"),
        Example('ConvertFromBase64("SGVsbG8gd29ybGQh", UTF8)', "Hello world!"),
    ],
)
def convert_from_base64(source: str | None, encoding: str | None = None) -> str | None:
    if source is None:
        return None
    codec = _ENCODINGS.get(encoding or "Unicode")
    if codec is None:
        expected = f"one of {', '.join(_ENCODINGS)}"
        raise ExpressionTrouble(
            f"needs {expected} for encoding, got {shown(encoding)}", argument="encoding", expected=expected
        )
    content = _base64(source, "source")
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        message = f"found no {encoding or 'Unicode'} text in the decoded bytes"
        raise ExpressionTrouble(
            message, argument="encoding", expected="the encoding that the text was written in"
        ) from None


@function(
    "ConvertToUTF8Hex",
    text("source", "the text"),
    returns=ValueKind.TEXT,
    meaning="Encodes the text's UTF-8 bytes as upper-case hexadecimal.",
    examples=[Example('ConvertToUTF8Hex("Hello world!")', "48656C6C6F20776F726C6421")],
)
def convert_to_utf8_hex(source: str | None) -> str | None:
    return None if source is None else within_limit(source.encode("utf-8", "surrogatepass").hex().upper())


@function(
    "StringFromSid",
    text("object SID", "a security identifier's bytes, in base64 or hexadecimal"),
    returns=ValueKind.TEXT,
    meaning="Converts a security identifier to the form S-1-...",
    examples=[
        Example(
            'StringFromSid("AQUAAAAAAAUVAAAAFc3Sf/TPQ0Y+tHqFUAQAAA==")',
            "S-1-5-21-2144521493-1178849268-2239411262-1104",
        )
    ],
)
def string_from_sid(object_sid: str | None) -> str | None:
    if object_sid is None or object_sid.startswith("S-1-"):
        return object_sid
    try:
        content = bytes.fromhex(object_sid)
    except ValueError:
        content = _base64(object_sid, "object SID")
    if len(content) < 8 or len(content) != 8 + 4 * content[1]:
        message = "needs the bytes of a security identifier, in base64 or hexadecimal"
        raise ExpressionTrouble(message, argument="object SID", expected="8 bytes and 4 for each sub-authority")
    parts = [content[0], int.from_bytes(content[2:8], "big")]
    parts += [int.from_bytes(content[start : start + 4], "little") for start in range(8, len(content), 4)]
    return "S-" + "-".join(map(str, parts))


@function(
    "DNComponent",
    text("dn", "a distinguished name"),
    integer("component number", "which component, counted from 1 on the left"),
    cost=8,
    returns=ValueKind.TEXT,
    meaning="The value of one component of a distinguished name; null if it does not exist.",
    examples=[Example("DNComponent(CRef([dn]),2)", "Sales, North", {"dn": "cn=Joe,ou=Sales\\, North,dc=contoso"})],
)
def dn_component(dn: str | None, number: int) -> str | None:
    if dn is None:
        return None
    if number < 1:
        message = f"counts components from 1, got {number}"
        raise ExpressionTrouble(message, argument="component number", expected="1 or more")
    components = _dn_components(dn)
    return components[number - 1] if number <= len(components) else None


def _dn_components(dn: str) -> list[str]:
    """The unescaped values of the components of a distinguished name (RFC 4514)."""
    found: list[str] = []
    current: list[str] = []
    characters = iter(dn)
    for character in characters:
        if character == "\\":
            current.append(next(characters, ""))
        elif character == ",":
            found.append("".join(current))
            current = []
        else:
            current.append(character)
    found.append("".join(current))
    return [component.partition("=")[2].strip() for component in found]


def _base64(source: str, argument: str) -> bytes:
    try:
        return base64.b64decode(source, validate=True)
    except (binascii.Error, ValueError):
        raise ExpressionTrouble(
            "needs base64, got {value}", argument=argument, expected="base64", value=source
        ) from None
