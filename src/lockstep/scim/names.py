"""Parse and print the names of attributes: `userName`, `name.givenName`, `urn:...:User:department`.

A URN contains dots ("2.0"). The parser therefore first splits off the schema at the last colon, and then splits the attribute at
its dot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from lockstep.scim.errors import ScimError, invalid_path
from lockstep.scim.limits import CACHED_TEXT, MAX_NAME

_PART = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")
# urn:...:2.0:User names the whole extension, not an attribute called "User".
_WHOLE_SCHEMA = re.compile(r".*:\d+(\.\d+)+:[A-Za-z][A-Za-z0-9_$-]*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AttributePath:
    """The parsed name of an attribute.

    *schema* is the URN as the client spelled it, or "". *name* is "" if the name means the schema itself. *sub* is "" if the
    name means the whole attribute.
    """

    name: str
    sub: str = ""
    schema: str = ""

    def __str__(self) -> str:
        local = f"{self.name}.{self.sub}" if self.sub else self.name
        if not self.schema:
            return local
        return f"{self.schema}:{local}" if local else self.schema


def parse_name(text: str, error: Callable[[str], ScimError] = invalid_path) -> AttributePath:
    """Parse the name of an attribute. If *text* is not a valid name, raises the exception that *error* builds from an explanation."""
    if len(text) > MAX_NAME:
        raise error(f"{text[:60]!r}... is longer than the {MAX_NAME} characters that an attribute's name may have.")
    path = _parse_cached(text) if len(text) <= CACHED_TEXT else _parse(text)
    if path is None:
        raise error(f"{text[:120]!r} is not an attribute name: write name, name.sub or urn:...:name.")
    return path


@lru_cache(maxsize=1024)
def _parse_cached(text: str) -> AttributePath | None:
    return _parse(text)


def _parse(text: str) -> AttributePath | None:
    schema, local = "", text
    if text[:4].lower() == "urn:":
        if not _printable(text):
            return None
        if _WHOLE_SCHEMA.match(text):
            return AttributePath("", "", text)
        schema, _, local = text.rpartition(":")
        if schema.lower() == "urn":
            return None
    name, dot, sub = local.partition(".")
    if not _PART.match(name) or (dot and not _PART.match(sub)):
        return None
    return AttributePath(name, sub, schema)


def _printable(text: str) -> bool:
    return text.isprintable() and not any(character in ' "()[]' for character in text)
