"""One change of a configuration: its sign (`+`, `-` or `~`) and its wording. Never contains the value of a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SHOWN_CHARACTERS = 100


class Sign(StrEnum):
    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(frozen=True)
class ConfigChange:
    """One change. *place* is its path (`provisioning.mappings[Users].attributes[title].source`), or "" for the whole document.

    *is_kept* is true for something that is not in the file, but is kept because pruning was not requested.
    """

    sign: Sign
    document: str
    place: str
    old: Any = None
    new: Any = None
    is_kept: bool = False

    @property
    def line(self) -> str:
        """The change on one line: `~ provisioning.scope: "assigned" -> "all"`."""
        place = self.place or self.document
        match self.sign:
            case Sign.ADD:
                return f"+ {place}" + (f": {shown(self.new)}" if self.new is not None else "")
            case Sign.REMOVE:
                return f"- {place}" + ("   (stays; --prune removes it)" if self.is_kept else "")
            case _:
                return f"~ {place}: {shown(self.old)} -> {shown(self.new)}"


def shown(value: Any) -> str:
    """Format *value* on one line, shortened."""
    match value:
        case None:
            return "(none)"
        case bool():
            return "true" if value else "false"
        case str():
            text = f'"{value}"'
        case Mapping():
            text = ", ".join(f"{key}: {shown(inner)}" for key, inner in value.items() if inner is not None)
        case list() | tuple():
            text = f"[{', '.join(shown(inner) for inner in value)}]"
        case _:
            text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."
