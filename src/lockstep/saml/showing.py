"""Messages for display: indented, with the parts that a signature covers. The displayed form is never sent."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from lockstep.saml.certificates import Certificate
from lockstep.saml.signatures import signature_of
from lockstep.saml.xml import Element, children, elements_in, is_element, parse, serialized

LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class MessagePart:
    """Some lines of a message. *is_signed* tells whether the signature covers them."""

    text: str
    is_signed: bool


def readable(message: bytes) -> str:
    """Return *message* indented. Raises SamlFault if it is not XML."""
    root = parse(message)
    etree.indent(root)
    return serialized(root).decode()


def without_signatures(message: bytes, certificate: Certificate | None) -> bytes:
    """Return *message* without its signature values, and with *certificate* in place of the signer's certificate. The structure is right,
    but no recipient accepts the message.
    """
    root = parse(message)
    for element in elements_in(root):
        if is_element(element, "ds", "SignatureValue"):
            element.text = LEFT_OUT
        if is_element(element, "ds", "X509Certificate"):
            element.text = LEFT_OUT if certificate is None else certificate.base64
    return serialized(root)


def signed_parts(message: bytes) -> tuple[MessagePart, ...]:
    """Return *message* indented and divided into signed and unsigned parts."""
    root = parse(message)
    etree.indent(root)
    text = serialized(root).decode()
    covered = _covered(root)
    if covered is None:
        return (MessagePart(text, is_signed=False),)
    if covered is root:
        return (MessagePart(text, is_signed=True),)
    name = f"{covered.prefix}:{etree.QName(covered).localname}"
    start, end = text.index(f"<{name} "), text.index(f"</{name}>") + len(f"</{name}>")
    cut = (MessagePart(text[:start], is_signed=False), MessagePart(text[start:end], is_signed=True))
    return (*cut, MessagePart(text[end:], is_signed=False))


def _covered(root: Element) -> Element | None:
    """Return the outermost element that has its own signature, or None."""
    for element in (root, *children(root, "saml", "Assertion")):
        if signature_of(element) is not None:
            return element
    return None
