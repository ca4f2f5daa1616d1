"""Detect passwords that attackers try first. Pure, except that the list is read once.

`common_passwords.txt` contains the most frequent passwords of Django's list of breached passwords (Royce Williams, 2017). The whole
password is looked up, and also the password without the digits and signs at its ends: `Sunshine2026!` is `sunshine` with a year.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_LOOKS_LIKE = str.maketrans("013457@$", "oieastas")
_FEW = 4  # minimum characters of a shared part of a name, and minimum number of different characters in a password
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


def why_obvious(password: str, name: str) -> str:
    """Return why *password* is easy to guess for the person called *name*, or "" if it is not."""
    folded = password.strip().lower()
    if len(set(folded)) < _FEW:
        return "It repeats a few characters"
    unit = _unit(folded)
    if any(folded in run or folded[::-1] in run for run in _RUNS) or any(
        unit in run for run in _RUNS if unit != folded
    ):
        return "It follows the order of the keyboard, the alphabet or the digits"
    cores = {one for text in (folded, unit) for one in (text, _core(text), _core(text.translate(_LOOKS_LIKE)))}
    if cores & _common():
        return "It is one of the passwords that attackers try first, or such a password with digits and signs added"
    parts = {part for part in re.split(r"[@.\W_]+", name.lower()) if len(part) >= _FEW} | {name.lower()}
    if cores & parts:
        return "It is part of the user principal name"
    return ""


def _unit(text: str) -> str:
    """Return the shortest string whose repetition is *text*."""
    return text[: (text + text).find(text, 1)]


def _core(text: str) -> str:
    return _ENDS.sub("", text)


@functools.cache
def _common() -> frozenset[str]:
    return frozenset(_LIST.read_text(encoding="utf-8").splitlines())
