"""Responses of an identity provider (SAML core, section 3.3.3; profiles, section 4.1.4.2): an assertion, or the reason why
there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.encryption import DataMethod, encrypt_element
from lockstep.saml.identifiers import new_id
from lockstep.saml.messages import Header, add_status, new_message
from lockstep.saml.names import (
    ATTRIBUTE_NAME_BASIC,
    ATTRIBUTE_NAME_URI,
    BEARER,
    PASSWORD_CONTEXT,
    NameIdFormat,
    Status,
)
from lockstep.saml.signatures import sign_element
from lockstep.saml.xml import Element, add, new_element, serialized, written_time

# The validity begins a little before the present time, as in Entra, for service providers whose clock is slow.
BACKDATED = timedelta(minutes=5)


class Signing(StrEnum):
    """The parts that are signed. The values are the options of Entra's Signing Option."""

    ASSERTION = "Sign SAML assertion"
    RESPONSE = "Sign SAML response"
    BOTH = "Sign SAML response and assertion"


@dataclass(frozen=True, slots=True)
class Assertion:
    """The statement, meant for one application, that a person has signed in. The assertion may be submitted during *lifetime*.

    *session_lifetime* limits the session at the application; None means no limit. *in_response_to* is "" if no request asked for the
    sign-in.
    """

    issuer: str
    audience: str
    recipient: str
    name_id: str
    issued_at: datetime
    name_id_format: str = NameIdFormat.UNSPECIFIED
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    in_response_to: str = ""
    session_index: str = ""
    lifetime: timedelta = timedelta(minutes=5)
    session_lifetime: timedelta | None = None
    context_class: str = PASSWORD_CONTEXT
    authenticated_at: datetime | None = None


def signed_response(
    assertion: Assertion,
    key: SigningKey,
    *,
    signing: Signing = Signing.ASSERTION,
    encrypt_to: Certificate | None = None,
    encryption: DataMethod = DataMethod.AES256_GCM,
    ids: Callable[[], str] = new_id,
) -> bytes:
    """Return, as XML, a Response that contains *assertion*.

    *ids* is called twice: first for the ID of the response, then for the ID of the assertion.
    """
    header = Header(ids(), assertion.issuer, assertion.recipient, assertion.issued_at)
    response = new_message("Response", header, in_response_to=assertion.in_response_to)
    add_status(response, Status.SUCCESS)
    element = _assertion_element(assertion, ids())
    if signing in (Signing.ASSERTION, Signing.BOTH):
        element = sign_element(element, key)
    response.append(element if encrypt_to is None else encrypt_element(element, encrypt_to, encryption))
    if signing in (Signing.RESPONSE, Signing.BOTH):
        response = sign_element(response, key)
    return serialized(response)


def failed_response(
    in_response_to: str,
    recipient: str,
    issuer: str,
    status: Status,
    message: str,
    key: SigningKey,
    *,
    now: datetime,
    ids: Callable[[], str] = new_id,
) -> bytes:
    """Return a signed Response that says why there is no assertion. The service provider shows *message*, so it must not
    name the person.
    """
    response = new_message("Response", Header(ids(), issuer, recipient, now), in_response_to=in_response_to)
    add_status(response, status, message)
    return serialized(sign_element(response, key))


def _assertion_element(assertion: Assertion, id_: str) -> Element:
    element = new_element("saml", "Assertion", ID=id_, Version="2.0", IssueInstant=written_time(assertion.issued_at))
    add(element, "saml", "Issuer", assertion.issuer)
    _add_subject(element, assertion)
    conditions = add(
        element,
        "saml",
        "Conditions",
        NotBefore=written_time(assertion.issued_at - BACKDATED),
        NotOnOrAfter=written_time(assertion.issued_at + assertion.lifetime),
    )
    add(add(conditions, "saml", "AudienceRestriction"), "saml", "Audience", assertion.audience)
    _add_authn_statement(element, assertion, id_)
    _add_attributes(element, assertion.attributes)
    return element


def _add_subject(element: Element, assertion: Assertion) -> None:
    subject = add(element, "saml", "Subject")
    add(subject, "saml", "NameID", assertion.name_id, Format=assertion.name_id_format)
    confirmation = add(subject, "saml", "SubjectConfirmation", Method=BEARER)
    add(
        confirmation,
        "saml",
        "SubjectConfirmationData",
        NotOnOrAfter=written_time(assertion.issued_at + assertion.lifetime),
        Recipient=assertion.recipient,
        InResponseTo=assertion.in_response_to or None,
    )


def _add_authn_statement(element: Element, assertion: Assertion, id_: str) -> None:
    lifetime = assertion.session_lifetime
    statement = add(
        element,
        "saml",
        "AuthnStatement",
        AuthnInstant=written_time(assertion.authenticated_at or assertion.issued_at),
        SessionIndex=assertion.session_index or id_,
        SessionNotOnOrAfter=None if lifetime is None else written_time(assertion.issued_at + lifetime),
    )
    add(add(statement, "saml", "AuthnContext"), "saml", "AuthnContextClassRef", assertion.context_class)


def _add_attributes(element: Element, attributes: Mapping[str, Sequence[str]]) -> None:
    given = {name: values for name, values in attributes.items() if values}
    if not given:  # the schema requires at least one attribute in a statement
        return
    statement = add(element, "saml", "AttributeStatement")
    for name, values in given.items():
        name_format = ATTRIBUTE_NAME_URI if ":" in name else ATTRIBUTE_NAME_BASIC
        attribute = add(statement, "saml", "Attribute", Name=name, NameFormat=name_format)
        for value in values:
            add(attribute, "saml", "AttributeValue", value)
