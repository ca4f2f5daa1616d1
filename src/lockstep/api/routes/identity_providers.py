"""Single sign-on of administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from pydantic import Field

from lockstep.actions import identity_providers as actions
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import ROLES_CLAIM, SCOPES, ProviderChange
from lockstep.actions.permissions import Role
from lockstep.actions.rows.identity_providers import (
    IdentityProviderJson,
    ProviderMetadataJson,
    identity_provider_json,
    provider_metadata_json,
)
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import Body, Name, Text
from lockstep.errors import not_found
from lockstep.vault import Secret

router = router_of("Administration")


class ClaimRoleBody(Body):
    """A rule: people with this *value* of the claim get *role*. If *role* is applicationOwner, *app* is the application that they may
    manage.
    """

    value: Name = Field(examples=["lockstep-operators"])
    role: Role
    app: Text = ""


class IdentityProviderBody(Body):
    """Replaces all settings of the provider. Without *clientSecret*, the stored secret is kept unless the issuer or the client changes.
    An empty *clientSecret* makes Lockstep a public client.
    """

    name: Name = Field(examples=["Contoso ID"])
    issuer: Name = Field(examples=["https://login.contoso.test"])
    client_id: Name
    client_secret: Text | None = None
    scopes: Annotated[list[Name], Field(max_length=20)] = Field(default_factory=lambda: list(SCOPES))
    roles_claim: Name = ROLES_CLAIM
    trusts_email: bool = False
    roles: Annotated[list[ClaimRoleBody], Field(max_length=200)] = Field(default_factory=list)


@router.get("/single-sign-on")
async def show_identity_provider(context: Asked, request: Request) -> IdentityProviderJson:
    """Show how administrators sign in through a provider. The response is 404 if no provider is set up."""
    found = await _provider(context)
    if found is None:
        raise not_found("Single sign-on is not set up")
    return tagged(request, found)


@router.put("/single-sign-on")
async def set_identity_provider(
    context: Asked, unchanged: Unchanged, body: IdentityProviderBody
) -> IdentityProviderJson:
    """Set up single sign-on. The provider's discovery document must be reachable."""
    change = ProviderChange(
        body.name,
        body.issuer,
        body.client_id,
        secret=Secret(body.client_secret) if body.client_secret is not None else None,
        scopes=body.scopes,
        roles_claim=body.roles_claim,
        trusts_email=body.trusts_email,
        roles=[(one.value, one.role, one.app) for one in body.roles],
    )
    await unchanged.require(context, _provider)
    return identity_provider_json(await actions.set_identity_provider(context, change))


@router.delete("/single-sign-on", status_code=204)
async def remove_identity_provider(context: Asked, unchanged: Unchanged) -> None:
    """Remove the provider, and end the sessions of all administrators who signed in through it."""
    await unchanged.matched(_provider, actions.remove_identity_provider)(context)


@router.post("/single-sign-on/test")
async def test_identity_provider(context: Asked) -> ProviderMetadataJson:
    """Check that the provider responds and that the stored client secret can be decrypted. No one is signed in."""
    return provider_metadata_json(await actions.test_provider(context))


async def _provider(context: Context) -> IdentityProviderJson | None:
    view = await actions.show_identity_provider(context)
    return None if view is None else identity_provider_json(view)
