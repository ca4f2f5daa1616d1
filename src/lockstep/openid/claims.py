"""The claims about a person that each scope releases (OpenID Connect Core, section 5.4). The scope `openid` also releases the application's
other claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCOPE_OF: Mapping[str, str] = {
    **dict.fromkeys(("name", "given_name", "family_name", "preferred_username", "nickname", "middle_name", "profile", "picture", "website",
                     "gender", "birthdate", "zoneinfo", "locale", "updated_at"), "profile"),
    **dict.fromkeys(("email", "email_verified"), "email"),
    "groups": "groups",
}  # fmt: skip
STANDARD = ("name", "given_name", "family_name", "preferred_username", "email", "email_verified", "groups", "roles")
LISTS = frozenset({"groups", "roles"})  # always an array, however many values there are


def released(attributes: Mapping[str, Sequence[str]], groups: Sequence[str], scopes: Sequence[str]) -> dict[str, Any]:
    """Return the claims that *scopes* release. Groups and roles are arrays. Any other claim is a string, or an array if it has several
    values.

    The mail address counts as verified, because it comes from the directory that administrators maintain.
    """
    known: dict[str, Sequence[str]] = {**({"groups": groups} if groups else {}), **attributes}
    found: dict[str, Any] = {
        name: list(values) if name in LISTS or len(values) > 1 else values[0]
        for name, values in known.items()
        if values and SCOPE_OF.get(name, "openid") in scopes
    }
    if "email" in found:
        found["email_verified"] = True
    return found
