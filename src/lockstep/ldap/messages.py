"""The messages of LDAP version 3 that a sign-in needs (RFC 4511), as bytes. Pure.

Values are length-prefixed, so a value cannot change the structure of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LONGEST = 1 << 20  # bytes of a message; longer ones are refused
SUCCESS, INVALID_CREDENTIALS = 0, 49  # result codes (RFC 4511, appendix A)
BIND_RESPONSE, ENTRY, DONE, REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
_INTEGER, _BOOLEAN, _OCTETS, _ENUMERATED, _SEQUENCE = 0x02, 0x01, 0x04, 0x0A, 0x30
_BIND, _UNBIND, _SEARCH, _EXTENDED, _EXTENDED_NAME = 0x60, 0x42, 0x63, 0x77, 0x80
_START_TLS = b"1.3.6.1.4.1.1466.20037"  # RFC 4511, section 4.14.1
_SIMPLE, _EQUALS = 0x80, 0xA3
_WHOLE_SUBTREE, _NEVER_DEREFERENCE, _NO_ATTRIBUTES = 2, 0, b"1.1"


class MalformedMessage(ValueError):
    """Raised if the server sends something that is not an LDAP message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One response. A result has *code* and *text*. An entry has *dn* and *values*, whose keys are attribute names in lower case."""

    number: int
    kind: int
    code: int = 0
    text: str = ""
    dn: str = ""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)


def bind_request(number: int, dn: str, password: str) -> bytes:
    """Build a simple bind. Raises ValueError if *dn* or *password* is empty.

    A bind without a password would be an unauthenticated bind, to which servers answer success (RFC 4513, section 5.1.2).
    """
    if not dn or not password:
        raise ValueError("A bind needs a name and a password")
    return _message(number, _tlv(_BIND, _integer(3) + _tlv(_OCTETS, dn.encode()) + _tlv(_SIMPLE, password.encode())))


def start_tls_request(number: int) -> bytes:
    return _message(number, _tlv(_EXTENDED, _tlv(_EXTENDED_NAME, _START_TLS)))


def search_request(
    number: int, base: str, attribute: str, value: str, *, most: int, seconds: int, wanted: str = ""
) -> bytes:
    """Build a search for the entries below *base* whose *attribute* is *value*. It requests their names and the values of *wanted*."""
    asked = wanted.encode() or _NO_ATTRIBUTES
    condition = _tlv(_EQUALS, _tlv(_OCTETS, attribute.encode()) + _tlv(_OCTETS, value.encode()))
    return _message(
        number,
        _tlv(
            _SEARCH,
            _tlv(_OCTETS, base.encode())
            + _tlv(_ENUMERATED, bytes([_WHOLE_SUBTREE]))
            + _tlv(_ENUMERATED, bytes([_NEVER_DEREFERENCE]))
            + _integer(most)
            + _integer(seconds)
            + _tlv(_BOOLEAN, b"\x00")
            + condition
            + _tlv(_SEQUENCE, _tlv(_OCTETS, asked)),
        ),
    )


def unbind_request(number: int) -> bytes:
    return _message(number, _tlv(_UNBIND, b""))


def read_message(content: bytes) -> Message:
    """Parse the content of the outer sequence of a message. Raises MalformedMessage."""
    tag, number, rest = _next(content)
    kind, body, _ = _next(rest)
    if tag != _INTEGER:
        raise MalformedMessage("no message number")
    id_ = int.from_bytes(number, "big", signed=True)
    if kind == ENTRY:
        _, name, rest = _next(body)
        return Message(id_, kind, dn=_text(name), values=_values(_next(rest)[1]))
    if kind not in (BIND_RESPONSE, DONE, EXTENDED):
        return Message(id_, kind)
    _, code, rest = _next(body)
    _, _, rest = _next(rest)
    return Message(id_, kind, int.from_bytes(code, "big", signed=True), _text(_next(rest)[1]))


def length_of(first: int, more: bytes) -> int:
    """Return the length that is encoded in the first byte and the bytes after it. Raises MalformedMessage if it is too large."""
    length = first if first < 0x80 else int.from_bytes(more, "big")
    if length > LONGEST:
        raise MalformedMessage("a message that is too long")
    return length


def length_bytes(first: int) -> int:
    """Return how many more bytes belong to the length. Raises MalformedMessage for an indefinite length."""
    if first == 0x80 or first > 0x84:
        raise MalformedMessage("a length that LDAP does not allow")
    return first - 0x80 if first > 0x80 else 0


def _values(data: bytes) -> dict[str, list[str]]:
    """Return the attributes of an entry (RFC 4511, section 4.5.2)."""
    found = {}
    while data:
        _, attribute, data = _next(data)
        _, name, rest = _next(attribute)
        _, values, _ = _next(rest)
        texts = []
        while values:
            _, value, values = _next(values)
            texts.append(_text(value))
        found[_text(name).lower()] = texts
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _next(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and the content of the first element, and the data after it."""
    if len(data) < 2:
        raise MalformedMessage("an element without a length")
    more = length_bytes(data[1])
    end = 2 + more + length_of(data[1], data[2 : 2 + more])
    if len(data) < end:
        raise MalformedMessage("an element that ends too early")
    return data[0], data[2 + more : end], data[end:]


def _message(number: int, operation: bytes) -> bytes:
    return _tlv(_SEQUENCE, _integer(number) + operation)


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
