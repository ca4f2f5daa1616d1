"""Client authentication: client_secret_basic, client_secret_post, or none for a public client (RFC 6749, section 2.3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason

METHODS = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, slots=True)
class PresentedClient:
    """The client that a request claims to come from. *secret* is "" if the request contains none."""

    id: str
    secret: str = field(repr=False)


def presented_client(authorization: str, form: Mapping[str, str]) -> PresentedClient:
    """Read the client from the header *authorization* and the form. Raises OAuthFault if the request names no client, or authenticates it
    in two ways at once.
    """
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "basic":
        if "client_secret" in form:
            detail = "The client secret was sent twice: in the header and in the form"
            raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.TWO_CLIENT_AUTHENTICATIONS, detail)
        client, secret = _basic(credentials)
        if form.get("client_id", client) != client:
            detail = "client_id differs from the client in the Authorization header"
            raise OAuthFault(OAuthError.INVALID_REQUEST, RefusalReason.TWO_CLIENT_AUTHENTICATIONS, detail)
        return PresentedClient(client, secret)
    if not form.get("client_id"):
        raise unknown_client(RefusalReason.NO_CLIENT_AUTHENTICATION)
    return PresentedClient(form["client_id"], form.get("client_secret", ""))


def require_genuine(presented: PresentedClient, *, is_public: bool, has_matching_secret: bool) -> None:
    """Raise OAuthFault unless the client is authenticated. A public client has no secret, so sending one is an error."""
    if is_public:
        if presented.secret:
            raise unknown_client(RefusalReason.SECRET_OF_PUBLIC_CLIENT)
        return
    if not presented.secret:
        raise unknown_client(RefusalReason.NO_CLIENT_AUTHENTICATION)
    if not has_matching_secret:
        raise unknown_client(RefusalReason.WRONG_CLIENT_SECRET)


def unknown_client(reason: RefusalReason) -> OAuthFault:
    """Return the fault for a failed authentication. It is the same for every reason; only the log contains *reason*."""
    return OAuthFault(OAuthError.INVALID_CLIENT, reason, "The client is unknown, or its authentication failed")


def _basic(credentials: str) -> tuple[str, str]:
    try:
        client, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise unknown_client(RefusalReason.NO_CLIENT_AUTHENTICATION) from None
    if not colon or not client:
        raise unknown_client(RefusalReason.NO_CLIENT_AUTHENTICATION)
    return unquote_plus(client), unquote_plus(secret)
