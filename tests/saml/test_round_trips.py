"""One side reads the messages that the other writes: responses in every form, requests, logout and metadata, by both bindings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from lockstep.saml.accepting import AcceptedResponse, Envelope, accept, read_envelope
from lockstep.saml.bindings import Field, own_reference, post_fields, read_post, read_redirect, redirect_url
from lockstep.saml.certificates import SigningKey, certificate_of, certificates_in, new_signing_key
from lockstep.saml.encryption import DataMethod
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.logout import (
    LogoutRequest,
    LogoutResponse,
    read_logout_request,
    read_logout_response,
    write_logout_request,
    write_logout_response,
)
from lockstep.saml.metadata import (
    IdpMetadata,
    SpMetadata,
    read_idp_metadata,
    read_sp_metadata,
    write_idp_metadata,
    write_sp_metadata,
)
from lockstep.saml.names import Binding, NameIdFormat, Status
from lockstep.saml.requests import AuthnRequest, read_authn_request, write_authn_request
from lockstep.saml.responses import Signing, failed_response, signed_response
from tests.saml.parties import ASSERT, EMAIL, GROUPS, IDP, NOW, REQUEST, SP, assertion, expected, key_of

AUTHN_REQUEST = AuthnRequest(
    id=REQUEST,
    issuer=SP,
    destination=f"{IDP}/sso",
    reply_url=ASSERT,
    issued_at=NOW,
    force_authn=True,
    name_id_format=NameIdFormat.EMAIL_ADDRESS,
    contexts=("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",),
    contexts_comparison="minimum",
)


@pytest.mark.parametrize("signing", Signing)
@pytest.mark.parametrize("encryption", [None, *DataMethod])
def test_response_is_accepted_in_every_form(signing: Signing, encryption: DataMethod | None) -> None:
    ids = iter(["_response", "_assertion"])

    response = signed_response(
        assertion(session_lifetime=timedelta(hours=8)),
        key_of("idp"),
        signing=signing,
        encrypt_to=key_of("sp").certificate if encryption else None,
        encryption=encryption or DataMethod.AES256_GCM,
        ids=lambda: next(ids),
    )

    assert accept(response, expected(), now=NOW) == AcceptedResponse(
        assertion_id="_assertion",
        name_id="lee.wong@contoso.com",
        name_id_format=NameIdFormat.EMAIL_ADDRESS,
        attributes={EMAIL: ("lee.wong@contoso.com",), GROUPS: ("Sales", "Everyone")},
        session_index="_session",
        session_not_on_or_after=NOW + timedelta(hours=8),
        authenticated_at=NOW,
        not_on_or_after=NOW + timedelta(minutes=8),
        in_response_to=REQUEST,
        issuer=IDP,
    )


@pytest.mark.parametrize("method", [DataMethod.AES256_CBC, DataMethod.AES256_GCM])
def test_assertion_encrypted_to_the_second_of_two_keys_is_always_accepted(method: DataMethod) -> None:
    """In CBC, what the first key makes of it looks right once in 16 times."""
    response = signed_response(
        assertion(), key_of("idp"), encrypt_to=key_of("sp").certificate, encryption=method, signing=Signing.ASSERTION
    )
    wanted = replace(expected(), decryption_keys=[key_of("stranger"), key_of("sp")])

    for _ in range(64):
        assert accept(response, wanted, now=NOW).name_id == "lee.wong@contoso.com"


def test_envelope_says_for_whom_to_look_before_anything_is_verified() -> None:
    response = signed_response(assertion(), key_of("idp"))

    assert read_envelope(response) == Envelope(issuer=IDP, in_response_to=REQUEST, destination=ASSERT)


@pytest.mark.parametrize("name", ["", 'Lee <O\'Neil> & "Wong"', "李 ☃ 𝔘", "a\tb\nc"])
def test_attribute_values_arrive_as_they_were_sent(name: str) -> None:
    response = signed_response(assertion(attributes={"displayname": [name]}), key_of("idp"))

    assert accept(response, expected(), now=NOW).attributes == {"displayname": (name,)}


def test_text_that_xml_cannot_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(SamlFault) as refused:
        signed_response(assertion(attributes={"displayname": ["a\x00b"]}), key_of("idp"))

    assert refused.value.code == FaultCode.MALFORMED


def test_failure_of_the_identity_provider_is_shown_with_its_reason() -> None:
    response = failed_response(
        REQUEST, ASSERT, IDP, Status.NO_AUTHN_CONTEXT, "No second factor", key_of("idp"), now=NOW
    )

    with pytest.raises(SamlFault) as refused:
        accept(response, expected(), now=NOW)

    assert refused.value.code == FaultCode.STATUS_NOT_SUCCESS
    assert refused.value.received == f"{Status.REQUESTER} NoAuthnContext: No second factor"


@pytest.mark.parametrize("key", [None, "sp"])
def test_request_travels_by_redirect(key: str | None) -> None:
    signing_key = key_of(key) if key else None

    url = redirect_url(
        AUTHN_REQUEST.destination,
        message=write_authn_request(AUTHN_REQUEST),
        field="SAMLRequest",
        relay_state="r-1",
        key=signing_key,
    )
    read = read_redirect(urlsplit(url).query, certificates=[key_of("sp").certificate])

    assert read_authn_request(read.message) == AUTHN_REQUEST
    assert (read.field, read.relay_state, read.signed) == ("SAMLRequest", "r-1", key is not None)


@pytest.mark.parametrize("key", [None, "sp"])
def test_request_travels_by_post(key: str | None) -> None:
    fields = post_fields(
        write_authn_request(AUTHN_REQUEST),
        field="SAMLRequest",
        relay_state="r-1",
        key=key_of(key) if key else None,
    )

    read = read_post(fields, certificates=[key_of("sp").certificate])

    assert read_authn_request(read.message) == AUTHN_REQUEST
    assert (read.field, read.relay_state, read.signed) == ("SAMLRequest", "r-1", key is not None)


def test_certificates_are_read_as_people_paste_them() -> None:
    one, two = key_of("idp").certificate, key_of("sp").certificate
    pasted = [
        one.pem + two.pem,
        one.pem.replace("\n", " ") + two.pem.replace("\n", " "),
        f"{one.base64}\n\n{two.base64}",
        f"{one.base64}, {two.base64}",
        (one.pem + two.pem).replace("\n", "\\n"),
        (one.pem + "some words\n" + two.pem + one.pem).replace("\n", "\r\n"),
    ]

    assert [certificates_in(text) for text in pasted] == [[one, two]] * len(pasted)
    assert one.not_after == NOW.replace(year=2029)
    assert (one.subject, len(one.thumbprint)) == ("CN=idp", 40)


@pytest.mark.parametrize("text", ["", "abc", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(SamlFault) as refused:
        certificates_in(text)

    assert refused.value.code == FaultCode.CERTIFICATE_UNREADABLE


def test_private_key_is_refused_and_not_repeated() -> None:
    pem = key_of("idp").private_pem
    bare = "".join(pem.splitlines()[1:-1])
    for text, received in [(pem, "a private key"), (bare, f"{len(bare)} characters")]:
        with pytest.raises(SamlFault) as refused:
            certificates_in(text)

        assert (refused.value.code, refused.value.received) == (FaultCode.CERTIFICATE_UNREADABLE, received)
    assert "PRIVATE" not in repr(key_of("idp"))


def test_key_of_another_certificate_is_refused() -> None:
    mixed = SigningKey(key_of("idp").certificate, key_of("sp").private_pem)

    with pytest.raises(SamlFault) as refused:
        signed_response(assertion(), mixed)

    assert refused.value.code == FaultCode.KEY_REFUSED


def test_certificate_for_29_february_ends_in_march() -> None:
    leap_day = NOW.replace(year=2028, month=2, day=29)

    made = new_signing_key("x" * 100, now=leap_day)

    assert made.certificate.not_after == leap_day.replace(year=2031, month=3, day=1)
    assert certificate_of(made.certificate.x509) == made.certificate


IDP_METADATA = IdpMetadata(
    entity_id=IDP,
    sign_on={Binding.REDIRECT: f"{IDP}/sso", Binding.POST: f"{IDP}/sso"},
    certificates=[key_of("idp").certificate, key_of("stranger").certificate],
    logout={Binding.REDIRECT: f"{IDP}/logout"},
    want_authn_requests_signed=True,
    name_id_formats=[NameIdFormat.EMAIL_ADDRESS],
    valid_until=NOW + timedelta(days=7),
)
SP_METADATA = SpMetadata(
    entity_id=SP,
    reply_urls=[ASSERT, "https://docs.contoso.com/assert"],
    signing_certificates=[key_of("sp").certificate],
    encryption_certificates=[key_of("sp").certificate],
    logout={Binding.REDIRECT: f"{SP}/saml/logout"},
    authn_requests_signed=True,
    want_assertions_signed=True,
    name_id_formats=[NameIdFormat.EMAIL_ADDRESS, NameIdFormat.PERSISTENT],
)


def test_metadata_is_read_as_it_was_written() -> None:
    assert read_idp_metadata(write_idp_metadata(IDP_METADATA)) == IDP_METADATA
    assert read_sp_metadata(write_sp_metadata(SP_METADATA)) == SP_METADATA


def test_metadata_of_the_other_role_is_refused() -> None:
    for read, xml in [
        (read_idp_metadata, write_sp_metadata(SP_METADATA)),
        (read_sp_metadata, write_idp_metadata(IDP_METADATA)),
    ]:
        with pytest.raises(SamlFault) as refused:
            read(xml)
        assert refused.value.code == FaultCode.METADATA_UNUSABLE


def test_metadata_with_an_address_that_runs_a_script_is_refused() -> None:
    xml = write_idp_metadata(replace(IDP_METADATA, sign_on={Binding.REDIRECT: "javascript:alert(1)"}))

    with pytest.raises(SamlFault) as refused:
        read_idp_metadata(xml)

    assert refused.value.code == FaultCode.METADATA_UNUSABLE


@pytest.mark.parametrize("field", ["SAMLRequest", "SAMLResponse"])
def test_logout_travels_signed_by_redirect(field: Field) -> None:
    request = LogoutRequest("_1", IDP, f"{SP}/saml/logout", NOW, "lee.wong@contoso.com", session_indexes=("_session",))
    answer = LogoutResponse("_2", IDP, f"{SP}/saml/logout", NOW, "_1", Status.PARTIAL_LOGOUT)
    message = write_logout_request(request) if field == "SAMLRequest" else write_logout_response(answer)

    url = redirect_url(request.destination, message=message, field=field, key=key_of("idp"))
    read = read_redirect(urlsplit(url).query, certificates=[key_of("idp").certificate])

    assert read.signed
    if field == "SAMLRequest":
        assert read_logout_request(read.message, issuer=IDP, destination=request.destination, now=NOW) == request
    else:
        got = read_logout_response(
            read.message, issuer=IDP, destination=request.destination, in_response_to="_1", now=NOW
        )
        assert got == replace(answer, status=Status.RESPONDER)


def test_relay_state_of_our_own_requests_is_a_reference() -> None:
    assert [own_reference(text) for text in ("", "r-1_A")] == ["", "r-1_A"]
    for stranger in ("https://evil.example/", "javascript:alert(1)", "//evil.example", "a b", "x" * 81):
        with pytest.raises(SamlFault) as refused:
            own_reference(stranger)
        assert refused.value.code == FaultCode.RELAY_STATE_REFUSED
