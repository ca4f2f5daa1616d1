"""Check that a Response is meant for us, genuine and fresh, and read which person it signs in (SAML core, section 3.3.3; profiles, section
4.1.4.3).

Before the signature is verified, data from the message can cause a refusal and nothing else. The tuples below list all checks; each check
has its own fault. The caller must make sure that an assertion is used only once: store `assertion_id` until `not_on_or_after`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.saml.assertion_checks import (
    ASSERTION_CHECKS,
    AssertionReading,
    confirmation_of,
    end_of_validity,
    name_id_of,
)
from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.encryption import decrypted
from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.messages import check_unique_ids, read_status
from lockstep.saml.names import Status
from lockstep.saml.signatures import NO_LEGACY, Legacy, signature_of, verified
from lockstep.saml.xml import Element, children, elements_in, is_element, only_child, parse, read_time, text_of

SKEW = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class ResponseRequirements:
    """The requirements that a response must meet to be accepted.

    *recipient* is the address at which the response was received. *in_response_to* is the ID of the request that this browser sent; None
    means that it sent none. *allow_unsolicited* allows sign-ins that begin at the identity provider. *skew* is the allowed difference
    between clocks.
    """

    issuer: str
    audience: str
    recipient: str
    certificates: Sequence[Certificate]
    in_response_to: str | None = None
    allow_unsolicited: bool = False
    legacy: Legacy = NO_LEGACY
    decryption_keys: Sequence[SigningKey] = ()
    skew: timedelta = SKEW


@dataclass(frozen=True, slots=True)
class AcceptedResponse:
    """The signed content of a response. After *not_on_or_after*, which includes the skew, the same assertion is refused as expired.

    *session_not_on_or_after* is None for an unlimited session. *authenticated_at* is when the provider asked for credentials, if known.
    """

    assertion_id: str
    name_id: str
    name_id_format: str
    attributes: Mapping[str, tuple[str, ...]]
    session_index: str
    session_not_on_or_after: datetime | None
    authenticated_at: datetime | None
    not_on_or_after: datetime
    in_response_to: str | None
    issuer: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """The unverified header of a response. Use it only to choose what to expect of the response."""

    issuer: str
    in_response_to: str
    destination: str


def accept(response: bytes, expected: ResponseRequirements, *, now: datetime) -> AcceptedResponse:
    """Return the signed content of *response* if it meets the requirements *expected*. Raises SamlFault for the first failed check."""
    root = parse(response)
    for check in STRUCTURE_CHECKS:
        check(root)
    is_signed = signature_of(root) is not None
    head = verified(root, expected.certificates, expected.legacy) if is_signed else root
    for check_head in HEAD_CHECKS:
        check_head(head, expected, is_signed, now)
    assertion, is_covered = _assertion_of(root, head, expected, is_response_signed=is_signed)
    reading = AssertionReading(head, assertion, expected, is_covered, is_signed, now)
    for check_assertion in ASSERTION_CHECKS:
        check_assertion(reading)
    return _accepted(reading, confirmation_of(reading))


def is_genuine(response: bytes, certificates: Sequence[Certificate], legacy: Legacy = NO_LEGACY) -> bool:
    """Whether the provider signed *response* or its unencrypted assertion. No other check is made here, so a true result alone does not
    make a response acceptable.
    """
    with suppress(SamlFault):
        root = parse(response)
        for element in (root, *children(root, "saml", "Assertion")):
            if signature_of(element) is not None:
                verified(element, certificates, legacy)
                return True
    return False


def read_envelope(response: bytes) -> Envelope:
    """Return the issuer, the destination and the ID of the answered request, as *response* states them. They help the caller to choose what
    to expect; `accept` verifies them later. Raises SamlFault if *response* is not a Response.
    """
    root = parse(response)
    _check_is_response(root)
    issuers = [
        text_of(found).strip()
        for holder in (root, *children(root, "saml", "Assertion"))
        if (found := only_child(holder, "saml", "Issuer")) is not None
    ]
    return Envelope(next(iter(issuers), ""), root.get("InResponseTo") or "", root.get("Destination") or "")


def _check_is_response(root: Element) -> None:
    if not is_element(root, "samlp", "Response") or root.get("Version") != "2.0":
        received = f"{root.tag}, version {root.get('Version') or 'missing'}"
        raise fault(FaultCode.NOT_EXPECTED_MESSAGE, expected="a Response of SAML 2.0", received=received)


def _check_assertions_in_place(root: Element) -> None:
    """Refuse assertions that are not children of the response. In a wrapping attack, the signed assertion is moved elsewhere and a forged
    one takes its place.
    """
    names = ("Assertion", "EncryptedAssertion")
    for element in elements_in(root):
        if any(is_element(element, "saml", name) for name in names) and element.getparent() is not root:
            parent = element.getparent()
            place = "the root" if parent is None else str(parent.tag)
            raise fault(FaultCode.ASSERTION_MISPLACED, expected="a child of the Response", received=place)


def _check_one_assertion(root: Element) -> None:
    count = len(children(root, "saml", "Assertion")) + len(children(root, "saml", "EncryptedAssertion"))
    if count > 1:
        raise fault(FaultCode.MANY_ASSERTIONS, expected="one assertion", received=str(count))


def _check_signatures_in_place(root: Element) -> None:
    for element in elements_in(root):
        if is_element(element, "ds", "Signature"):
            parent = element.getparent()
            in_assertion = parent is not None and is_element(parent, "saml", "Assertion")
            if parent is not root and not in_assertion:
                place = "the root" if parent is None else str(parent.tag)
                raise fault(FaultCode.SIGNATURE_MISPLACED, expected="a child of Response or Assertion", received=place)


STRUCTURE_CHECKS: tuple[Callable[[Element], None], ...] = (
    _check_is_response,
    check_unique_ids,
    _check_assertions_in_place,
    _check_one_assertion,
    _check_signatures_in_place,
)


def _check_status(head: Element, expected: ResponseRequirements, is_signed: bool, now: datetime) -> None:
    code, said = read_status(head)
    if code != Status.SUCCESS:
        raise fault(FaultCode.STATUS_NOT_SUCCESS, expected=Status.SUCCESS, received=f"{code} {said}".strip())


def _check_response_issuer(head: Element, expected: ResponseRequirements, is_signed: bool, now: datetime) -> None:
    issuer = only_child(head, "saml", "Issuer")
    if issuer is not None and text_of(issuer).strip() != expected.issuer:
        raise fault(FaultCode.WRONG_ISSUER, expected=expected.issuer, received=text_of(issuer))


def _check_destination(head: Element, expected: ResponseRequirements, is_signed: bool, now: datetime) -> None:
    # A signed message must name its destination (bindings, section 3.5.5.2).
    destination = head.get("Destination") or ""
    if destination != expected.recipient and (destination or is_signed):
        raise fault(FaultCode.WRONG_DESTINATION, expected=expected.recipient, received=destination or "none")


def _check_response_time(head: Element, expected: ResponseRequirements, is_signed: bool, now: datetime) -> None:
    issued_at = read_time(head.get("IssueInstant") or "")
    if issued_at > now + expected.skew:
        raise fault(FaultCode.NOT_YET_VALID, expected=f"issued until {now.isoformat()}", received=issued_at.isoformat())


HEAD_CHECKS: tuple[Callable[[Element, ResponseRequirements, bool, datetime], None], ...] = (
    _check_status,
    _check_response_issuer,
    _check_destination,
    _check_response_time,
)


def _assertion_of(
    root: Element, head: Element, expected: ResponseRequirements, *, is_response_signed: bool
) -> tuple[Element, bool]:
    """Return the assertion, decrypted if necessary, and whether a signature covers it.

    If the assertion itself is signed, the element that its own signature covers is returned. Otherwise, the assertion in *head* is
    returned, and only the signature of the response can cover it.
    """
    encrypted = only_child(head, "saml", "EncryptedAssertion")
    if encrypted is not None:
        return _decrypted_assertion(encrypted, expected, is_response_signed=is_response_signed)
    received, covered = only_child(root, "saml", "Assertion"), only_child(head, "saml", "Assertion")
    if received is None or covered is None:
        raise fault(FaultCode.ASSERTION_MISSING, expected="an assertion", received="none")
    if signature_of(received) is not None:
        return verified(received, expected.certificates, expected.legacy), True
    return covered, is_response_signed


def _decrypted_assertion(
    encrypted: Element, expected: ResponseRequirements, *, is_response_signed: bool
) -> tuple[Element, bool]:
    """Return the first result of decryption that is a readable assertion, and whether a signature covers it. Raises SamlFault.

    The ciphertext is unprotected if neither a signature of the response nor authenticated encryption covers it. In this case, only a signed
    assertion is returned, and every fault of its content is "DecryptionFailed".
    """
    problem = fault(FaultCode.DECRYPTION_FAILED)
    for opened in decrypted(encrypted, expected.decryption_keys, expected.legacy):
        # Attackers who can change the ciphertext must not learn which check failed.
        tells = is_response_signed or opened.is_authenticated
        try:
            assertion, is_covered = _opened_assertion(opened.content, expected)
        except SamlFault as wrong:
            problem = wrong if tells else problem
            continue
        if is_covered or tells:
            return assertion, is_covered or is_response_signed
    raise problem


def _opened_assertion(content: bytes, expected: ResponseRequirements) -> tuple[Element, bool]:
    assertion = parse(content)
    for check in DECRYPTED_CHECKS:
        check(assertion)
    if signature_of(assertion) is not None:
        return verified(assertion, expected.certificates, expected.legacy), True
    return assertion, False


def _check_is_assertion(assertion: Element) -> None:
    if not is_element(assertion, "saml", "Assertion"):
        raise fault(FaultCode.ASSERTION_MISSING, expected="an assertion", received=str(assertion.tag))


def _check_nothing_inside(assertion: Element) -> None:
    for element in elements_in(assertion):
        if element is assertion:
            continue
        if is_element(element, "saml", "Assertion") or is_element(element, "saml", "EncryptedAssertion"):
            raise fault(FaultCode.ASSERTION_MISPLACED, expected="no assertion inside", received=str(element.tag))
        if is_element(element, "ds", "Signature") and element.getparent() is not assertion:
            raise fault(FaultCode.SIGNATURE_MISPLACED, expected="a child of the Assertion", received="elsewhere")


DECRYPTED_CHECKS: tuple[Callable[[Element], None], ...] = (
    _check_is_assertion,
    check_unique_ids,
    _check_nothing_inside,
)


def _accepted(reading: AssertionReading, confirmation: Element) -> AcceptedResponse:
    assertion, expected = reading.assertion, reading.expected
    name_id = name_id_of(assertion)
    statements = children(assertion, "saml", "AuthnStatement")
    session_ends = [read_time(end) for one in statements if (end := one.get("SessionNotOnOrAfter"))]
    return AcceptedResponse(
        assertion_id=assertion.get("ID"),
        name_id=text_of(name_id),
        name_id_format="" if name_id is None else name_id.get("Format") or "",
        attributes=_attributes(assertion),
        session_index=statements[0].get("SessionIndex") or "",
        session_not_on_or_after=min(session_ends, default=None),
        authenticated_at=min((read_time(at) for one in statements if (at := one.get("AuthnInstant"))), default=None),
        not_on_or_after=end_of_validity(reading, confirmation) + expected.skew,
        in_response_to=reading.answered(confirmation) or None,
        issuer=expected.issuer,
    )


def _attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for statement in children(assertion, "saml", "AttributeStatement"):
        for attribute in children(statement, "saml", "Attribute"):
            values = tuple(text_of(value) for value in children(attribute, "saml", "AttributeValue"))
            name = attribute.get("Name") or ""
            found[name] = found.get(name, ()) + values
    return found
