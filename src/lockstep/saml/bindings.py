"""HTTP-Redirect and HTTP-POST (SAML bindings, sections 3.4 and 3.5): messages as parameters of a URL and as fields of a form.

The signature of a redirect covers the parameters exactly as they were sent. They are therefore taken from the raw query, and never
decoded and encoded again.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.signatures import NO_LEGACY, Legacy, sign_element, signature_of, verified
from lockstep.saml.xml import MAX_BYTES, parse, serialized

Field = Literal["SAMLRequest", "SAMLResponse"]
FIELDS: tuple[Field, ...] = ("SAMLRequest", "SAMLResponse")
MAX_RELAY_STATE = 1024  # the specification allows 80 bytes, but many applications put an address into it
MAX_QUERY = 64 * 1024
DEFLATE = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
_OWN_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_HASHES: dict[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
    ECDSA_SHA256: hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A received message. *signed* is true only if one of the given certificates verified the whole message.

    *relay_state* comes from the sender and is unverified: send it back unchanged, or read it with `own_reference`.
    """

    message: bytes
    field: Field
    relay_state: str
    signed: bool


def redirect_url(
    location: str, *, message: bytes, field: Field, relay_state: str = "", key: SigningKey | None = None
) -> str:
    """Return the URL that sends *message* to *location*. If *key* is given, the URL is signed."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = compressor.compress(message) + compressor.flush()
    query = f"{field}={_quoted(base64.b64encode(deflated).decode())}"
    if relay_state:
        query += f"&RelayState={_quoted(relay_state)}"
    if key is not None:
        is_elliptic = isinstance(key.private, ec.EllipticCurvePrivateKey)
        query += f"&SigAlg={_quoted(ECDSA_SHA256 if is_elliptic else RSA_SHA256)}"
        query += f"&Signature={_quoted(base64.b64encode(_signature(query.encode(), key)).decode())}"
    return f"{location}{'&' if '?' in location else '?'}{query}"


def read_redirect(
    raw_query: str, *, certificates: Sequence[Certificate] = (), legacy: Legacy = NO_LEGACY
) -> ReceivedMessage:
    """Read the message in a query as received, without the question mark.

    If *certificates* are given, a signature is verified, and an invalid signature is refused. The caller decides whether a signature is
    required.
    """
    if len(raw_query) > MAX_QUERY:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_QUERY} characters", received=str(len(raw_query)))
    sent = _parameters(raw_query)
    field = _one_field(sent)
    if _decoded(sent.get("SAMLEncoding", "")) not in ("", DEFLATE):
        raise fault(FaultCode.DEFLATE_WRONG, expected=DEFLATE, received=_decoded(sent["SAMLEncoding"]))
    is_signed = bool(certificates) and "Signature" in sent
    if is_signed:
        _verify_query(sent, field, certificates, legacy)
    message = _inflated(_from_base64(_decoded(sent[field])))
    return ReceivedMessage(message, field, _checked_relay_state(_decoded(sent.get("RelayState", ""))), is_signed)


def post_fields(
    message: bytes, *, field: Field, relay_state: str = "", key: SigningKey | None = None
) -> dict[str, str]:
    """Return the hidden form fields that send *message*. If *key* is given, the message is signed as a whole."""
    if key is not None:
        message = serialized(sign_element(parse(message), key))
    fields: dict[str, str] = {field: base64.b64encode(message).decode()}
    return fields | {"RelayState": relay_state} if relay_state else fields


def read_post(
    form: Mapping[str, str], *, certificates: Sequence[Certificate] = (), legacy: Legacy = NO_LEGACY
) -> ReceivedMessage:
    """Read the message in a form. If *certificates* are given, a signature of the whole message is verified, and `message` is the signed
    content.
    """
    field = _one_field(form)
    message = _from_base64(form[field])
    relay_state = _checked_relay_state(form.get("RelayState", ""))
    if certificates and signature_of(root := parse(message)) is not None:
        return ReceivedMessage(serialized(verified(root, certificates, legacy)), field, relay_state, signed=True)
    return ReceivedMessage(message, field, relay_state, signed=False)


def own_reference(relay_state: str) -> str:
    """Return *relay_state* if it is "" or has the form of the opaque references in our own requests.

    Raises SamlFault("RelayStateRefused") for anything else, such as a URL that an attacker wants the browser to open after the sign-in.
    """
    if relay_state and not _OWN_REFERENCE.fullmatch(relay_state):
        raise fault(FaultCode.RELAY_STATE_REFUSED, expected="a reference of letters and digits", received=relay_state)
    return relay_state


def _checked_relay_state(relay_state: str) -> str:
    """Return *relay_state* unchanged. Refuses a text that is too long or contains control characters, because a line break would end a
    header or a log line.
    """
    if len(relay_state) > MAX_RELAY_STATE or not relay_state.isprintable():
        raise fault(
            FaultCode.RELAY_STATE_REFUSED,
            expected=f"at most {MAX_RELAY_STATE} printable characters",
            received=relay_state,
        )
    return relay_state


def _parameters(raw_query: str) -> dict[str, str]:
    """Return the SAML parameters by name, still encoded. Other parameters are left out. A repeated SAML parameter is refused."""
    known = {*FIELDS, "RelayState", "SigAlg", "Signature", "SAMLEncoding"}
    found: dict[str, str] = {}
    for part in raw_query.split("&"):
        name, _, value = part.partition("=")
        if _decoded(name) in known:
            if name in found or name not in known:
                raise fault(FaultCode.PARAMETER_REPEATED, expected=f"{_decoded(name)} once", received=name)
            found[name] = value
    return found


def _one_field(sent: Mapping[str, str]) -> Field:
    found = [field for field in FIELDS if field in sent]
    if len(found) != 1:
        received = " and ".join(found) or "neither"
        raise fault(FaultCode.PARAMETER_REPEATED, expected="SAMLRequest or SAMLResponse", received=received)
    return found[0]


def _verify_query(sent: Mapping[str, str], field: Field, certificates: Sequence[Certificate], legacy: Legacy) -> None:
    """Verify the signature of the parameters. It covers the parameters exactly as they were sent, in the order that the standard requires
    (bindings, section 3.4.4.1).
    """
    algorithm = _decoded(sent.get("SigAlg", ""))
    hash_algorithm = hashes.SHA1() if algorithm == RSA_SHA1 and legacy.sha1 else _HASHES.get(algorithm)  # noqa: S303
    if hash_algorithm is None:
        raise fault(FaultCode.ALGORITHM_REFUSED, expected="RSA or ECDSA with SHA-256 or better", received=algorithm)
    signed = "&".join(f"{name}={sent[name]}" for name in (field, "RelayState", "SigAlg") if name in sent).encode()
    signature = _from_base64(_decoded(sent["Signature"]))
    for certificate in certificates:
        public = certificate.x509.public_key()
        with suppress(InvalidSignature):
            if isinstance(public, rsa.RSAPublicKey) and "#rsa-" in algorithm:
                public.verify(signature, signed, PKCS1v15(), hash_algorithm)
                return
            if isinstance(public, ec.EllipticCurvePublicKey) and "#ecdsa-" in algorithm:
                half = len(signature) // 2
                numbers = (int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
                public.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hash_algorithm))
                return
    raise fault(FaultCode.SIGNATURE_WRONG, expected=", ".join(one.thumbprint for one in certificates))


def _signature(data: bytes, key: SigningKey) -> bytes:
    private = key.private
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, PKCS1v15(), hashes.SHA256())
    size = (private.curve.key_size + 7) // 8
    first, second = decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
    return first.to_bytes(size) + second.to_bytes(size)


def _inflated(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(-15)
    try:
        message = decompressor.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise fault(FaultCode.DEFLATE_WRONG, expected="raw DEFLATE", received="something else") from None
    if len(message) > MAX_BYTES:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_BYTES} bytes", received="more")
    if not decompressor.eof or decompressor.unused_data:
        raise fault(
            FaultCode.DEFLATE_WRONG, expected="one whole message", received="an incomplete message, or more than one"
        )
    return message


def _from_base64(text: str) -> bytes:
    if len(text) > 2 * MAX_BYTES:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_BYTES} bytes", received="more")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise fault(FaultCode.BASE64_WRONG, expected="Base64", received=text[:40]) from None


def _decoded(value: str) -> str:
    return unquote_plus(value, errors="replace")


def _quoted(value: str) -> str:
    return quote(value, safe="")
