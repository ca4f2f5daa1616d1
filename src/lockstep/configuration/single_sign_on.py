"""The single sign-on settings of one application, as a value and as JSON, in files and in the database. Pure.

Addresses are exact: an assertion is sent only to a registered reply URL, even if a request asks for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lockstep.configuration.document.mapping_json import SOURCES, source_from_json, source_to_json
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.openid_connect import USUAL_OPENID, OpenIdSettings, openid_from_json, openid_to_json
from lockstep.configuration.sign_on_parts import ClaimRule as ClaimRule
from lockstep.configuration.sign_on_parts import (
    attributes_of,
    claims_from_json,
    claims_to_json,
    optional_url,
    short_text,
    texts,
)
from lockstep.configuration.sign_on_parts import check_origin as check_origin
from lockstep.configuration.sign_on_parts import check_url as check_url
from lockstep.engine.expressions import compile_expression
from lockstep.engine.rules.mappings import Direct, Expression, MappingSource, NoSource

MOST_CERTIFICATES = 5
LONGEST_STATE, LONGEST_CERTIFICATE = 1024, 16_384  # characters
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
# Claims of a new application, as in Entra.
USUAL_CLAIMS: Mapping[str, str] = {
    f"{_CLAIMS}emailaddress": "mail",
    f"{_CLAIMS}givenname": "givenName",
    f"{_CLAIMS}surname": "surname",
    f"{_CLAIMS}name": "userPrincipalName",
}
EFFECTIVE_ROLE = "SingleAppRoleAssignment([appRoleAssignments])"  # the role that provisioning sends
_USER_PRINCIPAL_NAME = Direct("userPrincipalName")


class SignOnMode(StrEnum):
    """The method by which people sign in to the application. Entra calls it the *single sign-on method*."""

    DISABLED = "disabled"
    SAML = "saml"
    OIDC = "oidc"


class NameIdKind(StrEnum):
    """The meaning of a Name ID (SAML core, section 8.3). Persistent Name IDs are pairwise: each application gets a different one for the
    same person.
    """

    EMAIL_ADDRESS = "emailAddress"
    PERSISTENT = "persistent"
    TRANSIENT = "transient"
    UNSPECIFIED = "unspecified"

    @property
    def is_generated(self) -> bool:
        """Whether Lockstep generates the value, so that it has no source."""
        return self in (NameIdKind.PERSISTENT, NameIdKind.TRANSIENT)

    @property
    def urn(self) -> str:
        version = "2.0" if self.is_generated else "1.1"
        return f"urn:oasis:names:tc:SAML:{version}:nameid-format:{self.value}"


class SignedPart(StrEnum):
    """The element of a SAML response that is signed."""

    ASSERTION = "assertion"
    RESPONSE = "response"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class SignOnSettings:
    """The single sign-on of one application. The first reply URL is the default one.

    *request_certificates* verify signed requests of the application. *encryption_certificate* is PEM; if it is "", assertions are sent
    unencrypted. If *is_enabled* is false, nobody may sign in; the other settings are kept.
    """

    mode: SignOnMode = SignOnMode.DISABLED
    identifiers: tuple[str, ...] = ()
    reply_urls: tuple[str, ...] = ()
    sign_on_url: str = ""
    relay_state: str = ""
    logout_url: str = ""
    name_id_format: NameIdKind = NameIdKind.EMAIL_ADDRESS
    name_id: MappingSource = _USER_PRINCIPAL_NAME
    claims: tuple[ClaimRule, ...] = ()
    signing: SignedPart = SignedPart.ASSERTION
    encryption_certificate: str = ""
    request_certificates: tuple[str, ...] = ()
    requires_signed_requests: bool = False
    assignment_required: bool = True
    is_enabled: bool = True
    notification_email: str = ""
    openid: OpenIdSettings = USUAL_OPENID

    @property
    def sent_claims(self) -> tuple[ClaimRule, ...]:
        """The claims of the selected method."""
        return self.openid.claims if self.mode is SignOnMode.OIDC else self.claims

    def attributes(self) -> frozenset[str]:
        """The attributes of a person that the Name ID and the claims of the selected method read."""
        if self.mode is SignOnMode.OIDC:
            return attributes_of([claim.source for claim in self.sent_claims])
        return attributes_of([self.name_id, *(claim.source for claim in self.sent_claims)])


def usual_claims() -> tuple[ClaimRule, ...]:
    """Return the claims of a new application: Entra's default claims and the role. The role of an assignment thus applies to both the
    account and the sign-in.
    """
    role = ClaimRule(ROLE_CLAIM, Expression(compile_expression(EFFECTIVE_ROLE)))
    return (*(ClaimRule(name, Direct(attribute)) for name, attribute in USUAL_CLAIMS.items()), role)


def sign_on_from_json(part: Part) -> SignOnSettings:
    """Read the section `singleSignOn`. Raises ConfigurationError with the place of the mistake."""
    mode = part.word("mode", SignOnMode, SignOnMode.DISABLED)
    name_id_format, name_id = _name_id(part.part("nameId"))
    settings = SignOnSettings(
        mode=mode,
        identifiers=texts(part, "identifiers", check_identifier),
        reply_urls=texts(part, "replyUrls", check_url),
        sign_on_url=optional_url(part, "signOnUrl"),
        relay_state=short_text(part, "relayState", LONGEST_STATE),
        logout_url=optional_url(part, "logoutUrl"),
        name_id_format=name_id_format,
        name_id=name_id,
        claims=claims_from_json(part) if part.raw("claims") is not None else usual_claims(),
        signing=part.word("signing", SignedPart, SignedPart.ASSERTION),
        encryption_certificate=_certificate(part.text("encryptionCertificate"), part, "encryptionCertificate"),
        request_certificates=_certificates(part),
        requires_signed_requests=part.boolean("requireSignedRequests", default=False),
        assignment_required=part.boolean("assignmentRequired", default=True),
        is_enabled=part.boolean("enabledForSignIn", default=True),
        notification_email=short_text(part, "notificationEmail", 254),
        openid=openid_from_json(part.part("openIdConnect")),
    )
    part.done()
    _require_complete(part, settings)
    return settings


def sign_on_to_json(settings: SignOnSettings) -> dict[str, Any]:
    """Write the canonical form. Default values are left out, except those that readers expect to see."""
    name_id: dict[str, Any] = {"format": settings.name_id_format.value}
    found: dict[str, Any] = {
        "mode": settings.mode.value,
        "identifiers": list(settings.identifiers),
        "replyUrls": list(settings.reply_urls),
        "signOnUrl": settings.sign_on_url,
        "relayState": settings.relay_state,
        "logoutUrl": settings.logout_url,
        "nameId": name_id | ({} if settings.name_id_format.is_generated else source_to_json(settings.name_id)),
        "claims": claims_to_json(settings.claims),
        "signing": settings.signing.value,
        "encryptionCertificate": settings.encryption_certificate,
        "requestCertificates": list(settings.request_certificates),
        "requireSignedRequests": settings.requires_signed_requests,
        "assignmentRequired": settings.assignment_required,
        "notificationEmail": settings.notification_email,
        "openIdConnect": openid_to_json(settings.openid, is_used=settings.mode is SignOnMode.OIDC),
    }
    if not settings.is_enabled:
        found["enabledForSignIn"] = False
    always = {"mode", "nameId", "claims", "signing", "assignmentRequired", "enabledForSignIn"}
    return {key: value for key, value in found.items() if key in always or value not in ("", [], {}, False)}


def check_identifier(text: str) -> str:
    """Check an entity id. Returns what is wrong with *text*, or "" if it is valid.

    Only the length (at most 1024 characters; SAML core, section 8.3.6) and the characters are checked.
    """
    if len(text) > 1024 or not text.isprintable() or " " in text:
        return "is longer than 1,024 characters, or contains a space or a control character"
    return ""


def _name_id(part: Part) -> tuple[NameIdKind, MappingSource]:
    form = part.word("format", NameIdKind, NameIdKind.EMAIL_ADDRESS)
    source = source_from_json(part)
    part.done()
    if form.is_generated:
        if not isinstance(source, NoSource):
            raise part.error("format", f"a {form.value} Name ID is generated by Lockstep: omit {', '.join(SOURCES)}")
        return form, _USER_PRINCIPAL_NAME
    return form, _USER_PRINCIPAL_NAME if isinstance(source, NoSource) else source


def _certificates(part: Part) -> tuple[str, ...]:
    found = [
        _certificate(str(value), part, f"requestCertificates[{index}]")
        for index, value in enumerate(part.list("requestCertificates"))
    ]
    if len(found) > MOST_CERTIFICATES:
        raise part.error("requestCertificates", f"must have at most {MOST_CERTIFICATES} entries")
    return tuple(one for one in found if one)


def _certificate(text: str, part: Part, key: str) -> str:
    if len(text) > LONGEST_CERTIFICATE or "PRIVATE KEY" in text:
        raise part.error(key, "must be a certificate, which contains no private key")
    return text.strip()


def _require_complete(part: Part, settings: SignOnSettings) -> None:
    if settings.requires_signed_requests and not settings.request_certificates:
        raise part.error("requireSignedRequests", "needs requestCertificates, to verify signatures")
    if settings.mode is SignOnMode.OIDC and not settings.openid.redirect_uris:
        raise part.error(
            "openIdConnect.redirectUris",
            "is missing: the address at which the application receives the response to a sign-in",
        )
    if settings.mode is not SignOnMode.SAML:
        return
    if not settings.identifiers:
        raise part.error("identifiers", "is missing: the Identifier (Entity ID) of the application")
    if not settings.reply_urls:
        raise part.error("replyUrls", "is missing: the Reply URL (Assertion Consumer Service URL) of the application")
