"""What an account tells its provider about Documo."""

from __future__ import annotations

from documo.access.sso.addresses import service_address
from documo.access.sso.providers import own_key
from documo.accounts import find_account
from documo.store.database import Store
from lockstep.saml.metadata import SpMetadata, write_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat


async def metadata_of(store: Store, account: str, *, api_url: str) -> bytes:
    """The metadata of the account with this number. Raises LockstepError if there is none."""
    found = await find_account(store, account if account.isdigit() else "-")
    service, key = await service_address(store, found.id, api_url), await own_key(store, found.id)
    return write_sp_metadata(
        SpMetadata(
            entity_id=service.entity_id,
            reply_urls=[service.reply_url],
            signing_certificates=[key.certificate],
            encryption_certificates=[key.certificate],
            logout={Binding.REDIRECT: service.logout_url},
            authn_requests_signed=True,
            want_assertions_signed=True,
            name_id_formats=[NameIdFormat.EMAIL_ADDRESS, NameIdFormat.UNSPECIFIED],
        )
    )
