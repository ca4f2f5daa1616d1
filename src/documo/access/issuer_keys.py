"""Read an issuer's public keys from a JWKS document, or from PEM blocks that contain keys and certificates.

A private key is refused with an error and never stored, so that an admin who pastes one by mistake notices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from lockstep.errors import LockstepError, invalid

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.S)
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


def read_keys(data: bytes) -> Mapping[str, Any]:
    """Return the JWKS (RFC 7517) that *data* contains, or a JWKS built from the PEM blocks in *data*. Raises LockstepError if there is
    neither, or if *data* contains a private key.
    """
    if b"PRIVATE KEY-----" in data:
        raise invalid(
            "The file contains a private key",
            next_step="Give the public key or the certificate instead, and keep the private key secret",
        )
    blocks = [(found[1].decode(), found[0]) for found in _BLOCK.finditer(data)]
    if blocks:
        return {"keys": [_jwk(kind, block) for kind, block in blocks]}
    try:
        jwks = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _unreadable() from None
    if not isinstance(jwks, dict):
        raise _unreadable()
    return jwks


def _jwk(kind: str, block: bytes) -> dict[str, Any]:
    """Convert the key in a PEM block to a JWK. An RSA key gets the algorithm RS256, because PEM does not name the algorithm and issuers use
    RS256.
    """
    try:
        key = (
            x509.load_pem_x509_certificate(block).public_key() if kind == "CERTIFICATE" else load_pem_public_key(block)
        )
    except ValueError:
        raise _unreadable() from None
    if isinstance(key, rsa.RSAPublicKey):
        return {**RSAAlgorithm.to_jwk(key, as_dict=True), "alg": "RS256"}
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _EC_ALGORITHMS:
        return {**ECAlgorithm.to_jwk(key, as_dict=True), "alg": _EC_ALGORITHMS[key.curve.name]}
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return {**OKPAlgorithm.to_jwk(key, as_dict=True), "alg": "EdDSA"}
    raise invalid("A key in the file is of a type that cannot sign tokens", next_step="Give an RSA, EC or EdDSA key")


def _unreadable() -> LockstepError:
    return invalid(
        "The file contains no readable public keys",
        next_step='Give the issuer\'s JWKS, {"keys": [...]}, or PEM with public keys or certificates',
    )
