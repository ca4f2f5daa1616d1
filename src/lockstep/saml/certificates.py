"""X.509 certificates as containers of public keys, and keys that sign.

A configured certificate only says which key to trust. Its issuer, dates and extensions are ignored (SAML V2.0 Metadata Interoperability
Profile, section 2.6.1), but people see its expiry date and are warned of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.identifiers import random_bytes

KEY_BITS = 3072
MIN_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
MAX_TEXT = 64 * 1024
MAX_NAME = 64  # characters of a common name (RFC 5280, appendix A.1)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_HINT = "Paste the certificate as the identity provider shows it: Base64, with or without the lines BEGIN CERTIFICATE and END CERTIFICATE."


@dataclass(frozen=True)
class Certificate:
    """A certificate. *thumbprint* is the SHA-1 of its bytes in upper-case hexadecimal, as in Entra and Windows. It serves only to
    identify the certificate.
    """

    pem: str
    thumbprint: str
    not_before: datetime
    not_after: datetime
    subject: str

    @cached_property
    def x509(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.pem.encode())

    @property
    def base64(self) -> str:
        """The bytes in Base64 without header lines, as used in XML."""
        return "".join(self.pem.splitlines()[1:-1])


def certificates_in(text: str) -> list[Certificate]:
    """Return every certificate in *text* once. *text* contains PEM, or Base64 without header lines. Line breaks may be missing.

    Raises SamlFault if there is no certificate, if one is unreadable, if a key is too weak, or if *text* is too long or has a private key.
    """
    if len(text) > MAX_TEXT:
        raise fault(FaultCode.TOO_LARGE, expected=f"at most {MAX_TEXT} characters", received=f"{len(text)} characters")
    text = text.replace("\\r", "\n").replace("\\n", "\n").strip().lstrip("\ufeff")
    blocks = _PEM.findall(text)
    for label, _ in blocks:
        if "PRIVATE KEY" in label:
            raise fault(
                FaultCode.CERTIFICATE_UNREADABLE, expected="certificates", received="a private key", next_step=_HINT
            )
    bodies = [body for label, body in blocks if label in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")]
    if not blocks:
        bodies = [part for part in re.split(r"\n\s*\n|[,;]", text) if part.strip()]
    found = [_certificate(body) for body in bodies]
    if not found:
        raise fault(
            FaultCode.CERTIFICATE_UNREADABLE,
            expected="a certificate",
            received=f"{len(text)} characters",
            next_step=_HINT,
        )
    return list({one.thumbprint: one for one in found}.values())


def certificate_of(loaded: x509.Certificate) -> Certificate:
    """Convert a loaded certificate. Raises SamlFault("KeyRefused") unless its key is RSA with at least 2048 bits or lies on a NIST
    curve.
    """
    try:
        key = loaded.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPublicKey):
        is_strong, described = key.key_size >= MIN_RSA_BITS, f"RSA with {key.key_size} bits"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        is_strong, described = key.curve.name in CURVES, f"the curve {key.curve.name}"
    else:
        is_strong, described = False, type(key).__name__
    if not is_strong:
        raise fault(
            FaultCode.KEY_REFUSED, expected="RSA with 2048 bits or more, or P-256, P-384, P-521", received=described
        )
    return Certificate(
        pem=loaded.public_bytes(Encoding.PEM).decode(),
        thumbprint=loaded.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303  # identifies, as Entra and Windows do
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        subject=_subject(loaded),
    )


def _certificate(body: str) -> Certificate:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
        loaded = x509.load_der_x509_certificate(der)
    except (ValueError, binascii.Error):
        shown = f"{len(body)} characters"  # the text may be a private key, so it is not shown
        raise fault(
            FaultCode.CERTIFICATE_UNREADABLE, expected="a certificate", received=shown, next_step=_HINT
        ) from None
    return certificate_of(loaded)


def _subject(loaded: x509.Certificate) -> str:
    try:
        return loaded.subject.rfc4514_string()
    except ValueError:
        return ""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its certificate. Loading the key takes milliseconds, so keep the object if you sign often."""

    certificate: Certificate
    private_pem: str = field(repr=False)

    @cached_property
    def private(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        """The loaded key. Raises SamlFault("KeyRefused") if it is not a private key, or does not belong to the certificate."""
        # Skip the check that the numbers of the key are consistent, which takes 0.1 s. A wrong key is found by the comparison with the
        # certificate's key, and the pair was made by `new_signing_key` or checked when it was stored.
        try:
            key = load_pem_private_key(self.private_pem.encode(), None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise fault(FaultCode.KEY_REFUSED, expected="a private key in PEM", received="something else") from None
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or (
            key.public_key() != self.certificate.x509.public_key()
        ):
            raise fault(FaultCode.KEY_REFUSED, expected="the key of the certificate", received="another key")
        return key


def new_signing_key(subject: str, *, now: datetime, years: int = 3) -> SigningKey:
    """Create an RSA key with a self-signed certificate (SHA-256), valid from *now*. *subject* becomes the common name."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:MAX_NAME])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(random_bytes(19)) + 1)
        .not_valid_before(now)
        .not_valid_after(_years_later(now, years))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(certificate_of(certificate), pem)


def _years_later(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February
        return moment.replace(year=moment.year + years, month=3, day=1)
