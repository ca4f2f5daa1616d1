"""Tokens of those who may look at a process: monitoring."""

from __future__ import annotations

from lockstep.errors import invalid

SHORTEST_TOKEN = 16


def checked_token(text: str, *, variable: str) -> str:
    """*text*. Raises LockstepError where it can be guessed or cannot travel in a header; the text is not repeated."""
    if len(text) < SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise invalid(
            f"{variable} must have at least {SHORTEST_TOKEN} characters of ASCII without blanks",
            next_step="Make one: openssl rand -hex 24",
        )
    return text
