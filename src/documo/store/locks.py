"""The advisory locks of Documo, by name. Each is held until the transaction ends."""

from __future__ import annotations

from lockstep.postgres.advisory_locks import LockName

TRUSTED_ISSUERS = LockName(
    "trusted issuers"
)  # for new trusts, so that no two accounts get the same issuer and audience


def seats_of(tenant_id: int) -> LockName:
    """The lock under which active members are counted."""
    return LockName(f"seats of {tenant_id}")


def admins_of(tenant_id: int) -> LockName:
    """The lock under which active Admins are counted, so that two changes cannot together remove the last one."""
    return LockName(f"Admins of {tenant_id}")


def documents_of(tenant_id: int) -> LockName:
    """The lock under which the size of documents is added up."""
    return LockName(f"documents of {tenant_id}")


def sign_on_keys_of(tenant_id: int) -> LockName:
    """The lock under which the keys for single sign-on are changed."""
    return LockName(f"sign-on keys of {tenant_id}")
