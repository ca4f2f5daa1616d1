"""Single logout (SAML core, section 3.7; profiles, section 4.4): the request that ends sessions, and the response.

Both must be signed; otherwise anyone could sign people out. The bindings verify the signature, and the caller must refuse a message that is
not `signed`. A request is used once: the caller must remember its ID until `expires_at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.messages import Header, add_status, new_message, read_header, read_status
from lockstep.saml.names import NameIdFormat, Status
from lockstep.saml.xml import add, children, only_child, parse, read_time, serialized, text_of, written_time

SKEW = timedelta(minutes=3)
MAX_AGE = timedelta(minutes=10)  # of a request without an end time


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A logout request. Without *session_indexes*, it ends all sessions of the person."""

    id: str
    issuer: str
    destination: str
    issued_at: datetime
    name_id: str
    name_id_format: str = NameIdFormat.UNSPECIFIED
    session_indexes: tuple[str, ...] = ()
    not_on_or_after: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """The time after which the request is refused as too old. The allowed skew is included."""
        return (self.not_on_or_after or self.issued_at + MAX_AGE) + SKEW


@dataclass(frozen=True, slots=True)
class LogoutResponse:
    id: str
    issuer: str
    destination: str
    issued_at: datetime
    in_response_to: str
    status: str = Status.SUCCESS


def write_logout_request(request: LogoutRequest) -> bytes:
    end = request.not_on_or_after
    message = new_message(
        "LogoutRequest",
        Header(request.id, request.issuer, request.destination, request.issued_at),
        NotOnOrAfter=None if end is None else written_time(end),
    )
    add(message, "saml", "NameID", request.name_id, Format=request.name_id_format or None)
    for index in request.session_indexes:
        add(message, "samlp", "SessionIndex", index)
    return serialized(message)


def read_logout_request(xml: bytes, *, issuer: str, destination: str, now: datetime) -> LogoutRequest:
    """Read a logout request. Raises SamlFault if it comes from another *issuer*, is meant for another *destination*, has no Name ID, or is
    too old or not yet valid.
    """
    root = parse(xml)
    header = read_header(root, "LogoutRequest")
    _check_addressed(header, issuer=issuer, destination=destination, now=now)
    given = root.get("NotOnOrAfter")
    name_id = only_child(root, "saml", "NameID")
    if name_id is None or not text_of(name_id):
        raise fault(FaultCode.NAME_ID_REFUSED, expected="a Name ID", received="none")
    request = LogoutRequest(
        id=header.id,
        issuer=header.issuer,
        destination=header.destination,
        issued_at=header.issued_at,
        name_id=text_of(name_id),
        name_id_format=name_id.get("Format") or "",
        session_indexes=tuple(text_of(one) for one in children(root, "samlp", "SessionIndex")),
        not_on_or_after=read_time(given) if given else None,
    )
    if request.expires_at <= now:
        raise fault(
            FaultCode.EXPIRED, expected=f"after {now.isoformat()}", received=given or header.issued_at.isoformat()
        )
    return request


def used_before(request: LogoutRequest) -> SamlFault:
    """Return the fault for a logout request that was used before."""
    return fault(
        FaultCode.USED_BEFORE,
        expected="a request that was not used before",
        received=request.id,
        next_step="If you are still signed in, sign out again",
    )


def write_logout_response(response: LogoutResponse) -> bytes:
    header = Header(response.id, response.issuer, response.destination, response.issued_at)
    message = new_message("LogoutResponse", header, in_response_to=response.in_response_to)
    add_status(message, Status(response.status))
    return serialized(message)


def read_logout_response(
    xml: bytes, *, issuer: str, destination: str, in_response_to: str, now: datetime
) -> LogoutResponse:
    """Read a logout response. Raises SamlFault if it comes from another *issuer*, is meant for another *destination*, or does not answer
    the request *in_response_to*.

    If the response itself reports a failure, no error is raised; `status` in the result has the code.
    """
    root = parse(xml)
    header = read_header(root, "LogoutResponse")
    _check_addressed(header, issuer=issuer, destination=destination, now=now)
    answered = root.get("InResponseTo") or ""
    if answered != in_response_to:
        raise fault(FaultCode.WRONG_IN_RESPONSE_TO, expected=in_response_to, received=answered or "none")
    status, _ = read_status(root)
    return LogoutResponse(header.id, header.issuer, header.destination, header.issued_at, answered, status)


def _check_addressed(header: Header, *, issuer: str, destination: str, now: datetime) -> None:
    if header.issuer != issuer:
        raise fault(FaultCode.WRONG_ISSUER, expected=issuer, received=header.issuer or "none")
    if header.destination != destination:
        raise fault(FaultCode.WRONG_DESTINATION, expected=destination, received=header.destination or "none")
    if header.issued_at > now + SKEW:
        raise fault(
            FaultCode.NOT_YET_VALID, expected=f"issued until {now.isoformat()}", received=header.issued_at.isoformat()
        )
