"""Authentication contexts: the class that a session satisfies, and whether this class meets the application's request (SAML core, section
3.3.2.2.1). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.person_sign_in.sessions import BY_PASSWORD, CODE, SECOND_FACTORS

_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
UNSPECIFIED = f"{_CLASSES}unspecified"
PROTECTED_PASSWORD = f"{_CLASSES}PasswordProtectedTransport"
TIME_SYNC_TOKEN = f"{_CLASSES}TimeSyncToken"
MULTI_FACTOR = "https://refeds.org/profile/mfa"
# From weak to strong; classes of the same rank are equally strong.
_RANKS: Sequence[frozenset[str]] = (
    frozenset({UNSPECIFIED}),
    frozenset({f"{_CLASSES}Password", PROTECTED_PASSWORD, "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"}),
    frozenset({TIME_SYNC_TOKEN, MULTI_FACTOR, "http://schemas.microsoft.com/claims/multipleauthn"}),
)  # fmt: skip


def class_for(methods: Sequence[str], wanted: Sequence[str], comparison: str) -> str | None:
    """Return the authentication context class to state for a session that began with *methods*. If *comparison* is "exact" and *wanted* is
    not empty, this is the first class in *wanted* that the session satisfies; otherwise it is the session's own class. Returns None if the
    session does not satisfy *wanted*.

    If a session began at an identity provider, its own class is "unspecified", because Lockstep does not know how the provider checked the
    person.
    """
    rank = 2 if not SECOND_FACTORS.isdisjoint(methods) else 1 if not BY_PASSWORD.isdisjoint(methods) else 0
    own = (UNSPECIFIED, PROTECTED_PASSWORD, TIME_SYNC_TOKEN if CODE in methods else MULTI_FACTOR)[rank]
    if not wanted:
        return own
    if comparison == "exact":
        reached = [one for one in wanted if any(one in _RANKS[below] for below in range(rank + 1))]
        return reached[0] if reached else None
    known = [found for one in wanted if (found := _rank_of(one)) is not None]
    if not known:
        return None
    is_enough = {"minimum": rank >= min(known), "maximum": rank <= max(known), "better": rank > max(known)}[comparison]
    return own if is_enough else None


def _rank_of(name: str) -> int | None:
    return next((rank for rank, names in enumerate(_RANKS) if name in names), None)
