"""Lockstep's discovery document (OpenID Connect Discovery, section 3), and the addresses of its endpoints."""

from __future__ import annotations

from typing import Any

from lockstep.openid.claims import STANDARD
from lockstep.openid.clients import METHODS
from lockstep.openid.pkce import METHOD
from lockstep.openid.requests import SCOPES, ResponseMode
from lockstep.openid.tokens import ALGORITHM

DISCOVERY = "/.well-known/openid-configuration"
AUTHORIZE, CONTINUE, TOKEN, USERINFO = "/oauth2/authorize", "/oauth2/continue", "/oauth2/token", "/oauth2/userinfo"
KEYS, REVOKE, LOGOUT = "/oauth2/keys", "/oauth2/revoke", "/oauth2/logout"


def discovery_document(issuer: str) -> dict[str, Any]:
    """Return the document for *issuer*, the origin at which people reach Lockstep."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "userinfo_endpoint": issuer + USERINFO,
        "jwks_uri": issuer + KEYS,
        "revocation_endpoint": issuer + REVOKE,
        "end_session_endpoint": issuer + LOGOUT,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": [mode.value for mode in ResponseMode],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "code_challenge_methods_supported": [METHOD],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "at_hash",
            "sid",
            "amr",
            *STANDARD,
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
