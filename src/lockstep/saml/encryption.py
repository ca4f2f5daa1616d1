"""Encrypted assertions (XML Encryption 1.1): AES in GCM or CBC mode, with a key that is encrypted with RSA-OAEP.

CBC does not authenticate: an attacker who can send modified ciphertexts and see how each one fails can decrypt the content (Jager and
Somorovsky, 2011). Every failure is therefore the same fault with the same text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.identifiers import random_bytes
from lockstep.saml.names import DS, XENC, XENC11
from lockstep.saml.signatures import NO_LEGACY, Legacy
from lockstep.saml.xml import Element, add, children, new_element, only_child, serialized, text_of


class DataMethod(StrEnum):
    """The algorithms that encrypt content."""

    AES128_GCM = f"{XENC11}aes128-gcm"
    AES192_GCM = f"{XENC11}aes192-gcm"
    AES256_GCM = f"{XENC11}aes256-gcm"
    AES128_CBC = f"{XENC}aes128-cbc"
    AES192_CBC = f"{XENC}aes192-cbc"
    AES256_CBC = f"{XENC}aes256-cbc"

    @property
    def is_authenticated(self) -> bool:
        return self.endswith("-gcm")

    @property
    def key_bytes(self) -> int:
        return int(self.rpartition("#aes")[2][:3]) // 8


OAEP_MGF1P = f"{XENC}rsa-oaep-mgf1p"
OAEP_11 = f"{XENC11}rsa-oaep"
RSA_15 = f"{XENC}rsa-1_5"
SHA1_DIGEST = f"{DS}sha1"
ELEMENT_TYPE = f"{XENC}Element"
MAX_KEYS = 8  # encrypted keys to try
BLOCK = 16
GCM_NONCE = 12
# SHA-1 in OAEP does not serve as a signature, and collisions do not break it; most identity providers send `rsa-oaep-mgf1p`.
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    SHA1_DIGEST: hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{XENC}sha512": hashes.SHA512,
}
_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha384": hashes.SHA384,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class DecryptedData:
    content: bytes
    is_authenticated: bool  # only a holder of the content's key can have made it


def encrypt_element(element: Element, certificate: Certificate, method: DataMethod = DataMethod.AES256_GCM) -> Element:
    """Return an EncryptedAssertion that contains *element*. Only the private key that belongs to *certificate* can decrypt it."""
    public = certificate.x509.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise fault(FaultCode.KEY_REFUSED, expected="a certificate with an RSA key", received="another kind of key")
    key = random_bytes(method.key_bytes)
    holder = new_element("saml", "EncryptedAssertion")
    data = add(holder, "xenc", "EncryptedData", Type=ELEMENT_TYPE)
    add(data, "xenc", "EncryptionMethod", Algorithm=method)
    encrypted_key = add(add(data, "ds", "KeyInfo"), "xenc", "EncryptedKey")
    key_method = add(encrypted_key, "xenc", "EncryptionMethod", Algorithm=OAEP_MGF1P)
    add(key_method, "ds", "DigestMethod", Algorithm=SHA1_DIGEST)
    x509_data = add(add(encrypted_key, "ds", "KeyInfo"), "ds", "X509Data")
    add(x509_data, "ds", "X509Certificate", certificate.base64)
    _add_cipher(encrypted_key, public.encrypt(key, OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)))  # noqa: S303
    _add_cipher(data, _encrypted(serialized(element), key, method))
    return holder


def decrypted(holder: Element, keys: Sequence[SigningKey], legacy: Legacy = NO_LEGACY) -> list[DecryptedData]:
    """Return the results of decrypting an EncryptedAssertion. There is one result for each key that seems to fit.

    With CBC, a wrong key is not always detected: about one wrong key in 16 gives a result that looks valid. If there are several results,
    only one of them can be the real content.

    Raises SamlFault: "DecryptionFailed" if no key fits, and other codes for an algorithm that is not accepted or a malformed element.
    """
    data = only_child(holder, "xenc", "EncryptedData")
    if data is None:
        raise fault(FaultCode.MALFORMED, expected="EncryptedData", received="none")
    method = _data_method(data)
    wrapped = _encrypted_keys(holder, data)
    paddings = [_padding(one, legacy) for one in wrapped]
    cipher_text = _cipher_of(data)
    found: list[DecryptedData] = []
    for one, padding in zip(wrapped, paddings, strict=True):
        for key in keys:
            content_key = _unwrapped(_cipher_of(one), key, padding)
            content = _opened(cipher_text, content_key, method)
            if content is not None:
                found.append(DecryptedData(content, method.is_authenticated))
    if not found:
        raise fault(FaultCode.DECRYPTION_FAILED)
    return found


def _data_method(data: Element) -> DataMethod:
    name = _algorithm(only_child(data, "xenc", "EncryptionMethod"))
    try:
        return DataMethod(name)
    except ValueError:
        raise fault(FaultCode.ALGORITHM_REFUSED, expected="AES-GCM or AES-CBC", received=name) from None


def _encrypted_keys(holder: Element, data: Element) -> list[Element]:
    """Return the encrypted keys: first those inside *data*, then those beside it in *holder* (SAML errata E43)."""
    inside = [key for info in children(data, "ds", "KeyInfo") for key in children(info, "xenc", "EncryptedKey")]
    found = inside + children(holder, "xenc", "EncryptedKey")
    if len(found) > MAX_KEYS:
        raise fault(FaultCode.MALFORMED, expected=f"at most {MAX_KEYS} encrypted keys", received=str(len(found)))
    return found


def _padding(encrypted_key: Element, legacy: Legacy) -> AsymmetricPadding:
    method = only_child(encrypted_key, "xenc", "EncryptionMethod")
    name = _algorithm(method)
    if name == RSA_15 and legacy.rsa15:
        return PKCS1v15()
    if method is None or name not in (OAEP_MGF1P, OAEP_11):
        raise fault(FaultCode.ALGORITHM_REFUSED, expected="RSA-OAEP", received=name or "none")
    digest = _algorithm(only_child(method, "ds", "DigestMethod")) or SHA1_DIGEST
    mask = f"{XENC11}mgf1sha1"
    if name == OAEP_11 and (given := method.find(f"{{{XENC11}}}MGF")) is not None:
        mask = _algorithm(given)
    if digest not in _DIGESTS or mask not in _MASKS:
        raise fault(
            FaultCode.ALGORITHM_REFUSED,
            expected="SHA-1, SHA-256, SHA-384 or SHA-512 in RSA-OAEP",
            received=f"{digest}, {mask}",
        )
    label = _bytes_of(only_child(method, "xenc", "OAEPparams"))
    return OAEP(MGF1(_MASKS[mask]()), _DIGESTS[digest](), label or None)


def _unwrapped(cipher_text: bytes, key: SigningKey, padding: AsymmetricPadding) -> bytes:
    """Decrypt the content key in *cipher_text*. If that fails, return a random key, so that success and failure take the same steps."""
    private = key.private
    if isinstance(private, rsa.RSAPrivateKey):
        try:
            return private.decrypt(cipher_text, padding)
        except ValueError:
            pass
    return random_bytes(32)


def _opened(cipher_text: bytes, key: bytes, method: DataMethod) -> bytes | None:
    key = key if len(key) == method.key_bytes else random_bytes(method.key_bytes)
    if method.is_authenticated:
        with suppress(InvalidTag, ValueError):
            return AESGCM(key).decrypt(cipher_text[:GCM_NONCE], cipher_text[GCM_NONCE:], None)
        return None
    if len(cipher_text) < 2 * BLOCK or len(cipher_text) % BLOCK:
        return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(cipher_text[:BLOCK])).decryptor()
    padded = decryptor.update(cipher_text[BLOCK:]) + decryptor.finalize()
    # Only the last byte of the padding is defined (XML Encryption, section 5.2).
    return padded[: -padded[-1]] if 1 <= padded[-1] <= BLOCK else None


def _encrypted(content: bytes, key: bytes, method: DataMethod) -> bytes:
    if method.is_authenticated:
        nonce = random_bytes(GCM_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, content, None)
    missing = BLOCK - len(content) % BLOCK
    start = random_bytes(BLOCK)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + encryptor.update(content + bytes(missing - 1) + bytes([missing])) + encryptor.finalize()


def _add_cipher(parent: Element, cipher_text: bytes) -> None:
    add(add(parent, "xenc", "CipherData"), "xenc", "CipherValue", base64.b64encode(cipher_text).decode())


def _cipher_of(element: Element) -> bytes:
    found = only_child(element, "xenc", "CipherData")
    value = None if found is None else only_child(found, "xenc", "CipherValue")
    if value is None:  # a CipherReference would fetch the content from elsewhere
        raise fault(FaultCode.MALFORMED, expected="CipherValue", received="none")
    return _bytes_of(value)


def _bytes_of(element: Element | None) -> bytes:
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (ValueError, binascii.Error):
        raise fault(FaultCode.BASE64_WRONG, received="an encrypted value") from None


def _algorithm(element: Element | None) -> str:
    return "" if element is None else str(element.get("Algorithm") or "")
