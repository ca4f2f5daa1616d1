"""Parse a body from the network. Only JSON of limited depth is accepted, without duplicate keys and without lone surrogates.

Duplicate keys are refused because two parsers could read the same body differently.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from lockstep.scim.errors import invalid_syntax, too_large

MAX_DEPTH: Final = 32
MAX_BODY_BYTES: Final = 1024 * 1024
MAX_BULK_BYTES: Final = 10 * 1024 * 1024
MAX_VALUES: Final = (
    1_000  # values of one attribute; members of groups do not count, because they are not kept in the resource
)
MAX_NAME: Final = 512  # characters of an attribute name including its URN, or of an object's key
CACHED_TEXT: Final = 256  # characters; longer strings are not cached, because clients choose what fills the cache

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")


def read_json(raw: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """Parse the body of a request. Raises ScimError 413 if it is too large, and invalidSyntax for every other problem."""
    if len(raw) > max_bytes:
        raise too_large(f"The body has {len(raw)} bytes; the limit is {max_bytes}.")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"The body is not JSON: {_reason(error)}") from None
    # Outside of strings, valid JSON contains only brackets and exactly one colon for each key, so colons count the keys.
    structure = _STRING.sub(b"", raw)
    if structure.count(b"{") + structure.count(b"[") > MAX_DEPTH:
        _check_depth(structure)
    if structure.count(b":") != _count_keys(value):
        raise invalid_syntax("The body names a key twice in one object: send each once.")
    return value


def check_keys(value: Any) -> None:
    """Raise ScimError if any key in *value* is too long to be the name of an attribute."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            for key in item:
                if len(key) > MAX_NAME:
                    raise invalid_syntax(f"The name {key[:60]!r}... is longer than {MAX_NAME} characters.")
            waiting += [v for v in item.values() if type(v) in (dict, list)]
        elif type(item) is list:
            waiting += [v for v in item if type(v) in (dict, list)]


def _check_depth(structure: bytes) -> None:
    depth = 0
    for bracket in _BRACKET.findall(structure):
        depth += 1 if bracket in b"{[" else -1
        if depth > MAX_DEPTH:
            raise invalid_syntax(f"The body nests deeper than {MAX_DEPTH} levels.")


def _count_keys(value: Any) -> int:
    count = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            count += len(item)
            waiting += [v for v in item.values() if type(v) in (dict, list)]
        elif type(item) is list:
            waiting += [v for v in item if type(v) in (dict, list)]
    return count


def _reason(error: orjson.JSONDecodeError) -> str:
    return str(error).splitlines()[0][:200]
