"""Interpret the claims of an identity provider: who the person is, whether the provider verified the e-mail address, and which roles the
values of a claim give. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.actions.email_addresses import checked_email
from lockstep.actions.permissions import Role
from lockstep.errors import Kind, LockstepError
from lockstep.storage.administrators import RoleGrant
from lockstep.storage.identity_providers import ClaimRole

_LONGEST_SUBJECT, _LONGEST_NAME = 255, 200  # OpenID Connect Core, section 2; ours


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the identity provider knows them. Only *issuer* and *subject* identify the person. *email* is verified by the provider
    and used only for display.
    """

    issuer: str
    subject: str
    email: str
    display_name: str


def identity_in(claims: Mapping[str, Any], *, issuer: str, provider: str, trusts_email: bool) -> Identity:
    """Return the person that *claims* describe. Raises LockstepError if there is no acceptable e-mail address.

    An address is acceptable if the provider says that it is verified. *trusts_email* makes two exceptions. First, an address is also
    acceptable if the provider does not say whether it is verified. Second, if the provider sends no address, the preferred user name is
    used as the address.
    """
    subject = claims["sub"]
    email = _text(claims.get("email")) or (_text(claims.get("preferred_username")) if trusts_email else "")
    verified = claims.get("email_verified")
    is_verified = verified in (True, "true") or (trusts_email and verified is None)
    try:
        address = checked_email(email).lower()
    except LockstepError:
        address = ""
    if not address or not is_verified or len(subject) > _LONGEST_SUBJECT:
        why = f"{provider} does not report {email} as verified" if address else "It sent no e-mail address"
        raise LockstepError(
            Kind.FORBIDDEN,
            f"{provider} sent no verified e-mail address for you",
            why=why,
            next_step="Verify the address at the provider. If the provider never reports addresses as verified, but they "
            "can be trusted, a Global administrator can allow unverified addresses in Lockstep",
        )
    return Identity(issuer, subject, address, _text(claims.get("name"))[:_LONGEST_NAME])


def grants_for(claims: Mapping[str, Any], claim: str, roles: Sequence[ClaimRole]) -> list[RoleGrant]:
    """Return the roles that belong to the values of *claim*. Returns no roles if none of the values has a role."""
    values = values_of(claims, claim)
    grants = [RoleGrant(Role(one.role), one.app, one.app_name) for one in roles if one.value in values]
    return list(dict.fromkeys(grants))


def values_of(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the values of *claim*, which is a string or a list of strings. A dot in the name of the claim leads into a nested object
    (`realm_access.roles`).
    """
    found: Any = claims.get(claim)
    if claim not in claims:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    given = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(one for one in given if isinstance(one, str))


def has_claim(claims: Mapping[str, Any], claim: str) -> bool:
    """Whether *claims* contain *claim*, even with an empty value."""
    return claim in claims or bool(values_of(claims, claim))


def was_left_out(claims: Mapping[str, Any], claim: str) -> bool:
    """Whether the provider left out *claim* because the claim has too many values (Entra calls this overage)."""
    names = claims.get("_claim_names")
    return isinstance(names, Mapping) and claim in names


def _text(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isprintable() else ""
