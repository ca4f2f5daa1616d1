"""A provider over real HTTP whose answers a test chooses: for ID tokens and responses that a real one would never send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http

CLIENT_ID = "lockstep"
Sign = Callable[[dict[str, Any], RSAKey], str]


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    """Return a correct ID token."""
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@dataclass
class RogueProvider:
    """*claims* and *metadata* are added to the correct ones; None removes one. *sign* makes the token, *user_info* is the answer, and
    *token_text* is the token response if it is not empty. *proofs* lists how the client authenticated each time.
    """

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    user_info: dict[str, Any] = field(default_factory=dict)
    discoveries: int = 0
    sign: Sign = signed
    verifiers: list[str] = field(default_factory=list)
    token_text: str = ""
    proofs: list[str] = field(default_factory=list)
    _nonces: dict[str, str] = field(default_factory=dict)

    def answer(self, authorization_url: str, **changes: str | None) -> str:
        """Return the query with which the browser comes back after a sign-in at *authorization_url*."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        self._nonces[changes.get("code") or "code"] = asked["nonce"]
        right = {"code": "code", "state": asked["state"], "iss": self.issuer}
        return urlencode({name: value for name, value in (right | changes).items() if value is not None})

    def claims_for(self, code: str) -> dict[str, Any]:
        now = int(datetime.now(UTC).timestamp())
        right = {
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "anna", "iat": now, "exp": now + 60, "nonce": self._nonces[code],
            "email": "anna@contoso.test", "email_verified": True, "groups": ["lockstep-operators"],
        }  # fmt: skip
        return {name: value for name, value in (right | self.claims).items() if value is not None}

    async def discovery(self, _: Request) -> Response:
        self.discoveries += 1
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse({name: value for name, value in (right | self.metadata).items() if value is not None})

    async def keys(self, _: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form["code"] not in self._nonces:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        self.verifiers.append(form["code_verifier"])
        self.proofs.append(
            "header" if "authorization" in request.headers else "form" if "client_secret" in form else "none"
        )
        if self.token_text:
            return Response(self.token_text, media_type="application/json")
        return JSONResponse({"access_token": "access", "id_token": self.sign(self.claims_for(form["code"]), self.key)})

    async def me(self, _: Request) -> Response:
        return Response(json.dumps({"sub": "anna"} | self.user_info), media_type="application/json")


@asynccontextmanager
async def running_rogue_provider() -> AsyncIterator[RogueProvider]:
    listener = listen("127.0.0.1", 0, next_step="")
    provider = RogueProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.discovery),
            Route("/keys", provider.keys),
            Route("/token", provider.token, methods=["POST"]),
            Route("/me", provider.me),
        ]
    )
    async with serving_http(app, listener, limits=ServingLimits(stop_seconds=1.0)):
        yield provider
