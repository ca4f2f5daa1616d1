"""Tokens that monitoring uses to read a process's metrics."""

from __future__ import annotations

from lockstep.errors import invalid

SHORTEST_TOKEN = 16


def checked_token(text: str, *, variable: str) -> str:
    """Return *text*. Raises LockstepError, without quoting *text*, if it is shorter than `SHORTEST_TOKEN` or has characters that a header
    does not allow.
    """
    if len(text) < SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise invalid(
            f"{variable} must have at least {SHORTEST_TOKEN} ASCII characters without spaces",
            next_step="Create one: openssl rand -hex 24",
        )
    return text
