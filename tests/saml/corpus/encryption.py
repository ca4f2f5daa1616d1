"""Encrypted assertions that cannot be read, or contain something other than one signed assertion."""

from __future__ import annotations

import base64
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

from lockstep.saml.encryption import BLOCK, MAX_KEYS, OAEP_11, DataMethod
from lockstep.saml.faults import FaultCode
from lockstep.saml.names import DS, SAML, XENC, XENC11
from tests.saml.corpus.building import NAME_ID, SUBJECT, A, case, sub, text_at
from tests.saml.forging import evil_twin, find, text, with_encrypted
from tests.saml.parties import key_of


def _original(root: Any) -> Any:
    return find(root, A)


def _values(holder: Any) -> Any:
    """The encrypted key and the encrypted assertion."""
    return holder.findall(f".//{{{XENC}}}CipherValue")


def _garbled(position: int) -> Callable[[Any], None]:
    """Change one letter of the encrypted assertion."""

    def change(holder: Any) -> None:
        value = _values(holder)[-1]
        letters = list(value.text)
        letters[position] = "A" if letters[position] != "A" else "B"
        value.text = "".join(letters)

    return change


def _set_algorithm(index: int, name: str) -> Callable[[Any], None]:
    return lambda holder: holder.findall(f".//{{{XENC}}}EncryptionMethod")[index].set("Algorithm", name)


def _with_mask(holder: Any) -> None:
    method = holder.findall(f".//{{{XENC}}}EncryptionMethod")[1]
    method.set("Algorithm", OAEP_11)
    sub(method, XENC11, "MGF", Algorithm=f"{XENC11}mgf1md5")


def _with_keys(count: int) -> Callable[[Any], None]:
    def change(holder: Any) -> None:
        key = holder.find(f".//{{{XENC}}}EncryptedKey")
        for _ in range(count - 1):
            key.addnext(deepcopy(key))

    return change


def _referring(holder: Any) -> None:
    value = _values(holder)[-1]
    value.getparent().replace(value, etree.Element(f"{{{XENC}}}CipherReference", URI="https://evil.example/"))


def _padded(padding: bytes) -> Callable[[], bytes]:
    """A signed response whose assertion was encrypted in CBC by hand, with this *padding*."""
    key, start = bytes(32), bytes(BLOCK)
    public = key_of("sp").certificate.x509.public_key()
    assert isinstance(public, rsa.RSAPublicKey)

    def build() -> bytes:
        contents: list[bytes] = []

        def change(holder: Any) -> None:
            content = contents[0]
            content += b" " * (-(len(content) + len(padding)) % BLOCK) + padding
            encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
            wrapped = public.encrypt(key, OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None))
            for value, data in zip(_values(holder), (wrapped, start + encryptor.update(content)), strict=True):
                value.text = base64.b64encode(data).decode()

        def original(root: Any) -> Any:
            contents.append(text(_original(root)))
            return _original(root)

        return with_encrypted(original, CBC, whole=True, change=change)

    return build


def _in_evil(element_of: Callable[[Any], Any]) -> Callable[[], bytes]:
    """An encrypted assertion without a signature, which contains another element."""

    def evil(root: Any) -> Any:
        twin = evil_twin(root)
        twin.append(element_of(root))
        return twin

    return lambda: with_encrypted(evil)


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
case("encrypted with CBC, padding of no bytes", FaultCode.DECRYPTION_FAILED, _padded(bytes([0])))
case("encrypted with CBC, padding of 17 bytes", FaultCode.DECRYPTION_FAILED, _padded(bytes([17] * 17)))
case(
    "encrypted with CBC, one block",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(_original, CBC, change=lambda holder: setattr(_values(holder)[-1], "text", "A" * 22 + "==")),
)
case(
    "encrypted with CBC, not whole blocks",
    FaultCode.DECRYPTION_FAILED,
    lambda: with_encrypted(_original, CBC, change=lambda holder: setattr(_values(holder)[-1], "text", "A" * 68)),
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
    "encrypted key without a method",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(
        _original,
        change=lambda holder: (found := holder.findall(f".//{{{XENC}}}EncryptionMethod")[1]).getparent().remove(found),
    ),
)
case(
    "encrypted key with MD5 as the digest",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(
        _original, change=lambda holder: holder.find(f".//{{{DS}}}DigestMethod").set("Algorithm", f"{DS}md5")
    ),
)
case(
    "encrypted key with MD5 in the mask",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(_original, change=_with_mask),
)
case("nine encrypted keys", FaultCode.MALFORMED, lambda: with_encrypted(_original, change=_with_keys(MAX_KEYS + 1)))
case(
    "encrypted with Triple DES",
    FaultCode.ALGORITHM_REFUSED,
    lambda: with_encrypted(_original, change=_set_algorithm(0, f"{XENC}tripledes-cbc")),
)
case("encrypted content elsewhere", FaultCode.MALFORMED, lambda: with_encrypted(_original, change=_referring))
case(
    "encrypted content is missing",
    FaultCode.MALFORMED,
    lambda: with_encrypted(_original, change=lambda holder: holder.remove(holder[0])),
)
case(
    "encrypted content is no Base64",
    FaultCode.BASE64_WRONG,
    lambda: with_encrypted(_original, change=lambda holder: setattr(_values(holder)[-1], "text", "*")),
)
case(
    "encrypted, and no assertion",
    FaultCode.ASSERTION_MISSING,
    lambda: with_encrypted(lambda root: find(root, SUBJECT), whole=True),
)
case(
    "encrypted, with an assertion inside",
    FaultCode.ASSERTION_MISPLACED,
    _in_evil(lambda root: deepcopy(_original(root))),
)
case(
    "encrypted, with an encrypted assertion inside",
    FaultCode.ASSERTION_MISPLACED,
    _in_evil(lambda root: etree.Element(f"{{{SAML}}}EncryptedAssertion")),
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
