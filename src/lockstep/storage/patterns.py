"""Build LIKE patterns from user input, escaping % and _."""

from __future__ import annotations


def literal(text: str) -> str:
    """Return a pattern that matches only *text* itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def part_of(text: str) -> str:
    """Return a pattern that matches every string that contains *text*."""
    return f"%{literal(text)}%"
