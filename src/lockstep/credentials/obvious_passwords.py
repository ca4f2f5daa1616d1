"""Is a password one that attackers try first? Pure, but for the list that is read once.

`common_passwords.txt` has the most frequent of Django's list of breached passwords (Royce Williams, 2017). The list is asked about the
whole password and about what is left of it without digits and signs at its ends: `Sunshine2026!` is `sunshine` with a year.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_LOOKS_LIKE = str.maketrans("013457@$", "oieastas")
_FEW = 4  # characters of a name that make a password obvious, and different ones that a password has at least
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


def why_obvious(password: str, name: str) -> str:
    """What makes *password* easy to guess for somebody called *name*; "" if nothing does."""
    folded = password.strip().lower()
    if len(set(folded)) < _FEW:
        return "It repeats a few characters"
    unit = _unit(folded)
    if any(folded in run or folded[::-1] in run for run in _RUNS) or any(
        unit in run for run in _RUNS if unit != folded
    ):
        return "It is a row of the keyboard, the alphabet or the digits"
    cores = {one for text in (folded, unit) for one in (text, _core(text), _core(text.translate(_LOOKS_LIKE)))}
    if cores & _common():
        return "It is among the passwords that attackers try first, or one of them with digits and signs around it"
    parts = {part for part in re.split(r"[@.\W_]+", name.lower()) if len(part) >= _FEW} | {name.lower()}
    if cores & parts:
        return "It is a part of the user principal name"
    return ""


def _unit(text: str) -> str:
    """The shortest text of which *text* is a repetition."""
    return text[: (text + text).find(text, 1)]


def _core(text: str) -> str:
    return _ENDS.sub("", text)


@functools.cache
def _common() -> frozenset[str]:
    return frozenset(_LIST.read_text(encoding="utf-8").splitlines())
