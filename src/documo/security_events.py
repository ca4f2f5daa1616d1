"""Security event tokens (RFC 8417) for changes to members and groups, with the SCIM profile of RFC 9967. Pure.

A change is sent as a notice. It names the changed attributes but not their values, so a stream never contains values that a key may not
read. Creations and deletions are also sent as feed events, because a stream covers the whole account.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

PREFIX = "urn:ietf:params:scim:event:"
EVENT_URIS = tuple(
    PREFIX + name
    for name in (
        "feed:add", "feed:remove", "prov:create:notice", "prov:patch:notice", "prov:delete", "prov:activate",
        "prov:deactivate",
    )
)  # fmt: skip
SET_TYPE = "secevent+jwt"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """The change of one resource in one transaction."""

    seq: int
    jti: str
    at: datetime
    txn: str
    kind: str
    resource_id: str
    external_id: str | None
    version: int
    events: Mapping[str, Mapping[str, Any]]


class Signer:
    """The key that signs security event tokens (SETs), and the JWKS with which receivers verify them. The package `cryptography` is
    imported only when a stream needs it.
    """

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        x = urlsafe_b64encode(public).rstrip(b"=").decode()
        # RFC 7638: the thumbprint of the key's required members, in lexical order.
        thumbprint = hashlib.sha256(orjson.dumps({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
        self.key_id = urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        self.jwks = {
            "keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.key_id, "alg": "EdDSA", "use": "sig"}]
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        import jwt

        return jwt.encode(dict(claims), self._key, "EdDSA", headers={"typ": SET_TYPE, "kid": self.key_id})


def claims_of(event: StreamEvent, *, endpoint: str, issuer: str, audience: str) -> dict[str, Any]:
    """Return the claims of a SET (RFC 8417, section 2.2; RFC 9967, section 2). *endpoint* is the endpoint of the resource type, such as
    `/Users`.
    """
    subject: dict[str, Any] = {"format": "scim", "uri": f"{endpoint}/{event.resource_id}"}
    if event.external_id is not None:
        subject["externalId"] = event.external_id
    version = f'"{event.version}"'
    told = {
        uri: {**payload, "version": version} if uri.endswith(":notice") else dict(payload)
        for uri, payload in event.events.items()
    }
    return {
        "iss": issuer,
        "aud": audience,
        "iat": int(event.at.timestamp()),
        "jti": event.jti,
        "txn": event.txn,
        "sub_id": subject,
        "events": told,
    }


def webhook_secret(master: bytes, stream_id: str) -> str:
    """Return the secret of one webhook. It is derived from *master*, so that it need not be stored."""
    return "whsec_" + hmac.digest(master, stream_id.encode(), "sha256").hex()


def webhook_signature(secret: str, body: bytes, at: int) -> str:
    """Return `t=<seconds>,v1=<hex>`: the HMAC-SHA-256 of the time, a dot and the body. The time is signed too, so that an old request
    cannot be replayed.
    """
    signed = hmac.digest(secret.encode(), b"%d." % at + body, "sha256").hex()
    return f"t={at},v1={signed}"
