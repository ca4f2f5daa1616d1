"""The SAML metadata of Lockstep for one application: its identifier, its certificates, and the addresses to which requests go."""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.saml_sign_in.noting import saml_application
from lockstep.actions.single_sign_on.keys import readable_certificates
from lockstep.saml.metadata import IdpMetadata, write_idp_metadata
from lockstep.saml.names import Binding


@open_to_all
async def metadata_of(context: Context, app: str, *, origin: str) -> bytes:
    """Return the metadata as XML, with the active certificate first. Raises LockstepError for an application without SAML sign-on."""
    facts = await saml_application(context, app, origin=origin)
    endpoints, settings = facts.endpoints, facts.settings
    return write_idp_metadata(
        IdpMetadata(
            entity_id=endpoints.identifier,
            sign_on={Binding.REDIRECT: endpoints.login_url, Binding.POST: endpoints.login_url},
            certificates=[one for text in facts.certificates for one in readable_certificates(text)],
            logout={Binding.REDIRECT: endpoints.logout_url},
            want_authn_requests_signed=settings.requires_signed_requests,
            name_id_formats=[settings.name_id_format.urn],
        )
    )
