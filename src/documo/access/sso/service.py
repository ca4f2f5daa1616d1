"""The SAML metadata that Documo publishes for an account's provider.

While a key is being replaced, the metadata lists both certificates for signatures, but only the active one for encryption. A provider that
reads it therefore stops encrypting to the old certificate, and never encrypts to a new one that may still be discarded.
"""

from __future__ import annotations

from uuid import UUID

from documo.access.sso.addresses import METADATA_PATH, service_address
from documo.access.sso.own_keys import find_own_keys
from documo.store import sso_keys as table
from documo.store.database import Store
from lockstep.errors import not_found
from lockstep.saml.metadata import SpMetadata, write_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat

_MOST_DIGITS = 9  # digits of an account number


async def metadata_address(store: Store, tenant_id: int, api_url: str) -> str:
    """Return the address at which an identity provider reads the account's metadata. Strangers cannot guess it."""
    async with store.control() as connection:
        return f"{api_url}{METADATA_PATH}?account={await table.metadata_id(connection, tenant_id)}"


async def metadata_at(store: Store, reference: str, *, api_url: str) -> bytes:
    """Return the metadata of the account that the address names. *reference* is the id in the address. In addresses from before there were
    ids, it is the number of the account.

    Raises LockstepError for an unknown account, and for an account without keys. Anybody may call this, so the error message is the same in
    both cases.
    """
    async with store.control() as connection:
        if reference.isascii() and reference.isdigit() and len(reference) <= _MOST_DIGITS:
            tenant_id = await table.tenant_of_metadata_number(connection, int(reference))
        else:
            tenant_id = await table.tenant_of_metadata(connection, _id_in(reference))
    return await metadata_of(store, tenant_id or 0, api_url=api_url)


async def metadata_of(store: Store, tenant_id: int, *, api_url: str) -> bytes:
    """Return the metadata of the account. Raises LockstepError for an unknown account, and for an account without keys. The first key is
    created when it is needed, for example when an Admin opens the page *Security*.
    """
    keys = await find_own_keys(store, tenant_id) if tenant_id else []
    if not keys:
        raise not_found(
            "No account has its metadata at this address", next_step="Copy the address from Account Settings > Security"
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


def _id_in(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None
