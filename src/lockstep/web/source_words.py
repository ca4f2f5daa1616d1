"""The kinds of sources in words."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS: Mapping[str, str] = {"csv": "CSV file"}


def source_kind(kind: str) -> str:
    """The kind of a source for people: "csv" is "CSV file"."""
    return _KINDS.get(kind, kind)
