"""The SAML metadata that Documo publishes for an account's provider.

While a key is being replaced, the metadata lists both certificates for signatures, but only the active one for encryption. A provider that
reads it therefore stops encrypting to the old certificate, and never encrypts to a new one that may still be discarded.
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

    Raises LockstepError for an unknown account, and for an account whose Admins have not opened the page *Security*. Both errors have the
    same text, because anybody may call this.
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
