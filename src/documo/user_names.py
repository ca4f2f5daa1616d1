"""Prepare user names for comparison, and decide which are valid (RFC 7644, section 5: userName follows PRECIS).

A name is stored as it was sent. Two names are the same if their keys are equal. The rules are those of UsernameCasePreserved (RFC 8265,
section 3.4), but without the Bidi Rule. That rule would refuse every Hebrew or Arabic name followed by a Latin domain.
"""

from __future__ import annotations

import unicodedata

from precis_i18n.baseclass import IdentifierClass
from precis_i18n.unicode import UnicodeData

from lockstep.scim.schema import Attribute

_UNICODE = UnicodeData()
_PARTS = IdentifierClass(_UNICODE)
_REASONS = {
    "DISALLOWED/controls": "a control character",
    "DISALLOWED/precis_ignorable_properties": "an invisible character",
    "DISALLOWED/unassigned": "a character that Unicode has not assigned",
}


def is_user_name(attribute: Attribute) -> bool:
    """Whether *attribute* is the standard attribute for user names, and not an account's own attribute with the same name."""
    return attribute.name == "userName" and attribute.uniqueness == "server" and not attribute.case_exact


def key_of(name: str) -> str:
    """Return the key that all spellings of one name share: width, case and composition are normalized."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", _prepared(name).casefold())


def is_same_name(vouched: str, name: str) -> bool:
    """Return whether *vouched*, the name of a person at an identity provider, equals *name*. Upper and lower case may differ.

    This test is stricter than a comparison of keys, because a provider may have different people whose names have the same key. Keys also
    ignore width and write "ß" as "ss".
    """
    first, second = (unicodedata.normalize("NFC", one).lower() for one in (vouched, name))
    return first == second and vouched.isascii() == name.isascii()  # the Kelvin sign becomes the letter K


def fault_of(name: str) -> str:
    """Return why *name* is not a valid user name, worded as the end of a sentence, or "" if it is valid."""
    prepared = name if name.isascii() else _prepared(name)
    if not prepared.strip(" "):
        return "is blank"
    if prepared != prepared.strip(" "):
        return "begins or ends with a space"
    if prepared.isascii() and prepared.isprintable():
        return ""
    for part in filter(None, prepared.split(" ")):
        try:
            _PARTS.enforce(part)
        except UnicodeEncodeError as refused:
            return _described(part[refused.start], refused.reason)
    return ""


def _prepared(name: str) -> str:
    return unicodedata.normalize("NFC", _UNICODE.width_map(name))


def _described(character: str, reason: str) -> str:
    what = _REASONS.get(reason, "a character that is not allowed in a user name")
    return f"contains U+{ord(character):04X} ({unicodedata.name(character, 'unnamed')}), {what}"
