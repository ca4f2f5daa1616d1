"""Keys and algorithms of signatures, and encryption."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lxml import etree

from lockstep.saml.encryption import DataMethod
from lockstep.saml.faults import FaultCode
from lockstep.saml.names import DS, ENVELOPED, EXCLUSIVE_C14N, XENC
from lockstep.saml.responses import signed_response
from tests.saml.corpus.building import (
    NAME_ID,
    SUBJECT,
    A,
    case,
    remove,
    sub,
    text_at,
)
from tests.saml.forging import (
    HMAC_SHA256,
    INCLUSIVE_C14N,
    MORE,
    RSA_SHA1,
    SHA1,
    WITH_COMMENTS,
    changed,
    evil_twin,
    find,
    forge_signature,
    response,
    signed_after,
    text,
    tree,
    unsigned,
    with_encrypted,
)
from tests.saml.parties import assertion, key_of

# Keys and algorithms

case(
    "signed by a stranger, who sends the certificate",
    FaultCode.WRONG_CERTIFICATE,
    lambda: signed_response(assertion(), key_of("stranger")),
)
case(
    "signed by a stranger without a certificate",
    FaultCode.SIGNATURE_WRONG,
    lambda: signed_after(key=key_of("stranger")),
)
case(
    "signed by a stranger under the right certificate",
    FaultCode.SIGNATURE_WRONG,
    lambda: signed_after(key=key_of("stranger"), certificate=key_of("idp").certificate),
)
case("certificate in KeyInfo only", FaultCode.WRONG_CERTIFICATE, response, expected={"certificates": []})
case(
    "response of a stranger around a genuine assertion",
    FaultCode.SIGNATURE_WRONG,
    lambda: changed(lambda root: forge_signature(root, key=key_of("stranger"))),
)
case("assertion of a stranger in a genuine response", FaultCode.SIGNATURE_WRONG, lambda: _stranger_inside())
case("HMAC with the public key", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(method=HMAC_SHA256))
case("algorithm none", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(method="none"))
case("algorithm missing", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(method=""))
case("RSA with MD5", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(method=f"{MORE}rsa-md5"))
case("RSA with SHA-1", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(method=RSA_SHA1))
case("digest SHA-1", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(digest=SHA1))
case("digest MD5", FaultCode.ALGORITHM_REFUSED, lambda: signed_after(digest=f"{MORE}md5"))
case(
    "signature value empty",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_signature=lambda signature: setattr(signature[1], "text", "")),
)
case(
    "signature value cut",
    FaultCode.SIGNATURE_WRONG,
    lambda: signed_after(change_signature=lambda signature: setattr(signature[1], "text", signature[1].text[:40])),
)
case(
    "signature value is no Base64",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_signature=lambda signature: setattr(signature[1], "text", "*" + signature[1].text)),
)
case(
    "signature without SignedInfo",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: changed(remove(f"{A}/ds:Signature/ds:SignedInfo")),
)
case(
    "signature with an Object",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_signature=lambda signature: sub(signature, DS, "Object", "x")),
)
case(
    "HMAC output length",
    FaultCode.SIGNATURE_SHAPE_REFUSED,
    lambda: signed_after(change_info=lambda info: sub(find(info, "ds:SignatureMethod"), DS, "HMACOutputLength", "8")),
)
case(
    "XSLT transform",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116", EXCLUSIVE_C14N)),
)
case(
    "XPath transform",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(ENVELOPED, "http://www.w3.org/TR/1999/REC-xpath-19991116", EXCLUSIVE_C14N)),
)
case(
    "Base64 transform",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(ENVELOPED, f"{DS}base64", EXCLUSIVE_C14N)),
)
case("no transforms", FaultCode.TRANSFORM_REFUSED, lambda: signed_after(transforms=()))
case(
    "transforms in the other order",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(EXCLUSIVE_C14N, ENVELOPED)),
)
case(
    "canonicalization of the reference with comments",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(ENVELOPED, WITH_COMMENTS)),
)
case(
    "canonicalization of the reference inclusive",
    FaultCode.TRANSFORM_REFUSED,
    lambda: signed_after(transforms=(ENVELOPED, INCLUSIVE_C14N)),
)
case("canonicalization inclusive", FaultCode.CANONICALIZATION_REFUSED, lambda: signed_after(c14n=INCLUSIVE_C14N))
case("canonicalization with comments", FaultCode.CANONICALIZATION_REFUSED, lambda: signed_after(c14n=WITH_COMMENTS))


def _stranger_inside() -> bytes:
    root = unsigned(tree(response()))
    forge_signature(find(root, A), key=key_of("stranger"))
    forge_signature(root)
    return text(root)


# Encryption


def _original(root: Any) -> Any:
    return find(root, A)


def _garbled(position: int) -> Callable[[Any], None]:
    """Change one letter of the encrypted assertion."""

    def change(holder: Any) -> None:
        value = holder.findall(f".//{{{XENC}}}CipherValue")[-1]
        letters = list(value.text)
        letters[position] = "A" if letters[position] != "A" else "B"
        value.text = "".join(letters)

    return change


def _set_algorithm(index: int, name: str) -> Callable[[Any], None]:
    return lambda holder: holder.findall(f".//{{{XENC}}}EncryptionMethod")[index].set("Algorithm", name)


CBC = DataMethod.AES256_CBC
case("encrypted, unsigned", FaultCode.NOT_SIGNED, lambda: with_encrypted(evil_twin))
case("encrypted with CBC, unsigned", FaultCode.DECRYPTION_FAILED, lambda: with_encrypted(evil_twin, CBC))
case("encrypted for a stranger", FaultCode.DECRYPTION_FAILED, lambda: with_encrypted(_original, to="stranger"))
case(
    "encrypted, no key to read it",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(_original),
    expected={"decryption_keys": []},
)
case(
    "encrypted with GCM, changed", FaultCode.DECRYPTION_FAILED, lambda: with_encrypted(_original, change=_garbled(100))
)
case(
    "encrypted with CBC, padding changed",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(_original, CBC, change=_garbled(-8)),
)
case(
    "encrypted with CBC, first block changed",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(_original, CBC, change=_garbled(4)),
)
case(
    "encrypted with CBC, signature wrong inside",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(lambda root: (text_at(NAME_ID, "admin@contoso.com")(root), _original(root))[1], CBC),
)
case(
    "encrypted key with RSA 1.5",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(_original, change=_set_algorithm(1, f"{XENC}rsa-1_5")),
)
case(
    "encrypted with Triple DES",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(_original, change=_set_algorithm(0, f"{XENC}tripledes-cbc")),
)
case(
    "encrypted content elsewhere",
    FaultCode.MALFORMED,
    lambda: with_encrypted(
        _original,
        change=lambda holder: (
            holder.findall(f".//{{{XENC}}}CipherValue")[-1]
            .getparent()
            .replace(
                holder.findall(f".//{{{XENC}}}CipherValue")[-1],
                etree.Element(f"{{{XENC}}}CipherReference", URI="https://evil.example/"),
            )
        ),
    ),
)
case(
    "encrypted content is no Base64",
    FaultCode.BASE64_WRONG,
    lambda: with_encrypted(
        _original, change=lambda holder: setattr(holder.findall(f".//{{{XENC}}}CipherValue")[-1], "text", "*")
    ),
)
case(
    "encrypted, and no assertion",
    FaultCode.ASSERTION_MISSING,
    lambda: with_encrypted(lambda root: find(root, SUBJECT), whole=True),
)
case(
    "encrypted, with an assertion inside",
    FaultCode.ASSERTION_MISPLACED,
    lambda: with_encrypted(lambda root: _nested(root)),
)
case(
    "encrypted, with a signature inside the subject",
    FaultCode.SIGNATURE_MISPLACED,
    lambda: with_encrypted(
        lambda root: (find(root, SUBJECT).append(find(root, f"{A}/ds:Signature")), _original(root))[1]
    ),
)
case(
    "encrypted, with one ID twice",
    FaultCode.DUPLICATE_ID,
    lambda: with_encrypted(lambda root: (find(root, SUBJECT).set("ID", _original(root).get("ID")), _original(root))[1]),
)
case(
    "encrypted, with a comment in the Name ID",
    FaultCode.COMMENT_IN_VALUE,
    lambda: with_encrypted(lambda root: (find(root, NAME_ID).append(etree.Comment("x")), _original(root))[1]),
)


def _nested(root: Any) -> Any:
    evil = evil_twin(root)
    evil.append(deepcopy(_original(root)))
    return evil
