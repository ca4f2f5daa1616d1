"""The one parser of messages, and functions that read and write elements.

Messages are untrusted, so the parser refuses everything that SAML does not need: document types, entities, processing instructions,
XInclude, encodings other than UTF-8. Comments are allowed only between elements: a signature does not cover them, so a comment inside a
value would let an attacker cut the value in two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.names import DS, MD, SAML, SAMLP, XENC, XINCLUDE

# lxml ships no type annotations.
Element = Any

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
# The time that libxml2 needs grows with the square of the number of attributes or namespaces.
MAX_ATTRIBUTES = 64  # of one element
MAX_NAMESPACES = 4096  # declarations; some providers repeat two of them for each value
PREFIXES = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "xenc": XENC}
_DECLARATION = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def parse(data: bytes, *, max_bytes: int = MAX_BYTES) -> Element:
    """Parse *data* and return its root. Raises SamlFault for anything that a SAML message does not need."""
    if len(data) > max_bytes:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {max_bytes} bytes", received=f"{len(data)} bytes")
    for check_bytes in BYTE_CHECKS:
        check_bytes(data)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_blank_text=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as wrong:
        raise _syntax_fault(wrong) from None
    for node, depth in _nodes(root):
        for check_node in NODE_CHECKS:
            check_node(node, depth)
    return root


def _check_encoding(data: bytes) -> None:
    declared = _DECLARATION.match(data)
    name = declared[1].decode("ascii", "replace") if declared else "utf-8"
    if name.lower() != "utf-8":
        raise fault(FaultCode.ENCODING_REFUSED, expected="UTF-8", received=name)
    if data.startswith(b"\xef\xbb\xbf"):
        raise fault(FaultCode.ENCODING_REFUSED, expected="UTF-8", received="UTF-8 with a byte order mark")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise fault(FaultCode.ENCODING_REFUSED, expected="UTF-8", received=f"byte {wrong.start} is not") from None
    if b"\x00" in data:
        raise fault(FaultCode.ENCODING_REFUSED, expected="UTF-8", received="a NUL byte")


def _check_no_dtd(data: bytes) -> None:
    # Check before parsing: a declaration that is never parsed cannot have an effect.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise fault(FaultCode.DTD_REFUSED)


def _check_namespaces(data: bytes) -> None:
    count = data.count(b"xmlns")
    if count > MAX_NAMESPACES:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_NAMESPACES} namespaces", received=str(count))


def _check_depth(node: Element, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise fault(FaultCode.TOO_DEEP, expected=f"at most {MAX_DEPTH} levels", received="more")


def _check_attributes(node: Element, depth: int) -> None:
    if isinstance(node.tag, str) and (count := len(node.attrib)) > MAX_ATTRIBUTES:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_ATTRIBUTES} attributes", received=str(count))


def _check_no_instruction(node: Element, depth: int) -> None:
    if node.tag is etree.ProcessingInstruction:
        raise fault(FaultCode.INSTRUCTION_REFUSED, received=str(node.target))


def _check_no_include(node: Element, depth: int) -> None:
    if isinstance(node.tag, str) and node.tag.startswith(f"{{{XINCLUDE}}}"):
        raise fault(FaultCode.INCLUDE_REFUSED, received=node.tag)


def _check_comments(node: Element, depth: int) -> None:
    """Refuse a comment beside text, which would cut a value in two. Each element is checked only once, however many comments it contains,
    because the sender chooses their number.
    """
    if isinstance(node.tag, str) and (comment := next(node.iterchildren(etree.Comment), None)) is not None:
        beside = (node.text or "", *(child.tail or "" for child in node))
        if any(text.strip() for text in beside):
            raise fault(FaultCode.COMMENT_IN_VALUE, received=str(comment.text))


BYTE_CHECKS: tuple[Callable[[bytes], None], ...] = (_check_encoding, _check_no_dtd, _check_namespaces)
NODE_CHECKS: tuple[Callable[[Element, int], None], ...] = (
    _check_depth,
    _check_attributes,
    _check_no_instruction,
    _check_no_include,
    _check_comments,
)


def _nodes(root: Element) -> Iterator[tuple[Element, int]]:
    """Yield every node of the document with its depth, including those before and after the root."""
    yield from ((node, 0) for node in root.itersiblings(preceding=True))
    yield from ((node, 0) for node in root.itersiblings())
    open_nodes = [(root, 1)]
    while open_nodes:
        node, depth = open_nodes.pop()
        yield node, depth
        open_nodes += [(child, depth + 1) for child in node]


def _syntax_fault(wrong: Any) -> SamlFault:
    if wrong.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        return fault(FaultCode.TOO_DEEP, expected=f"at most {MAX_DEPTH} levels", received="more")
    return fault(FaultCode.MALFORMED, received=str(wrong.msg or ""))


def serialized(element: Element) -> bytes:
    return bytes(etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False))


def tag(prefix: str, name: str) -> str:
    return f"{{{PREFIXES[prefix]}}}{name}"


def new_element(prefix: str, name: str, **attributes: str | None) -> Element:
    """Create a new root. Attributes that are None are left out."""
    declared = {prefix: PREFIXES[prefix]} | ({"saml": SAML} if prefix == "samlp" else {})
    return etree.Element(tag(prefix, name), _present(attributes), nsmap=declared)


def add(parent: Element, prefix: str, name: str, text: str | None = None, **attributes: str | None) -> Element:
    """Append a new element to *parent*. Attributes that are None are left out."""
    child = etree.SubElement(parent, tag(prefix, name), _present(attributes), nsmap={prefix: PREFIXES[prefix]})
    if text is not None:
        try:
            child.text = text
        except ValueError:  # a character that XML cannot contain
            raise fault(FaultCode.MALFORMED, expected="text that XML can hold", received=text) from None
    return child


def _present(attributes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value is not None}


def children(element: Element, prefix: str, name: str) -> list[Element]:
    return list(element.findall(tag(prefix, name)))


def only_child(element: Element, prefix: str, name: str) -> Element | None:
    """Return the child of this name, or None. Raises SamlFault if there are several."""
    found = children(element, prefix, name)
    if len(found) > 1:
        raise fault(FaultCode.MALFORMED, expected=f"one {name}", received=f"{len(found)} of them")
    return found[0] if found else None


def text_of(element: Element | None) -> str:
    """Return the whole text in *element*, including the text in its children and after them; "" if *element* is None."""
    if element is None:
        return ""
    return str(element.xpath("string()") if len(element) else element.text or "")


def is_element(node: Element, prefix: str, name: str) -> bool:
    return bool(node.tag == tag(prefix, name))


def elements_in(root: Element) -> Iterator[Element]:
    """Yield *root* and every element below it, in document order."""
    yield from root.iter(etree.Element)


def written_time(moment: datetime) -> str:
    """Format *moment* as xs:dateTime in UTC (SAML core, section 1.3.3), with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """Parse an xs:dateTime. A time without a zone is UTC, as SAML requires. Raises SamlFault("Malformed")."""
    found = _TIME.fullmatch(text.strip())
    try:
        if not found:
            raise ValueError
        zone = "+00:00" if found[3] in (None, "Z") else found[3]
        fraction = timedelta(seconds=float(f"0{found[2]}")) if found[2] else timedelta()
        return datetime.fromisoformat(found[1] + zone).astimezone(UTC) + fraction
    except (ValueError, OverflowError):
        raise fault(FaultCode.MALFORMED, expected="a time such as 2026-01-31T12:00:00Z", received=text) from None
