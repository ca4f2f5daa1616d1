"""Documo signs in through third-party identity providers over HTTP: SimpleSAMLphp, and pysaml2 with xmlsec1."""

from __future__ import annotations

import base64
import html
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from saml2 import entity, sigver
from saml2.config import IdPConfig
from saml2.saml import NameID
from saml2.server import Server

from bench.pysaml2_peer import RSA_SHA256, SHA256
from documo.access.sso import own_keys, providers
from documo.access.sso.providers import SamlSetup
from documo.access.sso.service import metadata_address
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.encryption import DataMethod
from lockstep.saml.metadata import SpMetadata, read_idp_metadata, read_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat
from tests.support.documo_client import Client
from tests.support.documo_pages import Visitor, visiting
from tests.support.simplesamlphp import EMAIL_FORMAT, NAME, running

pytestmark = pytest.mark.full
PYSAML2 = "https://idp.contoso.com/saml2"


@pytest.fixture(scope="module")
def idp_key() -> SigningKey:
    return new_signing_key("peer", now=datetime.now(UTC))


async def metadata_of(api: Client, visitor: Visitor) -> tuple[bytes, SpMetadata]:
    await own_keys.own_keys(api.store, api.account.id)
    status, xml = await visitor.get(await metadata_address(api.store, api.account.id, ""))
    assert status == 200, xml
    return xml.encode(), read_sp_metadata(xml.encode())


async def asked(visitor: Visitor, begins: str) -> str:
    """The address at the provider that the sign-in page leads to."""
    status, page = await visitor.post("/sso", on="/sso", email=NAME, next="/own-account")
    assert status == 200, page
    found = re.search(rf'href="({re.escape(begins)}\?[^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


async def bring(visitor: Visitor, url: str, fields: dict[str, str]) -> tuple[str, str]:
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with visitor.http.post(url, data=fields, headers=headers) as answer:
        return answer.url.path, await answer.text()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_member_signs_in_at_simplesamlphp(api: Client, idp_key: SigningKey, encrypted: bool) -> None:
    await api.user(NAME)
    async with visiting(api) as lee:
        _, documo = await metadata_of(api, lee)
        known = {
            "AssertionConsumerService": documo.reply_urls[0],
            "SingleLogoutService": documo.logout[Binding.REDIRECT],
            "certData": documo.signing_certificates[0].base64,
            "validate.authnrequest": True,
            "assertion.encryption": encrypted,
            "NameIDFormat": EMAIL_FORMAT,
        }
        with running(idp_key, service_providers={documo.entity_id: known}, identity_providers={}) as php:
            provider = read_idp_metadata(await php.metadata(lee.http, "idp"))
            setup = SamlSetup(
                provider.entity_id,
                provider.sign_on[Binding.REDIRECT],
                "".join(one.pem for one in provider.certificates),
                email_domain="contoso.com",
                requests_signed=True,
            )
            await providers.set_up(api.store, api.account.id, setup)
            where, fields = await php.sign_in(lee.http, await asked(lee, php.sign_on_url))

        path, page = await bring(lee, where, fields)

    assert where == documo.reply_urls[0]
    assert path == "/own-account" and NAME in page


@pytest.mark.parametrize("signed", ["assertion", "response"])
async def test_member_signs_in_at_pysaml2(api: Client, idp_key: SigningKey, tmp_path: Path, signed: str) -> None:
    await api.user(NAME)
    sign_on = f"{PYSAML2}/sso"
    setup = SamlSetup(PYSAML2, sign_on, idp_key.certificate.pem, email_domain="contoso.com", requests_signed=True)
    await providers.set_up(api.store, api.account.id, setup)
    async with visiting(api) as lee:
        xml, documo = await metadata_of(api, lee)
        server = _pysaml2(tmp_path, idp_key, xml)
        where, fields = _answered(
            server,
            documo,
            await asked(lee, sign_on),
            sign_assertion=signed == "assertion",
            sign_response=signed == "response",
        )
        path, page = await bring(lee, where, fields)

    assert path == "/own-account" and NAME in page


async def test_pysaml2_that_read_the_metadata_in_a_roll_goes_on_until_the_old_key_is_removed(
    api: Client, idp_key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pysaml2 has no setting for it: it encrypts with Triple DES. CBC is the mode that cannot tell a wrong key.
    cbc = DataMethod.AES256_CBC.value
    monkeypatch.setattr(entity, "pre_encryption_part", partial(sigver.pre_encryption_part, msg_enc=cbc))
    monkeypatch.setattr(sigver.SecurityContext.encrypt_assertion, "__defaults__", ("aes-256", None))
    await api.user(NAME)
    sign_on = f"{PYSAML2}/sso"
    setup = SamlSetup(PYSAML2, sign_on, idp_key.certificate.pem, email_domain="contoso.com", requests_signed=True)
    await providers.set_up(api.store, api.account.id, setup)
    (old,) = await own_keys.own_keys(api.store, api.account.id)
    new = await own_keys.prepare_key(api.store, api.account.id)
    async with visiting(api) as visitor:
        xml, documo = await metadata_of(api, visitor)
    server = _pysaml2(tmp_path, idp_key, xml)

    async def signs_in() -> bool:
        async with visiting(api) as lee:
            where, fields = _answered(
                server,
                documo,
                await asked(lee, sign_on),
                sign_assertion=True,
                sign_response=False,
                encrypt_assertion=True,
            )
            return (await bring(lee, where, fields))[0] == "/own-account"

    assert await signs_in()
    await own_keys.activate_key(api.store, api.account.id, new.thumbprint)
    assert await signs_in()
    await own_keys.remove_key(api.store, api.account.id, old.thumbprint)
    assert not await signs_in()


def _answered(server: Server, documo: SpMetadata, url: str, **how: bool) -> tuple[str, dict[str, str]]:
    """Where the provider sends the browser that brings the request at *url*, after it verified its signature, and with what."""
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    request = server.parse_authn_request(
        sent["SAMLRequest"], Binding.REDIRECT.value, sent["RelayState"], sent["SigAlg"], sent["Signature"]
    )
    assert request.sender() == documo.entity_id
    response = server.create_authn_response(
        {"mail": [NAME]},
        in_response_to=request.message.id,
        destination=request.message.assertion_consumer_service_url,
        sp_entity_id=documo.entity_id,
        userid=NAME,
        name_id=_name_id(),
        authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": PYSAML2},
        sign_alg=RSA_SHA256,
        digest_alg=SHA256,
        **how,
    )
    fields = {"SAMLResponse": base64.b64encode(str(response).encode()).decode(), "RelayState": sent["RelayState"]}
    return documo.reply_urls[0], fields


def _name_id() -> object:

    return NameID(format=NameIdFormat.EMAIL_ADDRESS.value, text=NAME)


def _pysaml2(folder: Path, key: SigningKey, service_metadata: bytes) -> Server:
    (folder / "key.pem").write_text(key.private_pem)
    (folder / "cert.pem").write_text(key.certificate.pem)
    (folder / "documo.xml").write_bytes(service_metadata)
    config = IdPConfig()
    config.load(
        {
            "entityid": PYSAML2,
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "cert.pem"),
            "metadata": {"local": [str(folder / "documo.xml")]},
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [(f"{PYSAML2}/sso", Binding.REDIRECT.value)]},
                    "want_authn_requests_signed": True,
                    "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                }
            },
        }
    )
    return Server(config=config)
