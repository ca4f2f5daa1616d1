"""Refuse API requests of programs if the account's plan does not include the API, and SCIM requests if an Admin has switched SCIM off.
Pages are not affected.
"""

from __future__ import annotations

from documo.accounts import TenantAccount
from lockstep.errors import Kind, LockstepError

SWITCHED_OFF = (
    "SCIM is switched off for this account. An Admin can switch it on in Documo, under Account Settings > SCIM."
)


def api_refusal(account: TenantAccount) -> str:
    """Return why programs of the account are refused and what to do about it, or "" if the account's plan includes the API."""
    if account.api_enabled:
        return ""
    return (
        f"The plan {account.plan!r} of this account does not include access to the API, so nothing was read or changed."
        " Ask Documo for a plan that includes it. The keys stay valid and will then work again."
    )


def scim_refusal(account: TenantAccount) -> str:
    """Return why SCIM requests are refused and what to do about it, or "" if they are accepted."""
    return api_refusal(account) or ("" if account.scim_enabled else SWITCHED_OFF)


def require_api(account: TenantAccount) -> None:
    """Raise LockstepError if the account's plan does not include the API."""
    if not account.api_enabled:
        raise LockstepError(
            Kind.FORBIDDEN,
            f"The plan {account.plan!r} does not include access to the API, so no key can be created",
            next_step="Ask Documo for a plan that includes it",
        )
