"""Third-party service providers that sign in through Lockstep over HTTP: SimpleSAMLphp, and pysaml2 with xmlsec1."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saml2.client import Saml2Client
from saml2.config import SPConfig

from bench.pysaml2_peer import RSA_SHA256, SHA256
from lockstep.actions import applications, assignments
from lockstep.actions.single_sign_on import certificates, settings
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.metadata import IdpMetadata, read_idp_metadata
from lockstep.saml.names import Binding
from tests.portal.conftest import with_password
from tests.portal.test_saml_sign_in import field, follow, sign_in
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.hub import upn
from tests.support.simplesamlphp import RSA_SHA256 as PHP_RSA_SHA256
from tests.support.simplesamlphp import running

pytestmark = pytest.mark.full
SP, ASSERT = "https://docs.test", "https://docs.test/assert"


@pytest.fixture(scope="module")
def sp_key() -> SigningKey:
    return new_signing_key("application", now=datetime.now(UTC))


async def set_up(centre: Centre, key: SigningKey, identifier: str, reply_url: str) -> None:
    """SAML is on for the application, which signs its requests; Anna is assigned and has a password."""
    wanted = {"mode": "saml", "identifiers": [identifier], "replyUrls": [reply_url], "signOnUrl": None}
    await settings.change_sign_on(centre.context, "documo", {**wanted, "requestCertificates": [key.certificate.pem]})


@pytest.fixture
async def lockstep(centre: Centre, sp_key: SigningKey) -> bytes:
    """The application, and what Lockstep publishes about itself for it."""
    await applications.add_application(centre.context, "documo", name="documo")
    await set_up(centre, sp_key, SP, ASSERT)
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    await with_password(centre, "anna")
    return (await centre.browser().get("/saml2/documo/metadata")).html.encode()


async def signed_in(browser: Browser, url: str) -> Page:
    """The page with the response, after Anna signed in on the way."""
    assert url.startswith(browser.origin), url
    return await sign_in(browser, await follow(browser, url.removeprefix(browser.origin)))


def php_words(metadata: IdpMetadata) -> dict[str, Any]:
    """All certificates, as SimpleSAMLphp writes them down when it reads the metadata."""
    keys = [
        {"type": "X509Certificate", "signing": True, "X509Certificate": one.base64} for one in metadata.certificates
    ]
    return {
        "SingleSignOnService": metadata.sign_on[Binding.REDIRECT],
        "keys": keys,
        "signature.algorithm": PHP_RSA_SHA256,
    }


async def test_person_signs_in_to_simplesamlphp(centre: Centre, lockstep: bytes, sp_key: SigningKey) -> None:
    metadata, browser = read_idp_metadata(lockstep), centre.browser()
    providers = {metadata.entity_id: php_words(metadata)}
    with running(sp_key, service_providers={}, identity_providers=providers) as php:
        await set_up(centre, sp_key, php.sp, php.reply_url)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            shown = await signed_in(browser, await php.ask(http))
            fields = {name: field(shown, name) for name in ("SAMLResponse", "RelayState")}
            status, page = await php.bring(http, fields)

    assert status == 200
    assert upn("anna") in page


async def test_simplesamlphp_that_read_the_metadata_in_a_roll_accepts_both_certificates_and_no_later_one(
    centre: Centre, lockstep: bytes, sp_key: SigningKey
) -> None:
    def thumbprint(view: SignOnView, *, is_active: bool) -> str:
        return next(one.thumbprint for one in view.certificates if one.is_active == is_active)

    view = await certificates.add_certificate(centre.context, "documo")
    during = read_idp_metadata((await centre.browser().get("/saml2/documo/metadata")).html.encode())
    assert len(during.certificates) == 2
    with running(sp_key, service_providers={}, identity_providers={during.entity_id: php_words(during)}) as php:
        await set_up(centre, sp_key, php.sp, php.reply_url)

        async def page() -> str:
            browser = centre.browser()
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                shown = await signed_in(browser, await php.ask(http))
                fields = {name: field(shown, name) for name in ("SAMLResponse", "RelayState")}
                return (await php.bring(http, fields))[1]

        assert upn("anna") in await page()
        await certificates.activate_certificate(centre.context, "documo", thumbprint(view, is_active=False))
        assert upn("anna") in await page()
        await certificates.add_certificate(centre.context, "documo", activates=True)
        assert "Unable to validate Signature" in await page()


async def test_person_signs_in_to_pysaml2(centre: Centre, lockstep: bytes, sp_key: SigningKey, tmp_path: Path) -> None:
    client, browser = _pysaml2(tmp_path, sp_key, lockstep), centre.browser()
    request_id, http = client.prepare_for_authenticate(
        entityid=read_idp_metadata(lockstep).entity_id,
        relay_state="r-1",
        binding=Binding.REDIRECT.value,
        response_binding=Binding.POST.value,
        sigalg=RSA_SHA256,
        digest_alg=SHA256,
    )
    shown = await signed_in(browser, dict(http["headers"])["Location"])

    read = client.parse_authn_request_response(
        field(shown, "SAMLResponse"), Binding.POST.value, outstanding={request_id: "/"}
    )

    assert field(shown, "RelayState") == "r-1"
    assert read.get_subject().text == upn("anna")


def _pysaml2(folder: Path, key: SigningKey, metadata: bytes) -> Saml2Client:
    (folder / "key.pem").write_text(key.private_pem)
    (folder / "cert.pem").write_text(key.certificate.pem)
    (folder / "lockstep.xml").write_bytes(metadata)
    config = SPConfig()
    config.load(
        {
            "entityid": SP,
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "cert.pem"),
            "metadata": {"local": [str(folder / "lockstep.xml")]},
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(ASSERT, Binding.POST.value)]},
                    "authn_requests_signed": True,
                    "want_assertions_or_response_signed": True,
                    "want_response_signed": False,
                    "allow_unknown_attributes": True,
                }
            },
        }
    )
    return Saml2Client(config)
