"""Parse and print the paths of PATCH operations: `name.givenName`, `emails[type eq "work"].value`, `urn:...:User:manager`.

The target attributes of mappings have the same syntax. A path can be valid although no schema declares its attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lockstep.scim.errors import ScimError, invalid_path
from lockstep.scim.filters import MAX_LENGTH, Filter, FilterReader, print_filter
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.names import AttributePath, parse_name
from lockstep.scim.tokens import tokenize


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path, `schema:attribute[filter].sub`. *attribute* is "" if the path means the extension *schema* itself."""

    attribute: str
    sub: str = ""
    schema: str = ""
    filter: Filter | None = None

    def __str__(self) -> str:
        selection = f"[{print_filter(self.filter)}]" if self.filter is not None else ""
        sub = f".{self.sub}" if self.sub else ""
        local = f"{self.attribute}{selection}{sub}"
        if not self.schema:
            return local
        return f"{self.schema}:{local}" if local else self.schema

    @property
    def is_plain(self) -> bool:
        """Whether the path has neither a filter nor a schema. It may have a sub-attribute."""
        return self.filter is None and not self.schema

    @property
    def name(self) -> AttributePath:
        """The path without its filter."""
        return AttributePath(self.attribute, self.sub, self.schema)


def parse_path(text: str, *, lenient: bool = False) -> Path:
    """Parse a path. Parsed short paths are cached. Raises ScimError("invalidPath") with the position of the mistake.

    *lenient* also accepts filter values without quotes, and quotes other than the double quote (`"`).
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise invalid_path(f"A path is a string of at most {MAX_LENGTH} characters.")
    return _parse_cached(text, lenient) if len(text) <= CACHED_TEXT else _parse(text, lenient)


@lru_cache(maxsize=1024)
def _parse_cached(text: str, lenient: bool) -> Path:
    return _parse(text, lenient)


def _parse(text: str, lenient: bool) -> Path:
    if "[" not in text:
        name = parse_name(text, invalid_path)
        return Path(name.name, name.sub, name.schema)
    try:
        return _parse_value_path(text, lenient=lenient)
    except ScimError as error:
        raise invalid_path(f"The path {text[:200]!r} cannot be read. {error.detail}", text[:200]) from None


def _parse_value_path(text: str, *, lenient: bool) -> Path:
    reader = FilterReader(tokenize(text, invalid_path, any_quotes=lenient), lenient=lenient)
    name = parse_name(reader.expect("word", "an attribute name").text)
    if name.sub or not name.name:
        raise invalid_path("A filter in brackets follows an attribute, not a sub-attribute.")
    reader.expect("[", "an opening square bracket")
    selection = reader.read_filter()
    reader.expect("]", "a closing square bracket")
    sub = ""
    if reader.next.kind == "word":
        after = reader.take().text
        sub_name = parse_name(after[1:]) if after.startswith(".") else None
        if sub_name is None or sub_name.sub or sub_name.schema:
            raise invalid_path(f"{after[:80]!r} cannot follow the bracket: write one sub-attribute after a dot.")
        sub = sub_name.name
    reader.expect("end", "the end of the path")
    return Path(name.name, sub, name.schema, selection)
