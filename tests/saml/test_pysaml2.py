"""pysaml2 at the other end: what it issues is accepted here, and what is issued here is accepted by it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from saml2 import entity, sigver
from saml2.metadata import entity_descriptor
from saml2.saml import NameID

from bench.pysaml2_peer import (
    ASSERT,
    EMAIL,
    IDP,
    LOGOUT,
    RSA_SHA256,
    SHA256,
    SP,
    Keys,
    identity_provider,
    issued,
    service_provider,
)
from lockstep.saml.accepting import ResponseRequirements, accept
from lockstep.saml.bindings import read_post, read_redirect, redirect_url
from lockstep.saml.certificates import new_signing_key
from lockstep.saml.encryption import DataMethod
from lockstep.saml.logout import LogoutRequest, read_logout_request, write_logout_request
from lockstep.saml.metadata import read_idp_metadata, read_sp_metadata
from lockstep.saml.names import Binding, NameIdFormat
from lockstep.saml.requests import AuthnRequest, read_authn_request, write_authn_request
from lockstep.saml.responses import Assertion, Signing, signed_response

pytestmark = pytest.mark.full
NAME = "lee.wong@contoso.com"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys(new_signing_key("idp", now=now()), new_signing_key("sp", now=now()))


@pytest.fixture(scope="module")
def server(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return identity_provider(tmp_path_factory.mktemp("idp"), keys)


@pytest.fixture(scope="module")
def client(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return service_provider(tmp_path_factory.mktemp("sp"), keys)


SIGNED = {
    "assertion signed": {"sign_assertion": True, "sign_response": False},
    "response signed": {"sign_assertion": False, "sign_response": True},
    "both signed": {"sign_assertion": True, "sign_response": True},
}
# The names that xmlsec1 has for the keys.
ENCRYPTED = {DataMethod.AES128_CBC: "aes-128", DataMethod.AES256_CBC: "aes-256", DataMethod.AES256_GCM: "aes-256"}


@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize("method", [None, *ENCRYPTED])
def test_what_pysaml2_issues_is_accepted(
    server: Any, keys: Keys, signed: str, method: DataMethod | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if method:  # pysaml2 has no setting for it: it encrypts with Triple DES
        monkeypatch.setattr(entity, "pre_encryption_part", partial(sigver.pre_encryption_part, msg_enc=method.value))
        monkeypatch.setattr(sigver.SecurityContext.encrypt_assertion, "__defaults__", (ENCRYPTED[method], None))

    response = issued(
        server,
        NAME,
        {"mail": [NAME], "givenName": ["李"]},
        in_response_to="_request",
        encrypt_assertion=method is not None,
        **SIGNED[signed],
    )

    accepted = accept(
        response,
        ResponseRequirements(
            IDP, SP, ASSERT, [keys.idp.certificate], in_response_to="_request", decryption_keys=[keys.sp]
        ),
        now=now(),
    )

    assert (accepted.name_id, accepted.name_id_format) == (NAME, NameIdFormat.EMAIL_ADDRESS)
    assert accepted.attributes[EMAIL] == (NAME,)
    assert ("李",) in accepted.attributes.values()


@pytest.mark.parametrize("signing", Signing)
@pytest.mark.parametrize("method", [None, DataMethod.AES128_CBC, DataMethod.AES256_CBC, DataMethod.AES256_GCM])
def test_what_is_issued_is_accepted_by_pysaml2(
    client: Any, keys: Keys, signing: Signing, method: DataMethod | None
) -> None:
    request_id, _ = client.create_authn_request(f"{IDP}/sso")
    assertion = Assertion(
        IDP, SP, ASSERT, NAME, now(), NameIdFormat.EMAIL_ADDRESS, {EMAIL: [NAME]}, in_response_to=request_id
    )
    response = signed_response(
        assertion,
        keys.idp,
        signing=signing,
        encrypt_to=keys.sp.certificate if method else None,
        encryption=method or DataMethod.AES256_GCM,
    )

    read = client.parse_authn_request_response(
        base64.b64encode(response).decode(), Binding.POST.value, outstanding={request_id: "/"}
    )

    assert read.get_subject().text == NAME
    assert read.ava == {"mail": [NAME]}
    assert read.came_from == "/"


def test_response_changed_on_the_way_is_refused_by_pysaml2(client: Any, keys: Keys) -> None:
    """The test above would prove little if pysaml2 accepted everything."""
    response = signed_response(Assertion(IDP, SP, ASSERT, NAME, now(), in_response_to="_request"), keys.idp)
    changed = base64.b64encode(response.replace(b"lee.wong", b"admin")).decode()

    with pytest.raises(sigver.SignatureError):
        client.parse_authn_request_response(changed, Binding.POST.value, outstanding={"_request": "/"})


@pytest.mark.parametrize("binding", Binding)
def test_request_of_pysaml2_is_read_and_its_signature_verified(client: Any, keys: Keys, binding: Binding) -> None:
    request_id, http = client.prepare_for_authenticate(
        entityid=IDP,
        relay_state="r-1",
        binding=binding.value,
        response_binding=Binding.POST.value,
        sigalg=RSA_SHA256,
        digest_alg=SHA256,
    )
    if binding == Binding.REDIRECT:
        read = read_redirect(urlsplit(dict(http["headers"])["Location"]).query, certificates=[keys.sp.certificate])
    else:
        fields = {name: _hidden(http["data"], name) for name in ("SAMLRequest", "RelayState")}
        read = read_post(fields, certificates=[keys.sp.certificate])

    request = read_authn_request(read.message)

    assert (read.signed, read.relay_state) == (True, "r-1")
    assert (request.id, request.issuer, request.reply_url) == (request_id, SP, ASSERT)


def _hidden(form: str, name: str) -> str:
    return form.partition(f'name="{name}" value="')[2].partition('"')[0]


def test_request_by_redirect_is_read_by_pysaml2(server: Any, keys: Keys) -> None:
    request = AuthnRequest("_request", SP, f"{IDP}/sso", ASSERT, now(), force_authn=True)
    url = redirect_url(
        request.destination, message=write_authn_request(request), field="SAMLRequest", relay_state="r-1", key=keys.sp
    )
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    read = server.parse_authn_request(
        sent["SAMLRequest"], Binding.REDIRECT.value, "r-1", sent["SigAlg"], sent["Signature"]
    )

    assert (read.message.id, read.message.force_authn, read.sender()) == ("_request", "true", SP)


def test_logout_of_pysaml2_is_read_and_its_signature_verified(client: Any, keys: Keys) -> None:
    request_id, request = client.create_logout_request(f"{IDP}/logout", IDP, name_id=NameID(text=NAME))
    http = client.apply_binding(Binding.REDIRECT.value, str(request), f"{IDP}/logout", sign=True, sigalg=RSA_SHA256)
    query = urlsplit(dict(http["headers"])["Location"]).query

    read = read_redirect(query, certificates=[keys.sp.certificate])
    logout = read_logout_request(read.message, issuer=SP, destination=f"{IDP}/logout", now=now())

    assert (read.signed, logout.id, logout.name_id) == (True, request_id, NAME)


def test_logout_is_read_by_pysaml2(client: Any, keys: Keys) -> None:
    message = write_logout_request(LogoutRequest("_1", IDP, LOGOUT, now(), NAME, session_indexes=("_session",)))
    url = redirect_url(LOGOUT, message=message, field="SAMLRequest", key=keys.idp)
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    read = client.parse_logout_request(
        sent["SAMLRequest"], Binding.REDIRECT.value, None, sent["SigAlg"], sent["Signature"]
    )

    assert (read.message.id, read.message.name_id.text) == ("_1", NAME)


def test_metadata_of_pysaml2_is_read(client: Any, server: Any, keys: Keys) -> None:
    sp = read_sp_metadata(str(entity_descriptor(client.config)).encode())
    idp = read_idp_metadata(str(entity_descriptor(server.config)).encode())

    assert (sp.entity_id, sp.reply_urls, sp.signing_certificates) == (SP, [ASSERT], [keys.sp.certificate])
    assert sp.encryption_certificates == [keys.sp.certificate]
    assert (idp.entity_id, idp.sign_on[Binding.REDIRECT]) == (IDP, f"{IDP}/sso")
    assert idp.certificates == [keys.idp.certificate]
    assert idp.want_authn_requests_signed
