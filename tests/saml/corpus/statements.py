"""Genuine responses with contents that differ from what is expected."""

from __future__ import annotations

from datetime import timedelta

from lockstep.saml.faults import FaultCode
from lockstep.saml.names import SAML, Status
from lockstep.saml.responses import Signing, failed_response, signed_response
from tests.saml.corpus.building import (
    CONDITIONS,
    CONFIRMATION,
    DATA,
    NAME_ID,
    STATEMENT,
    SUBJECT,
    A,
    attribute,
    case,
    remove,
    replaced,
    sub,
    text_at,
)
from tests.saml.forging import (
    changed,
    find,
    response,
    signed_after,
)
from tests.saml.parties import ASSERT, IDP, NOW, REQUEST, assertion, key_of

# What the response says

for status in (Status.REQUESTER, Status.AUTHN_FAILED):
    case(
        f"status {status.rpartition(':')[2]}",
        FaultCode.STATUS_NOT_SUCCESS,
        lambda status=status: failed_response(REQUEST, ASSERT, IDP, status, "No", key_of("idp"), now=NOW),  # type: ignore[misc]
    )
case(
    "status of failure with an assertion",
    FaultCode.STATUS_NOT_SUCCESS,
    lambda: changed(attribute("samlp:Status/samlp:StatusCode", "Value", Status.RESPONDER)),
)
case("no status", FaultCode.MALFORMED, lambda: changed(remove("samlp:Status")))
case("no assertion", FaultCode.ASSERTION_MISSING, lambda: changed(remove(A)))
case("version 1.1", FaultCode.NOT_EXPECTED_MESSAGE, lambda: changed(attribute(".", "Version", "1.1")))
case("version of the assertion 1.1", FaultCode.MALFORMED, lambda: signed_after(attribute(A, "Version", "1.1")))
case(
    "assertion without an ID in a signed response",
    FaultCode.MALFORMED,
    lambda: signed_after(attribute(A, "ID", None), whole=True),
)
case("another message", FaultCode.NOT_EXPECTED_MESSAGE, replaced(b"samlp:Response", b"samlp:LogoutResponse"))
case(
    "issuer of the response is another",
    FaultCode.WRONG_ISSUER,
    lambda: changed(text_at("saml:Issuer", "https://evil.example")),
)
case(
    "issuer of the assertion is another",
    FaultCode.WRONG_ISSUER,
    lambda: signed_after(text_at(f"{A}/saml:Issuer", "https://evil.example")),
)
case("no issuer", FaultCode.WRONG_ISSUER, lambda: signed_after(remove(f"{A}/saml:Issuer")))
case("issuer with a slash more", FaultCode.WRONG_ISSUER, lambda: signed_after(text_at(f"{A}/saml:Issuer", f"{IDP}/")))
case("another tenant's response, same key", FaultCode.WRONG_ISSUER, lambda: response(issuer="https://idp.fabrikam.com"))
case(
    "another tenant's response, its key",
    FaultCode.WRONG_CERTIFICATE,
    lambda: signed_response(assertion(), key_of("stranger"), signing=Signing.BOTH),
)
case("audience is another", FaultCode.WRONG_AUDIENCE, lambda: response(audience="https://other.example"))
case(
    "audience begins like ours",
    FaultCode.WRONG_AUDIENCE,
    lambda: response(audience="https://api.documo.com.evil.example"),
)
case("no audience", FaultCode.WRONG_AUDIENCE, lambda: signed_after(remove(f"{CONDITIONS}/saml:AudienceRestriction")))
case("no conditions", FaultCode.WRONG_AUDIENCE, lambda: signed_after(remove(CONDITIONS)))
case(
    "one of two audience restrictions is another's",
    FaultCode.WRONG_AUDIENCE,
    lambda: signed_after(
        lambda root: sub(
            sub(find(root, CONDITIONS), SAML, "AudienceRestriction"), SAML, "Audience", "https://other.example"
        )
    ),
)
case(
    "condition that is not known",
    FaultCode.CONDITION_UNKNOWN,
    lambda: signed_after(lambda root: sub(find(root, CONDITIONS), SAML, "Condition")),
)
case(
    "recipient is another",
    FaultCode.WRONG_RECIPIENT,
    lambda: signed_after(attribute(DATA, "Recipient", "https://other.example/assert")),
)
case("no recipient", FaultCode.WRONG_RECIPIENT, lambda: signed_after(attribute(DATA, "Recipient", None)))
case(
    "destination is another",
    FaultCode.WRONG_DESTINATION,
    lambda: changed(attribute(".", "Destination", "https://other.example/assert")),
)
case(
    "signed, without a destination",
    FaultCode.WRONG_DESTINATION,
    lambda: signed_after(attribute(".", "Destination", None), whole=True),
)
case(
    "received at another address",
    FaultCode.WRONG_DESTINATION,
    response,
    expected={"recipient": "https://other.example/assert"},
)
case("expired", FaultCode.EXPIRED, response, now=NOW + timedelta(minutes=8))
case(
    "expired, conditions only",
    FaultCode.EXPIRED,
    lambda: signed_after(attribute(CONDITIONS, "NotOnOrAfter", "2026-11-28T11:57:00Z")),
)
case(
    "expired, confirmation only",
    FaultCode.EXPIRED,
    lambda: signed_after(attribute(DATA, "NotOnOrAfter", "2026-11-28T11:57:00Z")),
)
case("expired ten years ago", FaultCode.EXPIRED, response, now=NOW + timedelta(days=3653))
case(
    "not yet valid",
    FaultCode.NOT_YET_VALID,
    lambda: signed_after(attribute(CONDITIONS, "NotBefore", "2026-11-28T12:03:01Z")),
)
case(
    "confirmation not yet valid",
    FaultCode.NOT_YET_VALID,
    lambda: signed_after(attribute(DATA, "NotBefore", "2026-11-28T12:03:01Z")),
)
case(
    "response from the future",
    FaultCode.NOT_YET_VALID,
    lambda: changed(attribute(".", "IssueInstant", "2026-11-28T12:03:01Z")),
)
case("time that is none", FaultCode.MALFORMED, lambda: signed_after(attribute(CONDITIONS, "NotOnOrAfter", "tomorrow")))
case(
    "30 February",
    FaultCode.MALFORMED,
    lambda: signed_after(attribute(CONDITIONS, "NotOnOrAfter", "2027-02-30T00:00:00Z")),
)
case("session has ended", FaultCode.SESSION_ENDED, lambda: response(session_lifetime=timedelta(minutes=-3)))
case(
    "no bearer confirmation",
    FaultCode.CONFIRMATION_MISSING,
    lambda: signed_after(attribute(CONFIRMATION, "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")),
)
case("no confirmation data", FaultCode.CONFIRMATION_MISSING, lambda: signed_after(remove(DATA)))
case(
    "confirmation without an end",
    FaultCode.CONFIRMATION_MISSING,
    lambda: signed_after(attribute(DATA, "NotOnOrAfter", None)),
)
case("no statement of a sign-in", FaultCode.STATEMENT_MISSING, lambda: signed_after(remove(STATEMENT)))

# The request

case("request of another browser", FaultCode.WRONG_IN_RESPONSE_TO, response, expected={"in_response_to": "_another"})
case(
    "request, and this browser sent none",
    FaultCode.WRONG_IN_RESPONSE_TO,
    response,
    expected={"in_response_to": None, "allow_unsolicited": True},
)
case(
    "request of the assertion is another",
    FaultCode.WRONG_IN_RESPONSE_TO,
    lambda: signed_after(attribute(DATA, "InResponseTo", "_another")),
)
case(
    "request of the response is another",
    FaultCode.WRONG_IN_RESPONSE_TO,
    lambda: changed(attribute(".", "InResponseTo", "_another")),
)
case(
    "request named by the unsigned response only",
    FaultCode.UNSOLICITED,
    lambda: signed_after(attribute(DATA, "InResponseTo", None)),
)
case(
    "no request, and none is allowed",
    FaultCode.UNSOLICITED,
    lambda: response(in_response_to=""),
    expected={"in_response_to": None},
)
case("no request, and this browser sent one", FaultCode.UNSOLICITED, lambda: response(in_response_to=""))

# The name

case("no Name ID", FaultCode.NAME_ID_REFUSED, lambda: signed_after(remove(NAME_ID)))
case("empty Name ID", FaultCode.NAME_ID_REFUSED, lambda: response(name_id=""))
case("no subject", FaultCode.NAME_ID_REFUSED, lambda: signed_after(remove(SUBJECT)))
case("Name ID with a space at the end", FaultCode.NAME_ID_REFUSED, lambda: response(name_id="lee.wong@contoso.com "))
case(
    "Name ID with a no-break space at the start",
    FaultCode.NAME_ID_REFUSED,
    lambda: response(name_id="\u00a0lee.wong@contoso.com"),
)
case(
    "Name ID with a line break",
    FaultCode.NAME_ID_REFUSED,
    lambda: response(name_id="lee.wong@contoso.com\nadmin@contoso.com"),
)
case(
    "Name ID with a zero-width space", FaultCode.NAME_ID_REFUSED, lambda: response(name_id="lee.wong@contoso\u200b.com")
)
case(
    "Name ID that is written from right to left",
    FaultCode.NAME_ID_REFUSED,
    lambda: response(name_id="\u202emoc.osotnoc@gnow.eel"),
)
case("Name ID of 2,000 characters", FaultCode.NAME_ID_REFUSED, lambda: response(name_id="x" * 2000))
case(
    "element in the Name ID",
    FaultCode.NAME_ID_REFUSED,
    lambda: signed_after(lambda root: sub(find(root, NAME_ID), SAML, "x", "admin")),
)
case(
    "two Name IDs",
    FaultCode.MALFORMED,
    lambda: signed_after(lambda root: sub(find(root, SUBJECT), SAML, "NameID", "admin@contoso.com")),
)
