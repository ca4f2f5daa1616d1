"""Single sign-on of administrators as JSON, without its secret."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions.identity_providers import CALLBACK, IdentityProvider
from lockstep.actions.rows.times import iso_time
from lockstep.oidc.provider import Metadata


class ClaimRoleJson(TypedDict):
    """A role that an administrator has if the claim contains *value*. *app* is the application for the role applicationOwner, and otherwise
    "".
    """

    value: str
    role: str
    app: str


class IdentityProviderJson(TypedDict):
    """The identity provider. *redirectPath* is the path of the redirect URI below the address of the admin centre."""

    name: str
    issuer: str
    clientId: str
    hasSecret: bool
    redirectPath: str
    scopes: list[str]
    rolesClaim: str
    trustsEmail: bool
    roles: list[ClaimRoleJson]
    changedAt: str
    changedBy: str


class ProviderMetadataJson(TypedDict):
    """The identity provider's metadata, as the connection test read it. *keys* is the address of the provider's signing keys."""

    issuer: str
    authorizationEndpoint: str
    tokenEndpoint: str
    keys: str


def identity_provider_json(view: IdentityProvider) -> IdentityProviderJson:
    return {
        "name": view.name,
        "issuer": view.issuer,
        "clientId": view.client_id,
        "hasSecret": view.has_secret,
        "redirectPath": CALLBACK,
        "scopes": list(view.scopes),
        "rolesClaim": view.roles_claim,
        "trustsEmail": view.trusts_email,
        "roles": [{"value": one.value, "role": one.role, "app": one.app_name or ""} for one in view.roles],
        "changedAt": iso_time(view.changed_at),
        "changedBy": view.changed_by,
    }


def provider_metadata_json(found: Metadata) -> ProviderMetadataJson:
    return {
        "issuer": found.issuer,
        "authorizationEndpoint": found.authorization_endpoint,
        "tokenEndpoint": found.token_endpoint,
        "keys": found.jwks_uri,
    }
