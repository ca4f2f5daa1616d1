"""Enveloped XML signatures, created and verified by signxml, in the only form that SAML allows (core, section 5.4).

`verified` returns an element that is rebuilt from the signed bytes. Nothing else in the message may be read; otherwise the signed element
and the element that is read could differ. KeyInfo is shown but never trusted.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from lockstep.saml.certificates import Certificate, SigningKey, certificates_in
from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.names import DS, ENVELOPED, EXCLUSIVE_C14N
from lockstep.saml.xml import Element, children, only_child, tag, text_of

METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


@dataclass(frozen=True, slots=True)
class Legacy:
    """Weak algorithms that some old identity providers need: SHA-1 signatures, and keys encrypted with RSA 1.5. Each is accepted only if
    the account allows it.
    """

    sha1: bool = False
    rsa15: bool = False


NO_LEGACY = Legacy()


def sign_element(element: Element, key: SigningKey) -> Element:
    """Return a signed copy of *element*, which must have an ID. The signature follows the Issuer or, if there is none, comes first (core,
    section 2.3.3).
    """
    for placeholder in children(element, "ds", "Signature"):
        element.remove(placeholder)
    issuer = only_child(element, "saml", "Issuer")
    placeholder = etree.Element(tag("ds", "Signature"), Id="placeholder", nsmap={"ds": DS})
    element.insert(0 if issuer is None else element.index(issuer) + 1, placeholder)
    is_elliptic = isinstance(key.private, ec.EllipticCurvePrivateKey)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256 if is_elliptic else SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(element, key=key.private, cert=[key.certificate.x509], reference_uri=f"#{element.get('ID')}")


def signature_of(element: Element) -> Element | None:
    """Return the signature of *element* itself, or None. Raises SamlFault("ManySignatures") if it has several."""
    found = children(element, "ds", "Signature")
    if len(found) > 1:
        raise fault(FaultCode.MANY_SIGNATURES, expected="one signature", received=str(len(found)))
    return found[0] if found else None


def verified(element: Element, certificates: Sequence[Certificate], legacy: Legacy = NO_LEGACY) -> Element:
    """Return the content of *element* that its signature covers, as a separate document. Raises SamlFault."""
    signature = signature_of(element)
    if signature is None:
        raise fault(FaultCode.NOT_SIGNED)
    for check in SIGNATURE_CHECKS:
        check(signature, element, legacy)
    refusals = []
    for certificate in certificates:
        try:
            return _verified_with(certificate, element, legacy)
        except InvalidDigest:
            raise fault(FaultCode.DIGEST_WRONG) from None
        except etree.DocumentInvalid as wrong:
            raise fault(FaultCode.SIGNATURE_SHAPE_REFUSED, received=str(wrong)) from None
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, KeyError, AttributeError) as wrong:
            refusals.append(wrong)  # the next certificate may be the right one
    raise _not_verified(signature, certificates)


def _verified_with(certificate: Certificate, element: Element, legacy: Legacy) -> Element:
    result = XMLVerifier().verify(
        element,
        x509_cert=certificate.x509,
        expect_config=SignatureConfiguration(
            location="./",
            expect_references=1,
            signature_methods=METHODS | ({SignatureMethod.RSA_SHA1} if legacy.sha1 else frozenset()),
            digest_algorithms=DIGESTS | ({DigestAlgorithm.SHA1} if legacy.sha1 else frozenset()),
            ignore_ambiguous_key_info=True,
            # The dates of a configured certificate are ignored, see `certificates`.
            verification_time=certificate.not_before,
        ),
    )
    covered = None if isinstance(result, list) else result.signed_xml
    if covered is None or (covered.tag, covered.get("ID")) != (element.tag, element.get("ID")):
        raise fault(FaultCode.REFERENCE_REFUSED)
    return covered


def _check_shape(signature: Element, element: Element, legacy: Legacy) -> None:
    allowed = {tag("ds", name) for name in ("SignedInfo", "SignatureValue", "KeyInfo")}
    extra = [str(child.tag) for child in signature if isinstance(child.tag, str) and child.tag not in allowed]
    if extra:
        raise fault(
            FaultCode.SIGNATURE_SHAPE_REFUSED, expected="SignedInfo, SignatureValue and KeyInfo", received=extra[0]
        )


def _check_canonicalization(signature: Element, element: Element, legacy: Legacy) -> None:
    name = _algorithm(only_child(_signed_info(signature), "ds", "CanonicalizationMethod"))
    if name != EXCLUSIVE_C14N:
        raise fault(FaultCode.CANONICALIZATION_REFUSED, expected=EXCLUSIVE_C14N, received=name)


def _check_method(signature: Element, element: Element, legacy: Legacy) -> None:
    method = only_child(_signed_info(signature), "ds", "SignatureMethod")
    allowed = {one.value for one in METHODS} | ({SignatureMethod.RSA_SHA1.value} if legacy.sha1 else set())
    if _algorithm(method) not in allowed:
        raise fault(
            FaultCode.ALGORITHM_REFUSED, expected="RSA or ECDSA with SHA-256 or better", received=_algorithm(method)
        )


def _check_method_has_no_parameters(signature: Element, element: Element, legacy: Legacy) -> None:
    # HMACOutputLength once made one-byte signatures valid (CVE-2009-0217).
    method = only_child(_signed_info(signature), "ds", "SignatureMethod")
    if method is not None and len(method):
        raise fault(FaultCode.SIGNATURE_SHAPE_REFUSED, expected="no parameters", received=str(method[0].tag))


def _check_reference(signature: Element, element: Element, legacy: Legacy) -> None:
    references = children(_signed_info(signature), "ds", "Reference")
    if len(references) != 1:
        raise fault(FaultCode.REFERENCE_REFUSED, expected="one reference", received=str(len(references)))
    own, uri = element.get("ID") or "", references[0].get("URI") or ""
    if not own or uri != f"#{own}":
        raise fault(FaultCode.REFERENCE_REFUSED, expected=f"#{own}", received=uri)


def _check_transforms(signature: Element, element: Element, legacy: Legacy) -> None:
    for reference in children(_signed_info(signature), "ds", "Reference"):
        transforms = only_child(reference, "ds", "Transforms")
        names = [] if transforms is None else [_algorithm(one) for one in children(transforms, "ds", "Transform")]
        if names != [ENVELOPED, EXCLUSIVE_C14N]:
            raise fault(
                FaultCode.TRANSFORM_REFUSED,
                expected=f"{ENVELOPED}, then {EXCLUSIVE_C14N}",
                received=", ".join(names) or "none",
            )


def _check_digest(signature: Element, element: Element, legacy: Legacy) -> None:
    allowed = {one.value for one in DIGESTS} | ({DigestAlgorithm.SHA1.value} if legacy.sha1 else set())
    for reference in children(_signed_info(signature), "ds", "Reference"):
        name = _algorithm(only_child(reference, "ds", "DigestMethod"))
        if name not in allowed:
            raise fault(FaultCode.ALGORITHM_REFUSED, expected="a digest with SHA-256 or better", received=name)


def _check_values(signature: Element, element: Element, legacy: Legacy) -> None:
    """Refuse a signature whose values contain characters other than Base64 and white space. Lenient readers ignore such characters, so the
    same signature could be written in many ways.
    """
    digests = [
        value
        for one in children(_signed_info(signature), "ds", "Reference")
        for value in children(one, "ds", "DigestValue")
    ]
    for value in (*children(signature, "ds", "SignatureValue"), *digests):
        try:
            decoded = base64.b64decode("".join(text_of(value).split()), validate=True)
        except ValueError:
            decoded = b""
        if not decoded:
            raise fault(FaultCode.SIGNATURE_SHAPE_REFUSED, expected="Base64", received=text_of(value))


SIGNATURE_CHECKS: tuple[Callable[[Element, Element, Legacy], None], ...] = (
    _check_shape,
    _check_canonicalization,
    _check_method,
    _check_method_has_no_parameters,
    _check_reference,
    _check_transforms,
    _check_digest,
    _check_values,
)


def _signed_info(signature: Element) -> Element:
    found = only_child(signature, "ds", "SignedInfo")
    if found is None:
        raise fault(FaultCode.SIGNATURE_SHAPE_REFUSED, expected="SignedInfo", received="none")
    return found


def _algorithm(element: Element | None) -> str:
    return "" if element is None else str(element.get("Algorithm") or "")


def _not_verified(signature: Element, certificates: Sequence[Certificate]) -> SamlFault:
    """Return the fault for a signature that *certificates* do not verify.

    The fault names the certificate in the message, because an administrator may have to configure it. The certificate itself is not
    trusted.
    """
    expected = ", ".join(one.thumbprint for one in certificates) or "no certificate is configured"
    named = list(signature.iter(tag("ds", "X509Certificate")))
    try:
        received = certificates_in(text_of(named[0]))[0].thumbprint if named else ""
    except SamlFault:
        received = ""
    if received and received not in [one.thumbprint for one in certificates]:
        return fault(FaultCode.WRONG_CERTIFICATE, expected=expected, received=received)
    return fault(FaultCode.SIGNATURE_WRONG, expected=expected, received=received)
