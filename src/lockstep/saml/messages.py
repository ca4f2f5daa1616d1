"""The parts common to all protocol messages (SAML core, section 3.2): ID, version, time, destination, issuer, and the status
of a response.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.names import Status
from lockstep.saml.xml import (
    Element,
    add,
    elements_in,
    is_element,
    new_element,
    only_child,
    read_time,
    text_of,
    written_time,
)

TOP_LEVEL = (Status.SUCCESS, Status.REQUESTER, Status.RESPONDER, Status.VERSION_MISMATCH)
_OF_THE_REQUESTER = (Status.INVALID_NAME_ID_POLICY, Status.NO_AUTHN_CONTEXT)
_ID_NAMES = frozenset({"id", "assertionid", "responseid"})


@dataclass(frozen=True, slots=True)
class Header:
    id: str
    issuer: str
    destination: str
    issued_at: datetime


def new_message(name: str, header: Header, *, in_response_to: str | None = None, **attributes: str | None) -> Element:
    """Create a protocol message with its header. Attributes that are None are left out."""
    message = new_element(
        "samlp",
        name,
        ID=header.id,
        Version="2.0",
        IssueInstant=written_time(header.issued_at),
        Destination=header.destination or None,
        InResponseTo=in_response_to or None,
        **attributes,
    )
    add(message, "saml", "Issuer", header.issuer)
    return message


def read_header(root: Element, name: str) -> Header:
    """Return the header of the message *name*. Raises SamlFault if *root* is a different message, or has a version other than 2.0."""
    if not is_element(root, "samlp", name):
        raise fault(FaultCode.NOT_EXPECTED_MESSAGE, expected=name, received=str(root.tag))
    if root.get("Version") != "2.0":
        raise fault(FaultCode.NOT_EXPECTED_MESSAGE, expected="version 2.0", received=root.get("Version") or "none")
    check_unique_ids(root)
    if not root.get("ID"):
        raise fault(FaultCode.MALFORMED, expected="an ID", received="none")
    return Header(
        id=root.get("ID"),
        issuer=text_of(only_child(root, "saml", "Issuer")).strip(),
        destination=root.get("Destination") or "",
        issued_at=read_time(root.get("IssueInstant") or ""),
    )


def check_unique_ids(root: Element) -> None:
    """Refuse duplicate IDs, whatever the ID attribute is called, so that every reference is unambiguous."""
    seen: set[str] = set()
    for value in _ids_in(elements_in(root)):
        if value in seen:
            raise fault(FaultCode.DUPLICATE_ID, expected="IDs that occur once", received=value)
        seen.add(value)


def _ids_in(elements: Iterable[Element]) -> Iterable[str]:
    for element in elements:
        for name, value in element.attrib.items():
            if name.rpartition("}")[2].lower() in _ID_NAMES:
                yield value


def add_status(message: Element, status: Status, text: str = "") -> None:
    """Add *status* to *message*. The top-level code says which side failed. A more specific code is nested in the top-level code (core,
    section 3.2.2.2).
    """
    holder = add(message, "samlp", "Status")
    if status in TOP_LEVEL:
        add(holder, "samlp", "StatusCode", Value=status)
    else:
        top = Status.REQUESTER if status in _OF_THE_REQUESTER else Status.RESPONDER
        add(add(holder, "samlp", "StatusCode", Value=top), "samlp", "StatusCode", Value=status)
    if text:
        add(holder, "samlp", "StatusMessage", text)


def read_status(message: Element) -> tuple[str, str]:
    """Return two texts: the top-level status code, and an explanation for administrators. The explanation is the nested code and the
    message.
    """
    holder = only_child(message, "samlp", "Status")
    code = None if holder is None else only_child(holder, "samlp", "StatusCode")
    if holder is None or code is None:
        raise fault(FaultCode.MALFORMED, expected="a Status", received="none")
    below = only_child(code, "samlp", "StatusCode")
    parts = [
        "" if below is None else str(below.get("Value") or "").rpartition(":")[2],
        text_of(only_child(holder, "samlp", "StatusMessage")).strip(),
    ]
    return str(code.get("Value") or ""), ": ".join(part for part in parts if part)
