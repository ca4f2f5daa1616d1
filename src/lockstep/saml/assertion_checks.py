"""The checks that an assertion must pass to sign a person in at this service and at this time (SAML profiles, section 4.1.4.3). The
signatures have already been verified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.names import BEARER, SAML
from lockstep.saml.xml import Element, children, only_child, read_time, text_of

MAX_NAME_ID = 1024
_CONDITIONS = {f"{{{SAML}}}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")}


class Expectations(Protocol):
    """The part of `accepting.ResponseRequirements` that these checks read."""

    @property
    def issuer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def in_response_to(self) -> str | None: ...
    @property
    def allow_unsolicited(self) -> bool: ...
    @property
    def skew(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class AssertionReading:
    """A response whose signatures were verified. *head* is the response, and *assertion* is the element to read.

    *is_covered* tells whether a signature covers the assertion. *is_response_signed* tells whether a signature covers the response.
    """

    head: Element
    assertion: Element
    expected: Expectations
    is_covered: bool
    is_response_signed: bool
    now: datetime

    @property
    def latest(self) -> datetime:
        """The present time plus the allowed skew: the latest time that a sender's clock may show."""
        return self.now + self.expected.skew

    @property
    def earliest(self) -> datetime:
        return self.now - self.expected.skew

    def answered(self, confirmation: Element) -> str:
        """Return the ID of the request that the response answers, or "" if no signature covers this ID."""
        named = str(confirmation.get("InResponseTo") or "")
        return named or (str(self.head.get("InResponseTo") or "") if self.is_response_signed else "")


def _check_covered(reading: AssertionReading) -> None:
    if not reading.is_covered:
        raise fault(FaultCode.NOT_SIGNED, expected="a signature of the response or the assertion", received="none")


def _check_version(reading: AssertionReading) -> None:
    if reading.assertion.get("Version") != "2.0" or not reading.assertion.get("ID"):
        received = f"version {reading.assertion.get('Version')}, ID {reading.assertion.get('ID')}"
        raise fault(FaultCode.MALFORMED, expected="version 2.0 and an ID", received=received)


def _check_issuer(reading: AssertionReading) -> None:
    issuer = text_of(only_child(reading.assertion, "saml", "Issuer")).strip()
    if issuer != reading.expected.issuer:
        raise fault(FaultCode.WRONG_ISSUER, expected=reading.expected.issuer, received=issuer or "none")


def _check_conditions(reading: AssertionReading) -> None:
    conditions = _conditions(reading)
    for condition in conditions.iterchildren("*"):
        if condition.tag not in _CONDITIONS:
            raise fault(FaultCode.CONDITION_UNKNOWN, received=str(condition.tag))


def _check_audience(reading: AssertionReading) -> None:
    """Require at least one audience restriction. Every audience restriction must name us (profiles, section 4.1.4.2)."""
    restrictions = children(_conditions(reading), "saml", "AudienceRestriction")
    named = [[text_of(one).strip() for one in children(part, "saml", "Audience")] for part in restrictions]
    if not named or not all(reading.expected.audience in part for part in named):
        received = "; ".join(", ".join(part) for part in named) or "none"
        raise fault(FaultCode.WRONG_AUDIENCE, expected=reading.expected.audience, received=received)


def _check_begun(reading: AssertionReading) -> None:
    begin = _conditions(reading).get("NotBefore")
    if begin and read_time(begin) > reading.latest:
        raise fault(FaultCode.NOT_YET_VALID, expected=f"not after {reading.now.isoformat()}", received=begin)


def _check_not_expired(reading: AssertionReading) -> None:
    end = _conditions(reading).get("NotOnOrAfter")
    if end and read_time(end) <= reading.earliest:
        raise fault(FaultCode.EXPIRED, expected=f"after {reading.now.isoformat()}", received=end)


def _check_name_id(reading: AssertionReading) -> None:
    """Refuse a Name ID that is missing, empty or too long.

    Surrounding spaces and invisible characters are refused too, because they could make two different names look the same.
    """
    name_id = name_id_of(reading.assertion)
    name = text_of(name_id)
    if name_id is None or not name or len(name) > MAX_NAME_ID:
        raise fault(FaultCode.NAME_ID_REFUSED, expected=f"a Name ID of 1 to {MAX_NAME_ID} characters", received=name)
    if len(name_id) or name != name.strip() or not name.isprintable():
        raise fault(
            FaultCode.NAME_ID_REFUSED, expected="text without surrounding space or control characters", received=name
        )


def _check_statement(reading: AssertionReading) -> None:
    if not children(reading.assertion, "saml", "AuthnStatement"):
        raise fault(FaultCode.STATEMENT_MISSING, expected="an AuthnStatement", received="none")


def _check_session(reading: AssertionReading) -> None:
    for statement in children(reading.assertion, "saml", "AuthnStatement"):
        end = statement.get("SessionNotOnOrAfter")
        if end and read_time(end) <= reading.earliest:
            raise fault(FaultCode.SESSION_ENDED, expected=f"after {reading.now.isoformat()}", received=end)


ASSERTION_CHECKS: tuple[Callable[[AssertionReading], None], ...] = (
    _check_covered,
    _check_version,
    _check_issuer,
    _check_conditions,
    _check_audience,
    _check_begun,
    _check_not_expired,
    _check_name_id,
    _check_statement,
    _check_session,
)


def name_id_of(assertion: Element) -> Element | None:
    subject = only_child(assertion, "saml", "Subject")
    return None if subject is None else only_child(subject, "saml", "NameID")


def confirmation_of(reading: AssertionReading) -> Element:
    """Return the data of the valid bearer confirmation. One valid confirmation is sufficient (profiles, section 4.1.4.3). Raises
    SamlFault with the reason if none is valid.
    """
    first: SamlFault | None = None
    for data in _bearer_data(reading.assertion):
        try:
            for check in CONFIRMATION_CHECKS:
                check(reading, data)
        except SamlFault as refused:
            first = first or refused
        else:
            return data
    raise first or fault(FaultCode.CONFIRMATION_MISSING, expected=BEARER, received="none")


def _check_recipient(reading: AssertionReading, data: Element) -> None:
    recipient = data.get("Recipient") or ""
    if recipient != reading.expected.recipient:
        raise fault(FaultCode.WRONG_RECIPIENT, expected=reading.expected.recipient, received=recipient or "none")


def _check_confirmation_end(reading: AssertionReading, data: Element) -> None:
    end = data.get("NotOnOrAfter")
    if not end:
        raise fault(FaultCode.CONFIRMATION_MISSING, expected="NotOnOrAfter", received="none")
    if read_time(end) <= reading.earliest:
        raise fault(FaultCode.EXPIRED, expected=f"after {reading.now.isoformat()}", received=end)


def _check_confirmation_begin(reading: AssertionReading, data: Element) -> None:
    begin = data.get("NotBefore")
    if begin and read_time(begin) > reading.latest:
        raise fault(FaultCode.NOT_YET_VALID, expected=f"not after {reading.now.isoformat()}", received=begin)


def _check_response_agrees(reading: AssertionReading, data: Element) -> None:
    """Refuse a response that answers a request other than the one that this browser sent, even if no signature covers the response."""
    named, asked = reading.head.get("InResponseTo") or "", reading.expected.in_response_to or ""
    if named and named != asked:
        raise fault(FaultCode.WRONG_IN_RESPONSE_TO, expected=asked or "no request", received=named)


def _check_request(reading: AssertionReading, data: Element) -> None:
    answered, asked = reading.answered(data), reading.expected.in_response_to or ""
    if answered and answered != asked:
        raise fault(FaultCode.WRONG_IN_RESPONSE_TO, expected=asked or "no request", received=answered)


def _check_solicited(reading: AssertionReading, data: Element) -> None:
    if not reading.answered(data) and not reading.expected.allow_unsolicited:
        raise fault(FaultCode.UNSOLICITED, expected=reading.expected.in_response_to or "a request", received="none")


CONFIRMATION_CHECKS: tuple[Callable[[AssertionReading, Element], None], ...] = (
    _check_recipient,
    _check_confirmation_end,
    _check_confirmation_begin,
    _check_response_agrees,
    _check_request,
    _check_solicited,
)


def end_of_validity(reading: AssertionReading, confirmation: Element) -> datetime:
    """Return when the assertion stops being valid, without the skew. This is the earlier of two times: the latest end of its bearer
    confirmations, and the end of its conditions.
    """
    ends = [read_time(end) for data in _bearer_data(reading.assertion) if (end := data.get("NotOnOrAfter"))]
    conditions_end = _conditions(reading).get("NotOnOrAfter")
    latest = max(ends, default=read_time(confirmation.get("NotOnOrAfter")))
    return min(latest, read_time(conditions_end)) if conditions_end else latest


def _conditions(reading: AssertionReading) -> Element:
    found = only_child(reading.assertion, "saml", "Conditions")
    if found is None:
        raise fault(FaultCode.WRONG_AUDIENCE, expected=reading.expected.audience, received="no conditions")
    return found


def _bearer_data(assertion: Element) -> Sequence[Element]:
    subject = only_child(assertion, "saml", "Subject")
    confirmations = [] if subject is None else children(subject, "saml", "SubjectConfirmation")
    bearers = [one for one in confirmations if one.get("Method") == BEARER]
    return [data for one in bearers if (data := only_child(one, "saml", "SubjectConfirmationData")) is not None]
