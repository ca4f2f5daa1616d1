"""Labels for the kinds of sources."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS: Mapping[str, str] = {"csv": "CSV file"}


def source_kind(kind: str) -> str:
    """Return the label for the kind of a source: "CSV file" for "csv"."""
    return _KINDS.get(kind, kind)
