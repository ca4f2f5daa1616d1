"""A software authenticator. Unlike a browser, it answers any challenge for any page (WebAuthn, section 6)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT, _VERIFIED, _HAS_KEY = 0x01, 0x04, 0x40


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class SoftPasskey:
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    uses: int = 0
    counts: bool = True  # many devices do not count how often a passkey was used, and always say 0

    def create(self, options: str, *, origin: str, host: str = "") -> str:
        """Return the response to a request for a new passkey."""
        asked = json.loads(options)
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(host or asked["rp"]["id"], _PRESENT | _VERIFIED | _HAS_KEY) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(asked["challenge"], "webauthn.create", origin, attestationObject=text(attestation))

    def get(self, options: str, *, origin: str, host: str = "", flags: int = _PRESENT | _VERIFIED) -> str:
        """Return the response that signs in."""
        asked = json.loads(options)
        self.uses += self.counts
        data = self._data(host or asked["rpId"], flags)
        client = self._client(asked["challenge"], "webauthn.get", origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            asked["challenge"], "webauthn.get", origin, authenticatorData=text(data), signature=text(signature)
        )

    def _data(self, host: str, flags: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.uses)

    def _client(self, challenge: str, type_: str, origin: str) -> bytes:
        return json.dumps({"type": type_, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def _answer(self, challenge: str, type_: str, origin: str, **response: str) -> str:
        client = text(self._client(challenge, type_, origin))
        whole = {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "clientExtensionResults": {}}
        return json.dumps({**whole, "response": {"clientDataJSON": client, **response}})
