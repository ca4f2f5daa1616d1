"""Single sign-on of an application: settings, claims, signing certificates, client secrets and metadata. Also the keys that sign the OpenID
Connect tokens of all applications, and the public address of Lockstep.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions.context import Context
from lockstep.actions.rows.single_sign_on import (
    ClientSecretJson,
    NewClientSecretJson,
    SigningKeyJson,
    SignOnJson,
    SignOnTrialJson,
    client_secret_json,
    new_client_secret_json,
    sign_on_json,
    signing_key_json,
    trial_json,
)
from lockstep.actions.single_sign_on import (
    address,
    certificates,
    client_secrets,
    interrupting,
    metadata,
    openid_keys,
    settings,
    trying,
)
from lockstep.actions.single_sign_on.client_secrets import MOST_DAYS, USUAL_DAYS
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.shapes import AppName, Body, Name, Text
from lockstep.errors import invalid, not_found

router = router_of("Single sign-on")


class SignOnChange(Body):
    """The keys of the section `singleSignOn` of a configuration file. Omitted keys keep their values; null resets a key to its default."""

    single_sign_on: dict[str, Any] = Field(
        examples=[{"mode": "saml", "replyUrls": ["https://api.documo.com/assert"]}], max_length=30
    )
    replaces: bool = Field(False, description="Reset omitted keys to their defaults")


class InterruptionJson(TypedDict):
    """*sentences* is empty if nobody would notice the change."""

    people: int
    sentences: list[str]


class PublicAddress(Body):
    address: Text = Field(examples=["https://id.contoso.test"], description="A scheme and a host, without a path")


class PublicAddressJson(TypedDict):
    """*address* is "" until it is set; Lockstep then uses the address at which it is served."""

    address: str


class NewCertificate(Body):
    activates: bool = Field(
        False, description="Make the certificate active at once; the application must already have it"
    )


class MetadataSource(Body):
    """Either the XML or the address of the application's metadata."""

    xml: Annotated[str, Field(max_length=1_000_000)] = ""
    url: Text = Field("", examples=["https://app.documo.com/saml/metadata"])


class ClientSecretsJson(TypedDict):
    items: list[ClientSecretJson]


class SigningKeysJson(TypedDict):
    """The keys, the active one first."""

    items: list[SigningKeyJson]


class NewSecret(Body):
    description: Annotated[str, Field(max_length=100, examples=["Server in Rome"])] = ""
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = USUAL_DAYS


class KeyRoll(Body):
    is_compromised: bool = Field(
        False, description="Withdraw the active key at once, without waiting until applications know the next one"
    )


@router.get("/applications/{app}/single-sign-on")
async def show_sign_on(context: Asked, request: Request, app: AppName) -> SignOnJson:
    return tagged(request, await _sign_on(context, app))


@router.patch("/applications/{app}/single-sign-on")
async def change_sign_on(context: Asked, unchanged: Unchanged, app: AppName, body: SignOnChange) -> SignOnJson:
    """Change how people sign in. Switching on SAML creates a signing certificate if there is none. Switching on OpenID Connect creates
    signing keys.
    """

    async def work(inner: Context) -> SignOnJson:
        return sign_on_json(await settings.change_sign_on(inner, app, body.single_sign_on, replaces=body.replaces))

    return await unchanged.matched(lambda inner: _sign_on(inner, app), work)(context)


@router.post("/applications/{app}/single-sign-on/rehearse")
async def foresee_interruption(context: Asked, app: AppName, body: SignOnChange) -> InterruptionJson:
    """Show what would no longer work after this change, and how many people signed in during the last 30 days. Nothing is changed."""
    found = await interrupting.foresee_interruption(context, app, body.single_sign_on)
    return {"people": found.people, "sentences": list(found.sentences)}


@router.get("/applications/{app}/single-sign-on/trial")
async def try_sign_on(
    context: Asked,
    app: AppName,
    user: Annotated[str, Query(max_length=1024)] = "",
    error: Annotated[
        str,
        Query(
            max_length=2000,
            description="The error that the application showed after a real attempt, or a code of the sign-in log",
        ),
    ] = "",
) -> SignOnTrialJson:
    """Try a sign-in: whether the person could sign in, a sample request and response without valid signatures, and the results of real
    attempts. Nothing is sent. Without *user*, an assigned person is used.
    """
    found = await trying.try_sign_on(context, app, user, error=error)
    if found is None:
        raise not_found("There are no people to test with")
    return trial_json(found)


@router.post("/applications/{app}/single-sign-on/metadata")
async def import_metadata(context: Asked, app: AppName, body: MetadataSource) -> SignOnJson:
    """Fill the settings from the application's own metadata."""
    if bool(body.xml) == bool(body.url):
        raise invalid("The body must contain xml or url", next_step="Send one of them")
    if body.url:
        return sign_on_json(await metadata.fetch_metadata(context, app, body.url))
    return sign_on_json(await metadata.upload_metadata(context, app, body.xml.encode()))


@router.post("/applications/{app}/signing-certificates", status_code=201)
async def add_certificate(context: Asked, app: AppName, body: NewCertificate) -> SignOnJson:
    """Create a key and a certificate that is valid for 3 years."""
    return sign_on_json(await certificates.add_certificate(context, app, activates=body.activates))


@router.post("/applications/{app}/signing-certificates/{thumbprint}/activate")
async def activate_certificate(context: Asked, app: AppName, thumbprint: Name) -> SignOnJson:
    """Sign with this certificate from now on. The application must already trust the certificate."""
    return sign_on_json(await certificates.activate_certificate(context, app, thumbprint))


@router.delete("/applications/{app}/signing-certificates/{thumbprint}")
async def remove_certificate(context: Asked, unchanged: Unchanged, app: AppName, thumbprint: Name) -> SignOnJson:
    """Delete a certificate that is not active, and its key."""

    async def work(inner: Context) -> SignOnJson:
        return sign_on_json(await certificates.remove_certificate(inner, app, thumbprint))

    return await unchanged.matched(lambda inner: _sign_on(inner, app), work)(context)


@router.get("/applications/{app}/client-secrets")
async def list_client_secrets(context: Asked, asking: Asking, app: AppName) -> Page[ClientSecretJson]:
    """List the client secrets of an application that uses OpenID Connect, without their values."""
    rows = await client_secrets.list_client_secrets(context, app)
    return page_of_rows(asking, [client_secret_json(row) for row in rows], key="id")


@router.post("/applications/{app}/client-secrets", status_code=201)
async def add_client_secret(context: Asked, app: AppName, body: NewSecret) -> NewClientSecretJson:
    """Create a client secret. Its value is returned only in this response. Existing secrets stay valid."""
    made = await client_secrets.add_client_secret(context, app, body.description, days=body.days)
    return new_client_secret_json(made)


@router.delete("/applications/{app}/client-secrets/{secret}")
async def remove_client_secret(context: Asked, app: AppName, secret: Name) -> ClientSecretsJson:
    """Remove a client secret by its id. Programs that use the secret are refused at once."""
    rows = await client_secrets.remove_client_secret(context, app, secret)
    return {"items": [client_secret_json(row) for row in rows]}


@router.get("/signing-keys")
async def list_signing_keys(context: Asked, asking: Asking) -> Page[SigningKeyJson]:
    """List the keys that sign OpenID Connect tokens for all applications."""
    keys = await openid_keys.list_openid_keys(context)
    return page_of_rows(asking, [signing_key_json(one) for one in keys], key="kid")


@router.post("/signing-keys/roll")
async def roll_signing_keys(context: Asked, body: KeyRoll) -> SigningKeysJson:
    """Make the next key active, and publish a new next key. Refused if the next key was published less than an hour ago, except after a
    compromise of the active key.
    """
    keys = await openid_keys.roll_openid_keys(context, is_compromised=body.is_compromised)
    return {"items": [signing_key_json(one) for one in keys]}


@router.get("/settings/public-address")
async def show_public_address(context: Asked, request: Request) -> PublicAddressJson:
    """Show the address of Lockstep for browsers, from which all addresses for single sign-on are built."""
    return tagged(request, await _address(context))


@router.put("/settings/public-address")
async def set_public_address(
    context: Asked, request: Request, unchanged: Unchanged, body: PublicAddress
) -> PublicAddressJson:
    """Store the address of Lockstep for browsers; "" removes it. An administrator must then enter the new addresses in every application
    that has the former ones.
    """

    async def work(inner: Context) -> PublicAddressJson:
        return {"address": await address.set_address(inner, body.address)}

    return tagged(request, await unchanged.matched(_address, work)(context))


async def _address(context: Context) -> PublicAddressJson:
    return {"address": await address.show_address(context)}


async def _sign_on(context: Context, app: str) -> SignOnJson:
    return sign_on_json(await settings.show_sign_on(context, app))
