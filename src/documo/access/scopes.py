"""The scopes of API keys and tokens. The names without `scim:`, which were used before 0.1.0, are accepted as input until 0.2.0.

The configuration of other programs may still contain them: scripts, clients that request a token, and issuers that write scopes into their
tokens. Documo never stores or shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lockstep.errors import invalid

READ, USERS, GROUPS, ADMIN = "scim:read", "scim:users", "scim:groups", "admin"
SCOPES: Mapping[str, str] = {
    READ: "Read users, groups, roles and schemas",
    USERS: "Create, change and delete users",
    GROUPS: "Create, change and delete groups",
    ADMIN: "All of the above, and the account's own resource types and roles",
}
DEFAULT_SCOPES = (READ, USERS, GROUPS)
_FORMER = {"read": READ, "users": USERS, "groups": GROUPS}


def present_name(scope: str) -> str:
    """Return the present name of a scope. An unknown name is returned as it is."""
    return _FORMER.get(scope, scope)


def present_names(scopes: Iterable[str]) -> frozenset[str]:
    return frozenset(map(present_name, scopes))


def checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """Return *scopes* by their present names, in the order of SCOPES. Raises LockstepError for an unknown scope or an empty list."""
    unknown = [scope for scope in scopes if present_name(scope) not in SCOPES]
    if unknown or not scopes:
        raise invalid(
            f"{unknown[0]!r} is not a scope" if unknown else "A key needs at least one scope",
            next_step=f"Scopes: {', '.join(SCOPES)}",
        )
    named = present_names(scopes)
    return tuple(scope for scope in SCOPES if scope in named)
