"""Single sign-on of an application: settings, claims, signing certificates and metadata."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from lockstep.actions.context import Context
from lockstep.actions.rows.single_sign_on import SignOnJson, SignOnTrialJson, sign_on_json, trial_json
from lockstep.actions.single_sign_on import certificates, metadata, settings, trying
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import AppName, Body, Name, Text
from lockstep.errors import invalid, not_found

router = router_of("Single sign-on")


class SignOnChange(Body):
    """The keys of the section `singleSignOn` of a configuration file. What is left out stays; null gives a key its default."""

    single_sign_on: dict[str, Any] = Field(
        examples=[{"mode": "saml", "replyUrls": ["https://api.documo.com/assert"]}], max_length=30
    )
    replaces: bool = Field(False, description="Give the keys that are left out their default")


class NewCertificate(Body):
    activates: bool = Field(False, description="Sign with it at once. The application must know it")


class MetadataSource(Body):
    """Either the XML or the address of the application's metadata."""

    xml: Annotated[str, Field(max_length=1_000_000)] = ""
    url: Text = Field("", examples=["https://app.documo.com/saml/metadata"])


@router.get("/applications/{app}/single-sign-on")
async def show_sign_on(context: Asked, request: Request, app: AppName) -> SignOnJson:
    return tagged(request, await _sign_on(context, app))


@router.patch("/applications/{app}/single-sign-on")
async def change_sign_on(context: Asked, unchanged: Unchanged, app: AppName, body: SignOnChange) -> SignOnJson:
    """Change how people sign in. Turning SAML on makes a signing certificate if there is none."""

    async def work(inner: Context) -> SignOnJson:
        return sign_on_json(await settings.change_sign_on(inner, app, body.single_sign_on, replaces=body.replaces))

    return await unchanged.matched(lambda inner: _sign_on(inner, app), work)(context)


@router.get("/applications/{app}/single-sign-on/trial")
async def try_sign_on(
    context: Asked,
    app: AppName,
    user: Annotated[str, Query(max_length=1024)] = "",
    error: Annotated[str, Query(max_length=2000, description="What the application said after a real attempt")] = "",
) -> SignOnTrialJson:
    """Whether somebody could sign in, the request and the response without a valid signature, and how real attempts ended. Nothing is sent.
    Without *user*: somebody who is assigned.
    """
    found = await trying.try_sign_on(context, app, user, error=error)
    if found is None:
        raise not_found("There are no people to try with")
    return trial_json(found)


@router.post("/applications/{app}/single-sign-on/metadata")
async def import_metadata(context: Asked, app: AppName, body: MetadataSource) -> SignOnJson:
    """Fill the settings from the application's own metadata."""
    if bool(body.xml) == bool(body.url):
        raise invalid("Either xml or url is needed", next_step="Give one of them")
    if body.url:
        return sign_on_json(await metadata.fetch_metadata(context, app, body.url))
    return sign_on_json(await metadata.upload_metadata(context, app, body.xml.encode()))


@router.post("/applications/{app}/signing-certificates", status_code=201)
async def add_certificate(context: Asked, app: AppName, body: NewCertificate) -> SignOnJson:
    """Make a new key and certificate, valid for 3 years."""
    return sign_on_json(await certificates.add_certificate(context, app, activates=body.activates))


@router.post("/applications/{app}/signing-certificates/{thumbprint}/activate")
async def activate_certificate(context: Asked, app: AppName, thumbprint: Name) -> SignOnJson:
    """Sign with this certificate from now on. The application must know it."""
    return sign_on_json(await certificates.activate_certificate(context, app, thumbprint))


@router.delete("/applications/{app}/signing-certificates/{thumbprint}")
async def remove_certificate(context: Asked, unchanged: Unchanged, app: AppName, thumbprint: Name) -> SignOnJson:
    """Forget a certificate that is not active, with its key."""

    async def work(inner: Context) -> SignOnJson:
        return sign_on_json(await certificates.remove_certificate(inner, app, thumbprint))

    return await unchanged.matched(lambda inner: _sign_on(inner, app), work)(context)


async def _sign_on(context: Context, app: str) -> SignOnJson:
    return sign_on_json(await settings.show_sign_on(context, app))
