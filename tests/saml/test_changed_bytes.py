"""Changing any byte of a signed message never changes what is accepted from it.

A changed response may still be accepted if the change does not matter, for example in the certificate of KeyInfo or in an attribute of the
unsigned Response that is never read. Everything that is read under the signature is then the same. Only the ID of a response that is not
signed itself may differ; it is used only in logs.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import cache
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.saml.accepting import AcceptedResponse, accept
from lockstep.saml.bindings import ReceivedMessage, post_fields, read_post, read_redirect, redirect_url
from lockstep.saml.encryption import DataMethod
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.logout import LogoutRequest, read_logout_request, write_logout_request
from lockstep.saml.metadata import read_idp_metadata, read_sp_metadata
from lockstep.saml.responses import Signing, signed_response
from lockstep.saml.signatures import sign_element
from lockstep.saml.xml import parse, serialized
from tests.saml.parties import IDP, NOW, SP, assertion, expected, key_of
from tests.saml.test_hostile_logout import idp_metadata, sp_metadata

HERE = f"{SP}/saml/logout"
FORMS = [(signing, method) for signing in Signing for method in (None, DataMethod.AES256_GCM, DataMethod.AES256_CBC)]


@cache
def good(signing: Signing, method: DataMethod | None) -> tuple[bytes, AcceptedResponse]:
    response = signed_response(
        assertion(),
        key_of("idp"),
        signing=signing,
        encrypt_to=key_of("sp").certificate if method else None,
        encryption=method or DataMethod.AES256_GCM,
    )
    return response, accept(response, expected(), now=NOW)


@settings(deadline=None)  # the first example makes the keys
@given(st.data())
@pytest.mark.parametrize(("signing", "method"), FORMS)
def test_changed_byte_changes_nothing_that_is_accepted(
    signing: Signing, method: DataMethod | None, data: st.DataObject
) -> None:
    response, accepted = good(signing, method)
    position = data.draw(st.integers(0, len(response) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = response[:position] + bytes([byte]) + response[position + 1 :]

    try:
        got = accept(changed, expected(), now=NOW)
    except SamlFault:
        return

    assert got == accepted


@pytest.mark.parametrize("method", [DataMethod.AES128_CBC, DataMethod.AES256_CBC])
def test_changed_ciphertext_in_cbc_always_fails_alike(method: DataMethod) -> None:
    """Neither the padding nor what is decrypted shows in the fault."""
    response, _ = good(Signing.ASSERTION, method) if method == DataMethod.AES256_CBC else (_encrypted(method), None)
    start = response.rindex(b"<xenc:CipherValue>") + len(b"<xenc:CipherValue>")
    end = response.rindex(b"</xenc:CipherValue>")

    faults = set()
    for position in [*range(start, start + 88), *range(end - 88, end)]:
        for letter in b"Aa+9":
            changed = response[:position] + bytes([letter]) + response[position + 1 :]
            if changed == response:
                continue
            try:
                accept(changed, expected(), now=NOW)
            except SamlFault as refused:
                faults.add((refused.code, refused.detail, refused.expected, refused.received))

    # Base64 that ends in the middle of a byte is refused before anything is decrypted.
    assert {code for code, *_ in faults} <= {FaultCode.DECRYPTION_FAILED, FaultCode.BASE64_WRONG}
    assert len([one for one in faults if one[0] == FaultCode.DECRYPTION_FAILED]) == 1


def _encrypted(method: DataMethod) -> bytes:
    return signed_response(assertion(), key_of("idp"), encrypt_to=key_of("sp").certificate, encryption=method)


@cache
def logout_message() -> bytes:
    end = NOW + timedelta(minutes=5)
    return write_logout_request(
        LogoutRequest("_1", IDP, HERE, NOW, "lee.wong@contoso.com", session_indexes=("_s1", "_s2"), not_on_or_after=end)
    )


@cache
def redirected(key: str) -> str:
    url = redirect_url(HERE, message=logout_message(), field="SAMLRequest", relay_state="r-1", key=key_of(key))
    return urlsplit(url).query


@cache
def posted() -> bytes:
    return base64.b64decode(post_fields(logout_message(), field="SAMLRequest", key=key_of("idp"))["SAMLRequest"])


def logout_of(incoming: ReceivedMessage) -> tuple[LogoutRequest, str] | None:
    """The parts that a receiver acts on: the request in a signed message, and the state that it sends back."""
    if not incoming.signed or incoming.field != "SAMLRequest":
        return None
    return read_logout_request(incoming.message, issuer=IDP, destination=HERE, now=NOW), incoming.relay_state


@settings(deadline=None)
@given(st.data())
def test_changed_character_of_a_signed_redirect_never_signs_out_somebody_else(data: st.DataObject) -> None:
    query, keys = redirected("idp"), [key_of("idp").certificate]
    position = data.draw(st.integers(0, len(query) - 1))
    letter = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.characters(exclude_categories=["Cs"]))
    changed = query[:position] + letter + query[position + 1 :]

    try:
        got = logout_of(read_redirect(changed, certificates=keys))
    except SamlFault:
        return

    assert got in (None, logout_of(read_redirect(query, certificates=keys)))


def test_every_changed_character_of_what_a_redirect_signs_is_refused() -> None:
    """The signed part and the signature, character by character; the names of the parameters may only take the signature away."""
    query, keys = redirected("idp"), [key_of("idp").certificate]

    accepted = []
    for position, letter in enumerate(query):
        other = "B" if letter == "A" else "A"
        try:
            incoming = read_redirect(query[:position] + other + query[position + 1 :], certificates=keys)
        except SamlFault:
            continue
        if incoming.signed:
            accepted.append(position)

    assert accepted == []


@settings(deadline=None)
@given(st.data())
def test_changed_byte_of_a_posted_logout_request_never_signs_out_somebody_else(data: st.DataObject) -> None:
    message, keys = posted(), [key_of("idp").certificate]
    position = data.draw(st.integers(0, len(message) - 1))
    changed = message[:position] + bytes([data.draw(st.integers(0, 255))]) + message[position + 1 :]

    try:
        got = logout_of(read_post({"SAMLRequest": base64.b64encode(changed).decode()}, certificates=keys))
    except SamlFault:
        return

    assert got in (None, logout_of(read_post({"SAMLRequest": base64.b64encode(message).decode()}, certificates=keys)))


@cache
def signed_metadata(kind: str) -> bytes:
    written = idp_metadata() if kind == "IdP" else sp_metadata()
    element = parse(written)
    element.set("ID", "_metadata")
    return serialized(sign_element(element, key_of("idp")))


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", ["IdP", "SP"])
def test_changed_byte_of_metadata_is_read_or_refused_and_addresses_stay_addresses(
    kind: str, data: st.DataObject
) -> None:
    """Nobody verifies signatures of metadata (an administrator vouches for it), so a change that makes sense is read."""
    metadata = signed_metadata(kind)
    position = data.draw(st.integers(0, len(metadata) - 1))
    changed = metadata[:position] + bytes([data.draw(st.integers(0, 255))]) + metadata[position + 1 :]

    try:
        if kind == "IdP":
            found = read_idp_metadata(changed)
            addresses = [*found.sign_on.values(), *found.logout.values()]
        else:
            service = read_sp_metadata(changed)
            addresses = [*service.reply_urls, *service.logout.values()]
    except SamlFault:
        return

    assert all(urlsplit(one).scheme in ("https", "http") and one.isprintable() for one in addresses)
