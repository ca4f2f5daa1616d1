"""Logout messages that are not for us, too old, or answer something else; and metadata that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

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
from lockstep.saml.names import Binding
from tests.saml.parties import ASSERT, IDP, NOW, SP, key_of

HERE = f"{SP}/saml/logout"
REQUEST = LogoutRequest("_1", IDP, HERE, NOW, "lee.wong@contoso.com")
RESPONSE = LogoutResponse("_2", IDP, HERE, NOW, "_1")


REQUESTS: dict[str, tuple[dict[str, Any], FaultCode]] = {
    "another issuer": ({"issuer": "https://evil.example"}, FaultCode.WRONG_ISSUER),
    "no issuer": ({"issuer": ""}, FaultCode.WRONG_ISSUER),
    "another destination": ({"destination": "https://other.example/logout"}, FaultCode.WRONG_DESTINATION),
    "no destination": ({"destination": ""}, FaultCode.WRONG_DESTINATION),
    "ended": ({"not_on_or_after": NOW - timedelta(minutes=3)}, FaultCode.EXPIRED),
    "an hour old": ({"issued_at": NOW - timedelta(hours=1)}, FaultCode.EXPIRED),
    "from the future": ({"issued_at": NOW + timedelta(minutes=4)}, FaultCode.NOT_YET_VALID),
    "no name": ({"name_id": ""}, FaultCode.NAME_ID_REFUSED),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_hostile_logout_request_is_refused_for_its_own_reason(name: str) -> None:
    changes, code = REQUESTS[name]

    with pytest.raises(SamlFault) as refused:
        read_logout_request(write_logout_request(replace(REQUEST, **changes)), issuer=IDP, destination=HERE, now=NOW)

    assert refused.value.code == code


@pytest.mark.parametrize("end", [None, NOW + timedelta(minutes=1)])
def test_logout_request_is_accepted_for_as_long_as_it_must_be_remembered(end: datetime | None) -> None:
    request = replace(REQUEST, not_on_or_after=end)
    message, last = write_logout_request(request), request.expires_at

    read = read_logout_request(message, issuer=IDP, destination=HERE, now=last - timedelta(microseconds=1))
    with pytest.raises(SamlFault) as refused:
        read_logout_request(message, issuer=IDP, destination=HERE, now=last)

    assert (read.expires_at, refused.value.code) == (last, FaultCode.EXPIRED)
    assert last == NOW + timedelta(minutes=13 if end is None else 4)


RESPONSES: dict[str, tuple[Callable[[], bytes], FaultCode]] = {
    "another request": (
        lambda: write_logout_response(replace(RESPONSE, in_response_to="_9")),
        FaultCode.WRONG_IN_RESPONSE_TO,
    ),
    "no request": (lambda: write_logout_response(replace(RESPONSE, in_response_to="")), FaultCode.WRONG_IN_RESPONSE_TO),
    "another issuer": (lambda: write_logout_response(replace(RESPONSE, issuer=SP)), FaultCode.WRONG_ISSUER),
    "another destination": (lambda: write_logout_response(replace(RESPONSE, destination=SP)), FaultCode.WRONG_DESTINATION),
    "a request": (lambda: write_logout_request(REQUEST), FaultCode.NOT_EXPECTED_MESSAGE),
    "status without a code": (
        lambda: write_logout_response(RESPONSE).replace(b"samlp:StatusCode", b"samlp:Other"), FaultCode.MALFORMED
    ),
    "no status": (lambda: write_logout_response(RESPONSE).replace(b"samlp:Status", b"samlp:Other"), FaultCode.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_hostile_logout_response_is_refused_for_its_own_reason(name: str) -> None:
    build, code = RESPONSES[name]

    with pytest.raises(SamlFault) as refused:
        read_logout_response(build(), issuer=IDP, destination=HERE, in_response_to="_1", now=NOW)

    assert refused.value.code == code


def idp_metadata() -> bytes:
    return write_idp_metadata(IdpMetadata(IDP, {Binding.REDIRECT: f"{IDP}/sso"}, [key_of("idp").certificate]))


def federation(*entities: bytes) -> bytes:
    return (
        b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
        + b"".join(entities)
        + b"</md:EntitiesDescriptor>"
    )


def two_providers() -> bytes:
    return federation(*(idp_metadata().replace(f'"{IDP}"'.encode(), b'"https://%c.example"' % name) for name in b"ab"))


METADATA: dict[str, tuple[Callable[[], bytes], FaultCode]] = {
    "a web page": (lambda: b"<html/>", FaultCode.METADATA_UNUSABLE),
    "not XML": (lambda: b"404 page not found", FaultCode.MALFORMED),
    "document type": (lambda: b"<!DOCTYPE x>" + idp_metadata(), FaultCode.DTD_REFUSED),
    "of SAML 1.1": (lambda: idp_metadata().replace(b"SAML:2.0:protocol", b"SAML:1.1:protocol"), FaultCode.METADATA_UNUSABLE),
    "no certificate": (lambda: idp_metadata().replace(b"KeyDescriptor", b"Other"), FaultCode.METADATA_UNUSABLE),
    "certificate for encryption only": (lambda: idp_metadata().replace(b'"signing"', b'"encryption"'), FaultCode.METADATA_UNUSABLE),
    "certificate that is none": (lambda: idp_metadata().replace(b"MII", b"AAA", 1), FaultCode.CERTIFICATE_UNREADABLE),
    "no address": (lambda: idp_metadata().replace(b"HTTP-Redirect", b"SOAP"), FaultCode.METADATA_UNUSABLE),
    "provider without a name": (lambda: idp_metadata().replace(f'entityID="{IDP}"'.encode(), b""), FaultCode.METADATA_UNUSABLE),
    "several providers": (two_providers, FaultCode.METADATA_UNUSABLE),
    "2 MB": (lambda: idp_metadata() + b" " * 2_000_000, FaultCode.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_cannot_be_used_is_refused_for_its_own_reason(name: str) -> None:
    build, code = METADATA[name]

    with pytest.raises(SamlFault) as refused:
        read_idp_metadata(build())

    assert refused.value.code == code


def sp_metadata() -> bytes:
    return write_sp_metadata(SpMetadata(SP, [ASSERT], [key_of("sp").certificate]))


SP_METADATA: dict[str, tuple[Callable[[], bytes], FaultCode]] = {
    "of a provider": (idp_metadata, FaultCode.METADATA_UNUSABLE),
    "no address by POST": (lambda: sp_metadata().replace(b"HTTP-POST", b"PAOS"), FaultCode.METADATA_UNUSABLE),
    "address that runs a script": (
        lambda: sp_metadata().replace(ASSERT.encode(), b"javascript:alert(1)"), FaultCode.METADATA_UNUSABLE
    ),
    "address that nobody can parse": (
        lambda: sp_metadata().replace(ASSERT.encode(), b"https://[x/assert"), FaultCode.METADATA_UNUSABLE
    ),
    "address of another scheme": (
        lambda: sp_metadata().replace(ASSERT.encode(), b"ftp://docs.test/assert"), FaultCode.METADATA_UNUSABLE
    ),
    "address without a host": (lambda: sp_metadata().replace(ASSERT.encode(), b"https:///assert"), FaultCode.METADATA_UNUSABLE),
    "address with an invisible character": (
        lambda: sp_metadata().replace(ASSERT.encode(), "https://docs.test/\u200bassert".encode()), FaultCode.METADATA_UNUSABLE
    ),
    "certificate that is none": (lambda: sp_metadata().replace(b"MII", b"AAA", 1), FaultCode.CERTIFICATE_UNREADABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", SP_METADATA)
def test_metadata_of_an_application_that_cannot_be_used_is_refused_for_its_own_reason(name: str) -> None:
    build, code = SP_METADATA[name]

    with pytest.raises(SamlFault) as refused:
        read_sp_metadata(build())

    assert refused.value.code == code


def test_provider_of_a_federation_is_found_by_its_name() -> None:
    assert read_idp_metadata(two_providers(), entity_id="https://b.example").entity_id == "https://b.example"


ROLES = ("md:IDPSSODescriptor", "md:SPSSODescriptor")


@pytest.mark.parametrize("place", ["md:EntitiesDescriptor", "md:EntityDescriptor", "role"])
@pytest.mark.parametrize("is_application", [False, True])
def test_metadata_is_valid_until_the_first_end_of_the_group_the_entity_and_the_role(
    place: str, is_application: bool
) -> None:
    entity, role = sp_metadata() if is_application else idp_metadata(), ROLES[is_application]
    xml = federation(entity)
    ends = {"md:EntitiesDescriptor": "2027", "md:EntityDescriptor": "2027", role: "2027"}
    ends[role if place == "role" else place] = "2026"
    for name, year in ends.items():
        xml = xml.replace(f"<{name} ".encode(), f'<{name} validUntil="{year}-01-01T00:00:00Z" '.encode())

    read = read_sp_metadata(xml) if is_application else read_idp_metadata(xml)

    assert read.valid_until is not None and read.valid_until.year == 2026
