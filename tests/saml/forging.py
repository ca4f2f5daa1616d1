"""Signatures and documents that the product never writes: what a hostile or careless sender makes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.encryption import DataMethod, encrypt_element
from lockstep.saml.names import DS, ENVELOPED, EXCLUSIVE_C14N, SAML, SAMLP
from lockstep.saml.responses import Signing, signed_response
from tests.saml.parties import assertion, key_of

Change = Callable[[Any], object]
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256 = f"{MORE}rsa-sha256"
RSA_SHA1 = f"{DS}rsa-sha1"
HMAC_SHA256 = f"{MORE}hmac-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = f"{DS}sha1"
INCLUSIVE_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
WITH_COMMENTS = f"{EXCLUSIVE_C14N}WithComments"


def response(signing: Signing = Signing.ASSERTION, **changes: Any) -> bytes:
    """A good response of the identity provider."""
    return signed_response(assertion(**changes), key_of("idp"), signing=signing)


def tree(data: bytes) -> Any:
    return etree.fromstring(data)


def text(root: Any) -> bytes:
    return bytes(etree.tostring(root))


def find(root: Any, path: str) -> Any:
    """The first element that *path* names, with the prefixes saml, samlp and ds."""
    found = root.find(path, {"saml": SAML, "samlp": SAMLP, "ds": DS})
    assert found is not None, path
    return found


def unsigned(root: Any) -> Any:
    """*root* without any signature."""
    for signature in list(root.iter(f"{{{DS}}}Signature")):
        signature.getparent().remove(signature)
    return root


def changed(change: Change, data: bytes | None = None) -> bytes:
    """A response that was changed after it was signed."""
    root = tree(data or response())
    change(root)
    return text(root)


def signed_after(change: Change = lambda root: None, *, whole: bool = False, **shape: Any) -> bytes:
    """A response that the identity provider itself signs as it is after *change*: its assertion, or the *whole* response."""
    root = unsigned(tree(response()))
    change(root)
    forge_signature(root if whole else find(root, ".//saml:Assertion"), **shape)
    return text(root)


def forge_signature(
    element: Any,
    *,
    key: SigningKey | None = None,
    method: str = RSA_SHA256,
    digest: str = SHA256,
    c14n: str = EXCLUSIVE_C14N,
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE_C14N),
    uri: str | None = None,
    references: int = 1,
    change_info: Change = lambda signed_info: None,
    change_signature: Change = lambda signature: None,
    certificate: Certificate | None = None,
) -> None:
    """Sign *element* with these parts. The arithmetic is right whatever they are, so only a rule can refuse the signature."""
    key = key or key_of("idp")
    hashed = _hash(SHA1 if digest == SHA1 else SHA256, _canonical(element, EXCLUSIVE_C14N))
    value = base64.b64encode(hashed).decode()
    reference = (
        f'<ds:Reference URI="{uri if uri is not None else "#" + element.get("ID", "")}"><ds:Transforms>'
        + "".join(f'<ds:Transform Algorithm="{one}"/>' for one in transforms)
        + f'</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue>{value}</ds:DigestValue></ds:Reference>'
    )
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{reference * references}</ds:SignedInfo><ds:SignatureValue/></ds:Signature>'
    )
    change_info(signature[0])
    element.insert(1, signature)
    signature[1].text = base64.b64encode(_signed(_canonical(signature[0], c14n), method, key)).decode()
    if certificate is not None:
        info = etree.SubElement(etree.SubElement(signature, f"{{{DS}}}KeyInfo"), f"{{{DS}}}X509Data")
        etree.SubElement(info, f"{{{DS}}}X509Certificate").text = certificate.base64
    change_signature(signature)


def _canonical(element: Any, method: str) -> bytes:
    exclusive = method.startswith(EXCLUSIVE_C14N) or "c14n" not in method
    return bytes(etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False, with_tail=False))


def _hash(name: str, data: bytes) -> bytes:
    hasher = hashes.Hash(hashes.SHA1() if name == SHA1 else hashes.SHA256())
    hasher.update(data)
    return hasher.finalize()


def _signed(data: bytes, method: str, key: SigningKey) -> bytes:
    assert isinstance(key.private, rsa.RSAPrivateKey)
    if method == HMAC_SHA256:  # with what everybody knows as the secret
        public = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        made = hmac.HMAC(public, hashes.SHA256())
        made.update(data)
        return made.finalize()
    return key.private.sign(data, PKCS1v15(), hashes.SHA1() if method == RSA_SHA1 else hashes.SHA256())


def evil_twin(root: Any) -> Any:
    """A copy of the assertion without a signature, for an administrator, with an ID of its own."""
    twin = unsigned(deepcopy(find(root, "saml:Assertion")))
    twin.set("ID", "_evil")
    find(twin, "saml:Subject/saml:NameID").text = "admin@contoso.com"
    return twin


def with_encrypted(
    element_of: Callable[[Any], Any],
    method: DataMethod = DataMethod.AES256_GCM,
    *,
    whole: bool = False,
    change: Change = lambda holder: None,
    to: str = "sp",
) -> bytes:
    """A response with the encrypted element that *element_of* makes of a good response; signed if *whole*."""
    root = tree(response())
    holder = encrypt_element(element_of(root), key_of(to).certificate, method)
    change(holder)
    root.replace(find(root, "saml:Assertion"), holder)
    if whole:
        forge_signature(root)
    return text(root)
