"""SAML metadata in both directions: create Lockstep's metadata for an application, and fill in an application's settings from its own
metadata.

Metadata is fetched under the same rules as all other outbound requests.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import http_of
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.issuing import facts_of
from lockstep.actions.single_sign_on.settings import SignOnView, change_sign_on
from lockstep.configuration.single_sign_on import NameIdKind, SignedPart, SignOnMode, check_url
from lockstep.errors import conflict, invalid, not_found
from lockstep.http.deadline import end_of_request
from lockstep.http.trouble import WireError
from lockstep.saml.certificates import certificates_in
from lockstep.saml.faults import SamlFault
from lockstep.saml.metadata import IdpMetadata, SpMetadata, read_sp_metadata, write_idp_metadata
from lockstep.saml.names import Binding

_SECONDS = 10.0


@open_to_all
async def federation_metadata(context: Context, app: str, *, origin: str = "") -> bytes:
    """Return Lockstep's metadata for *app*: its addresses and certificates, with the active certificate first. All of this is public.

    If the application does not use SAML, raises the same error as for an unknown application, except to those who may see it.
    """
    facts = await facts_of(context, app, origin=origin)
    if facts.mode is not SignOnMode.SAML:
        if context.actor.everywhere(Permission.APPLICATIONS_READ):
            raise conflict(
                f"{app} does not use SAML", next_step=f"Choose SAML first: lockstep sso set {app} --mode saml"
            )
        raise not_found(f'Unknown application "{app}"', next_step="")
    login, logout = facts.endpoints.login_url, facts.endpoints.logout_url
    return write_idp_metadata(
        IdpMetadata(
            facts.endpoints.identifier,
            sign_on={Binding.REDIRECT: login, Binding.POST: login},
            certificates=[one for pem in facts.certificates for one in certificates_in(pem)],
            logout={Binding.REDIRECT: logout},
            want_authn_requests_signed=facts.settings.requires_signed_requests,
            name_id_formats=[facts.settings.name_id_format.urn],
        )
    )


@needs(Permission.SIGN_ON_WRITE, app="app")
async def upload_metadata(context: Context, app: str, xml: bytes) -> SignOnView:
    """Fill in the settings from the metadata of the application. Settings that the metadata does not contain are kept. Raises
    LockstepError if the metadata cannot be used or has expired (SAML metadata, section 2.3.2).
    """
    try:
        found = await asyncio.to_thread(read_sp_metadata, xml)
    except SamlFault as unusable:
        raise invalid(
            f"The metadata cannot be used: {unusable.detail}",
            why=unusable.why,
            next_step="Use the application's service provider metadata, or enter the addresses by hand",
        ) from None
    if found.valid_until is not None and found.valid_until <= context.now():
        raise invalid(
            f"The metadata expired on {found.valid_until:%d %b %Y}",
            next_step="Use the application's current metadata, or enter the addresses by hand",
        )
    return await change_sign_on(context, app, _changes(found))


@needs(Permission.SIGN_ON_WRITE, app="app")
async def fetch_metadata(context: Context, app: str, url: str) -> SignOnView:
    """Fill in the settings as `upload_metadata` does, from metadata at an address. The metadata is fetched once; later changes at that
    address have no effect.
    """
    wrong = check_url(url.strip())
    if wrong:
        raise invalid(f"The address of the metadata {wrong}")
    try:
        answer = await http_of(context).send(
            "GET", url.strip(), headers={"Accept": "application/samlmetadata+xml, application/xml, text/xml"},
            body=None, deadline=end_of_request(_SECONDS),
        )  # fmt: skip
    except WireError as failed:
        # The address comes from the request, so a wrong address is not an error of this server.
        raise invalid(
            f"{urlsplit(url).hostname} cannot be reached",
            why=failed.sentence,
            next_step=failed.next_step or "Download the metadata file from the application and upload it here",
        ) from None
    if answer.status != 200:
        raise invalid(
            f"{urlsplit(url).hostname} responded with {answer.status} instead of metadata",
            next_step="Check the address, or download the metadata file and upload it here",
        )
    return await upload_metadata(context, app, answer.body)


def _changes(found: SpMetadata) -> dict[str, Any]:
    formats = {form.urn: form.value for form in NameIdKind}
    wanted = next((formats[one] for one in found.name_id_formats if one in formats), None)
    changes: dict[str, Any] = {
        "identifiers": [found.entity_id],
        "replyUrls": list(found.reply_urls),
        "requestCertificates": [one.pem for one in found.signing_certificates],
        "requireSignedRequests": bool(found.authn_requests_signed and found.signing_certificates),
    }
    if found.encryption_certificates:
        changes["encryptionCertificate"] = found.encryption_certificates[0].pem
    if found.logout:
        changes["logoutUrl"] = next(iter(found.logout.values()))
    if found.want_assertions_signed:
        changes["signing"] = SignedPart.ASSERTION.value
    if wanted in (NameIdKind.PERSISTENT, NameIdKind.TRANSIENT):
        changes["nameId"] = {"format": wanted}
    return changes
