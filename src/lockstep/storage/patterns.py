"""Patterns for LIKE of a text that somebody typed, in which % and _ stand for themselves."""

from __future__ import annotations


def literal(text: str) -> str:
    """The pattern that only *text* itself matches."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def part_of(text: str) -> str:
    """The pattern that every text with *text* in it matches."""
    return f"%{literal(text)}%"
