"""SimpleSAMLphp at the other end, over HTTP: as identity provider and as service provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from lockstep.saml.accepting import ResponseRequirements, accept
from lockstep.saml.bindings import post_fields, read_post, read_redirect, redirect_url
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.encryption import DataMethod
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import LogoutRequest, read_logout_response, write_logout_request
from lockstep.saml.metadata import read_idp_metadata, read_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat, Status
from lockstep.saml.requests import AuthnRequest, read_authn_request, write_authn_request
from lockstep.saml.responses import Assertion, Signing, signed_response
from tests.saml.parties import ASSERT, EMAIL, IDP, SP, key_of
from tests.support.simplesamlphp import EMAIL_FORMAT, NAME, RSA_SHA256, SimpleSamlPhp, as_it_is, running

pytestmark = pytest.mark.full
# What the identity provider does for a service provider, in the words of its settings.
FORMS: dict[str, dict[str, Any]] = {
    "assertion": {"saml20.sign.response": False, "saml20.sign.assertion": True},
    "response": {"saml20.sign.response": True, "saml20.sign.assertion": False},
    "both": {"saml20.sign.response": True, "saml20.sign.assertion": True},
    "encrypted": {"saml20.sign.response": True, "saml20.sign.assertion": True, "assertion.encryption": True},
}
LOGOUT = f"{SP}/saml/logout"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def php_key() -> SigningKey:
    return new_signing_key("simplesamlphp", now=now())


@pytest.fixture(scope="module")
def php(php_key: SigningKey) -> Iterator[SimpleSamlPhp]:
    def service(name: str, form: dict[str, Any]) -> dict[str, Any]:
        return {
            "AssertionConsumerService": ASSERT,
            "SingleLogoutService": LOGOUT,
            "certData": key_of("sp").certificate.base64,
            "validate.authnrequest": True,
            "redirect.validate": True,
            "redirect.sign": True,
            "signature.algorithm": RSA_SHA256,
            "NameIDFormat": EMAIL_FORMAT,
            **form,
        }

    ours = {
        "SingleSignOnService": f"{IDP}/sso",
        "SingleLogoutService": f"{IDP}/logout",
        "certData": key_of("idp").certificate.base64,
        "redirect.sign": True,
        "signature.algorithm": RSA_SHA256,
    }
    services = {f"{SP}/{name}": service(name, form) for name, form in FORMS.items()}
    with running(php_key, service_providers=services, identity_providers={IDP: ours}) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def signed_in(php: SimpleSamlPhp, http: aiohttp.ClientSession, form: str) -> tuple[AuthnRequest, dict[str, str]]:
    """Ask SimpleSAMLphp for a sign-in; our request, and what its page sends back."""
    request = AuthnRequest(new_id(), f"{SP}/{form}", php.sign_on_url, ASSERT, now())
    url = redirect_url(
        php.sign_on_url, message=write_authn_request(request), field="SAMLRequest", relay_state="r-1", key=key_of("sp")
    )
    where, fields = await php.sign_in(http, url)
    assert where == ASSERT
    return request, fields


@pytest.mark.parametrize("form", FORMS)
async def test_what_simplesamlphp_issues_is_accepted(
    php: SimpleSamlPhp, php_key: SigningKey, http: aiohttp.ClientSession, form: str
) -> None:
    request, fields = await signed_in(php, http, form)

    read = read_post(fields)
    accepted = accept(
        read.message,
        ResponseRequirements(
            php.idp,
            request.issuer,
            ASSERT,
            [php_key.certificate],
            in_response_to=request.id,
            decryption_keys=[key_of("sp")],
        ),
        now=now(),
    )

    assert read.relay_state == "r-1"
    assert (accepted.name_id, accepted.name_id_format) == (NAME, NameIdFormat.EMAIL_ADDRESS)
    assert accepted.attributes["mail"] == (NAME,)


async def test_request_without_our_signature_is_refused_by_simplesamlphp(
    php: SimpleSamlPhp, http: aiohttp.ClientSession
) -> None:
    """The test above would prove little if it took every request."""
    request = AuthnRequest(new_id(), f"{SP}/both", php.sign_on_url, ASSERT, now())
    url = redirect_url(
        php.sign_on_url, message=write_authn_request(request), field="SAMLRequest", key=key_of("stranger")
    )

    async with http.get(as_it_is(url)) as answer:
        assert "Unable to validate signature" in await answer.text()


async def test_logout_is_answered_by_simplesamlphp(
    php: SimpleSamlPhp, php_key: SigningKey, http: aiohttp.ClientSession
) -> None:
    request, fields = await signed_in(php, http, "both")
    expected = ResponseRequirements(php.idp, request.issuer, ASSERT, [php_key.certificate], in_response_to=request.id)
    accepted = accept(read_post(fields).message, expected, now=now())
    ending = LogoutRequest(
        new_id(),
        request.issuer,
        php.idp_logout_url,
        now(),
        accepted.name_id,
        accepted.name_id_format,
        session_indexes=(accepted.session_index,),
    )
    url = redirect_url(php.idp_logout_url, message=write_logout_request(ending), field="SAMLRequest", key=key_of("sp"))

    while url.startswith(php.origin):
        async with http.get(as_it_is(url), allow_redirects=False) as answer:
            assert answer.headers.get("Location"), await answer.text()
            url = answer.headers["Location"]
    read = read_redirect(urlsplit(url).query, certificates=[php_key.certificate])
    answered = read_logout_response(
        read.message, issuer=php.idp, destination=LOGOUT, in_response_to=ending.id, now=now()
    )

    assert (read.signed, answered.status) == (True, Status.SUCCESS)


@pytest.mark.parametrize("signing", Signing)
@pytest.mark.parametrize("method", [None, DataMethod.AES256_CBC, DataMethod.AES256_GCM])
async def test_what_is_issued_is_accepted_by_simplesamlphp(
    php: SimpleSamlPhp, php_key: SigningKey, http: aiohttp.ClientSession, signing: Signing, method: DataMethod | None
) -> None:
    read = read_redirect(urlsplit(await php.ask(http)).query, certificates=[php_key.certificate])
    request = read_authn_request(read.message)
    assert (read.signed, request.issuer, request.reply_url) == (True, php.sp, php.reply_url)
    assertion = Assertion(
        IDP, php.sp, php.reply_url, NAME, now(), NameIdFormat.EMAIL_ADDRESS, {EMAIL: [NAME]}, in_response_to=request.id
    )
    response = signed_response(
        assertion,
        key_of("idp"),
        signing=signing,
        encrypt_to=php_key.certificate if method else None,
        encryption=method or DataMethod.AES256_GCM,
    )

    status, page = await php.bring(http, post_fields(response, field="SAMLResponse", relay_state=read.relay_state))

    assert status == 200
    assert NAME in page


async def test_response_changed_on_the_way_is_refused_by_simplesamlphp(
    php: SimpleSamlPhp, http: aiohttp.ClientSession
) -> None:
    read = read_redirect(urlsplit(await php.ask(http)).query)
    request = read_authn_request(read.message)
    assertion = Assertion(IDP, php.sp, php.reply_url, NAME, now(), in_response_to=request.id)
    response = signed_response(assertion, key_of("idp")).replace(b"lee.wong", b"admin")

    _, page = await php.bring(http, post_fields(response, field="SAMLResponse", relay_state=read.relay_state))

    assert "Reference validation failed" in page
    assert "admin@contoso.com" not in page


async def test_metadata_of_simplesamlphp_is_read(
    php: SimpleSamlPhp, php_key: SigningKey, http: aiohttp.ClientSession
) -> None:
    idp = read_idp_metadata(await php.metadata(http, "idp"))
    sp = read_sp_metadata(await php.metadata(http, "sp"))

    assert (idp.entity_id, idp.sign_on[Binding.REDIRECT]) == (php.idp, php.sign_on_url)
    assert idp.certificates == [php_key.certificate]
    assert (sp.entity_id, sp.reply_urls[0]) == (php.sp, php.reply_url)
    assert sp.encryption_certificates == [php_key.certificate]
