"""Signatures that are missing or cover something else, and what was changed after it was signed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lxml import etree

from lockstep.saml.faults import FaultCode
from lockstep.saml.names import DS, SAML, SAMLP
from tests.saml.corpus.building import (
    CONDITIONS,
    SUBJECT,
    A,
    attribute,
    case,
    replaced,
    sub,
    whole,
)
from tests.saml.forging import (
    changed,
    evil_twin,
    find,
    response,
    signed_after,
    text,
    tree,
    unsigned,
)

# Signatures that are missing, or cover something else

case("no signature", FaultCode.NOT_SIGNED, lambda: text(unsigned(tree(response()))))
case("signature of the response removed", FaultCode.NOT_SIGNED, lambda: text(unsigned(tree(whole()))))
case("signature refers to the response", FaultCode.REFERENCE_REFUSED, lambda: signed_after(uri="#_other"))
case("signature refers to the whole document", FaultCode.REFERENCE_REFUSED, lambda: signed_after(uri=""))
case("signature refers to an address", FaultCode.REFERENCE_REFUSED, lambda: signed_after(uri="https://evil.example/x"))
case("signature refers by xpointer", FaultCode.REFERENCE_REFUSED, lambda: signed_after(uri="#xpointer(/)"))
case("signature with two references", FaultCode.REFERENCE_REFUSED, lambda: signed_after(references=2))
case("signature without a reference", FaultCode.REFERENCE_REFUSED, lambda: signed_after(references=0))
case("assertion without an ID", FaultCode.REFERENCE_REFUSED, lambda: signed_after(attribute(A, "ID", None), uri=""))
case(
    "assertion without an ID, referred to by nothing",
    FaultCode.REFERENCE_REFUSED,
    lambda: signed_after(attribute(A, "ID", None), uri="#"),
)
case(
    "signature with an empty KeyInfo",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_signature=lambda signature: sub(signature, DS, "KeyInfo")),
)
case(
    "two signatures on one assertion",
    FaultCode.MANY_SIGNATURES,
    lambda: changed(lambda root: find(root, A).insert(1, deepcopy(find(root, f"{A}/ds:Signature")))),
)


def _signature_in_status(root: Any) -> None:
    sub(find(root, "samlp:Status"), SAMLP, "StatusDetail").append(find(root, f"{A}/ds:Signature"))


case("signature in the status", FaultCode.SIGNATURE_MISPLACED, lambda: changed(_signature_in_status))
case(
    "signature in the subject",
    FaultCode.SIGNATURE_MISPLACED,
    lambda: changed(lambda root: find(root, SUBJECT).append(find(root, f"{A}/ds:Signature"))),
)

# Wrapping: a signed part somewhere, another part where it is read (Somorovsky et al., 2012: XSW 1 to 8, and more)


def _wrap_response(place: str) -> Callable[[], bytes]:
    def build() -> bytes:
        root = tree(whole())
        original = unsigned(deepcopy(root))
        root.set("ID", "_evil_response")
        root.replace(find(root, A), evil_twin(root))
        signature = find(root, "ds:Signature")
        if place == "signature":
            signature.append(original)
        elif place == "object":
            sub(signature, DS, "Object").append(original)
        else:
            root.insert(0, original)
        return text(root)

    return build


def _wrap_assertion(move: Callable[[Any, Any, Any], None]) -> Callable[[], bytes]:
    def build() -> bytes:
        root = tree(response())
        original, evil = find(root, A), evil_twin(root)
        root.remove(original)
        move(root, original, evil)
        return text(root)

    return build


def _siblings(root: Any, first: Any, second: Any) -> None:
    root.append(first)
    root.append(second)


def _inside_evil(root: Any, original: Any, evil: Any) -> None:
    root.append(evil)
    evil.append(original)


def _signature_moved(root: Any, original: Any, evil: Any) -> None:
    evil.insert(1, find(original, "ds:Signature"))
    _siblings(root, evil, original)


def _inside_moved_signature(root: Any, original: Any, evil: Any) -> None:
    signature = find(original, "ds:Signature")
    evil.insert(1, signature)
    signature.append(original)
    root.append(evil)


def _in_extensions(root: Any, original: Any, evil: Any) -> None:
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    root.insert(1, extensions)
    extensions.append(original)
    root.append(evil)


def _in_object(root: Any, original: Any, evil: Any) -> None:
    signature = find(original, "ds:Signature")
    evil.insert(1, signature)
    sub(signature, DS, "Object").append(original)
    root.append(evil)


def _in_advice(root: Any, original: Any, evil: Any) -> None:
    root.append(evil)
    sub(evil, SAML, "Advice").append(original)


def _in_status_detail(root: Any, original: Any, evil: Any) -> None:
    sub(find(root, "samlp:Status"), SAMLP, "StatusDetail").append(original)
    root.append(evil)


def _same_id(root: Any, original: Any, evil: Any) -> None:
    evil.set("ID", original.get("ID"))
    _siblings(root, evil, original)


def _same_id_in_lower_case(root: Any, original: Any, evil: Any) -> None:
    root.append(original)
    sub(find(root, "samlp:Status"), SAMLP, "StatusDetail").set("Id", original.get("ID"))


def _encrypted_beside(root: Any, original: Any, evil: Any) -> None:
    root.append(original)
    sub(root, SAML, "EncryptedAssertion")


case("XSW1: response inside its own signature", FaultCode.ASSERTION_MISPLACED, _wrap_response("signature"))
case("XSW2: response beside the signature", FaultCode.ASSERTION_MISPLACED, _wrap_response("sibling"))
case("XSW3: evil assertion first", FaultCode.MANY_ASSERTIONS, _wrap_assertion(lambda r, o, e: _siblings(r, e, o)))
case("evil assertion second", FaultCode.MANY_ASSERTIONS, _wrap_assertion(_siblings))
case("XSW4: original inside the evil one", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_inside_evil))
case("XSW5: signature moved to the evil one", FaultCode.MANY_ASSERTIONS, _wrap_assertion(_signature_moved))
case(
    "XSW6: original inside the moved signature", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_inside_moved_signature)
)
case("XSW7: original in Extensions", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_in_extensions))
case("XSW8: original in Object", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_in_object))
case("response in Object", FaultCode.ASSERTION_MISPLACED, _wrap_response("object"))
case("original in Advice", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_in_advice))
case("original in StatusDetail", FaultCode.ASSERTION_MISPLACED, _wrap_assertion(_in_status_detail))
case("two assertions with one ID", FaultCode.DUPLICATE_ID, _wrap_assertion(_same_id))
case("the ID again in an attribute Id", FaultCode.DUPLICATE_ID, _wrap_assertion(_same_id_in_lower_case))
case("assertion beside an encrypted one", FaultCode.MANY_ASSERTIONS, _wrap_assertion(_encrypted_beside))
case("assertion as the whole message", FaultCode.NOT_EXPECTED_MESSAGE, lambda: text(find(tree(response()), A)))

# What was changed after it was signed

case(
    "other Name ID",
    FaultCode.DIGEST_WRONG,
    replaced(b">lee.wong@contoso.com</saml:NameID>", b">admin@contoso.com</saml:NameID>"),
)
case(
    "attribute added",
    FaultCode.DIGEST_WRONG,
    lambda: changed(lambda root: sub(find(root, f"{A}/saml:AttributeStatement"), SAML, "Attribute", Name="role")),
)
case(
    "lifetime extended",
    FaultCode.DIGEST_WRONG,
    lambda: changed(attribute(CONDITIONS, "NotOnOrAfter", "2036-01-01T00:00:00Z")),
)
case(
    "response changed, assertion genuine",
    FaultCode.DIGEST_WRONG,
    lambda: changed(attribute(".", "Consent", "urn:x"), whole()),
)
case(
    "digest truncated",
    FaultCode.DIGEST_WRONG,
    lambda: signed_after(change_info=lambda info: setattr(find(info, ".//ds:DigestValue"), "text", "YWJj")),
)
case(
    "digest empty",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_info=lambda info: setattr(find(info, ".//ds:DigestValue"), "text", "")),
)

case(
    "digest with junk in its Base64",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(
        change_info=lambda info: setattr(
            find(info, ".//ds:DigestValue"), "text", "*" + find(info, ".//ds:DigestValue").text
        )
    ),
)
