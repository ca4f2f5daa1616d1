"""Change letter case as .NET does: one character always becomes one character.

Python's rules can turn one character into two (`ß` -> `SS`) and consider neighbouring characters (final sigma), so its results would differ
from Entra's.
"""

from __future__ import annotations

import re

from lockstep.engine.expressions.errors import ExpressionTrouble, shown

_CULTURE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_TURKIC = ("tr", "az")


def lower(text: str, culture: str | None = None) -> str:
    """Convert *text* to lower case. Raises ExpressionTrouble if *culture* is not the name of a culture."""
    if culture and _language(culture) in _TURKIC:
        text = text.replace("İ", "i").replace("I", "ı")
    changed = text.lower()
    if text.isascii() or (len(changed) == len(text) and "Σ" not in text):
        return changed
    return "".join(_one(character, character.lower()) for character in text)


def upper(text: str, culture: str | None = None) -> str:
    """Convert *text* to upper case. Raises ExpressionTrouble if *culture* is not the name of a culture."""
    if culture and _language(culture) in _TURKIC:
        text = text.replace("i", "İ").replace("ı", "I")
    changed = text.upper()
    if text.isascii() or (len(changed) == len(text) and "ı" not in text):
        return changed
    return "".join(character if character == "ı" else _one(character, character.upper()) for character in text)


def _one(character: str, changed: str) -> str:
    return changed if len(changed) == 1 else character


def _language(culture: str) -> str:
    if not _CULTURE.fullmatch(culture):
        message = f"needs a culture such as en-US, got {shown(culture)}"
        raise ExpressionTrouble(message, argument="culture", expected="a culture such as en-US")
    return culture.partition("-")[0].lower()
