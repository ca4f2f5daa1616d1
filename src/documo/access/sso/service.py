"""The SAML metadata that an account's provider reads about Documo. While a key is rolled, it has both certificates for signatures, and for
encryption only the active one: a provider that reads it then stops using the old certificate, and never uses one that may still be dropped.
"""

from __future__ import annotations

from documo.access.sso.addresses import service_address
from documo.access.sso.own_keys import find_own_keys
from documo.store.database import Store
from lockstep.errors import not_found
from lockstep.saml.metadata import SpMetadata, write_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat

_MOST_DIGITS = 9  # digits of an account number


async def metadata_of(store: Store, account: str, *, api_url: str) -> bytes:
    """Return the metadata of the account with this number.

    Raises LockstepError for an unknown account and for one whose Admins have not opened the page *Security*. The text is the same,
    because anybody may ask.
    """
    tenant_id = int(account) if account.isascii() and account.isdigit() and len(account) <= _MOST_DIGITS else 0
    keys = await find_own_keys(store, tenant_id) if tenant_id else []
    if not keys:
        raise not_found(
            "No account with this number uses single sign-on",
            next_step="Copy the address from Account Settings > Security",
        )
    service = await service_address(store, tenant_id, api_url)
    return write_sp_metadata(
        SpMetadata(
            entity_id=service.entity_id,
            reply_urls=[service.reply_url],
            signing_certificates=[key.signing.certificate for key in keys],
            encryption_certificates=[key.signing.certificate for key in keys if key.is_active],
            logout={Binding.REDIRECT: service.logout_url},
            authn_requests_signed=True,
            want_assertions_signed=True,
            name_id_formats=[NameIdFormat.EMAIL_ADDRESS, NameIdFormat.UNSPECIFIED],
        )
    )
