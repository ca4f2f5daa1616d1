"""Keys and algorithms of signatures."""

from __future__ import annotations

from lockstep.saml.faults import FaultCode
from lockstep.saml.names import DS, ENVELOPED, EXCLUSIVE_C14N
from lockstep.saml.responses import signed_response
from tests.saml.corpus.building import (
    A,
    case,
    remove,
    sub,
)
from tests.saml.forging import (
    HMAC_SHA256,
    INCLUSIVE_C14N,
    MORE,
    RSA_SHA1,
    SHA1,
    WITH_COMMENTS,
    changed,
    find,
    forge_signature,
    response,
    signed_after,
    text,
    tree,
    unsigned,
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
