"""Attacks by strangers on the parameters of a URL and the fields of a form."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest

from lockstep.saml.bindings import _signature, read_post, read_redirect, redirect_url
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.requests import AuthnRequest, read_authn_request, write_authn_request
from tests.saml.parties import ASSERT, IDP, NOW, SP, key_of

SHA1 = "2000%2F09%2Fxmldsig%23rsa-sha1"
REQUEST = write_authn_request(AuthnRequest("_1", SP, f"{IDP}/sso", ASSERT, NOW))


def query(relay_state: str = "r-1", key: str = "sp") -> str:
    url = redirect_url(f"{IDP}/sso", message=REQUEST, field="SAMLRequest", relay_state=relay_state, key=key_of(key))
    return urlsplit(url).query


def deflated(data: bytes, after: bytes = b"") -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return quote(base64.b64encode(compressor.compress(data) + compressor.flush() + after).decode(), safe="")


REDIRECTS: dict[str, tuple[Callable[[], str], FaultCode]] = {
    "nothing": (lambda: "", FaultCode.PARAMETER_REPEATED),
    "request and response": (lambda: f"{query()}&SAMLResponse=x", FaultCode.PARAMETER_REPEATED),
    "request twice": (lambda: f"SAMLRequest=x&{query()}", FaultCode.PARAMETER_REPEATED),
    "name encoded": (lambda: f"{query()}&%53AMLRequest=x", FaultCode.PARAMETER_REPEATED),
    "relay state twice": (lambda: f"{query()}&RelayState=x", FaultCode.PARAMETER_REPEATED),
    "other encoding": (lambda: f"{query()}&SAMLEncoding=urn:x", FaultCode.DEFLATE_WRONG),
    "junk in Base64": (lambda: query().replace("SAMLRequest=", "SAMLRequest=*").split("&")[0], FaultCode.BASE64_WRONG),
    "not compressed": (lambda: "SAMLRequest=" + quote(base64.b64encode(REQUEST)), FaultCode.DEFLATE_WRONG),
    "compressed, cut off": (lambda: "SAMLRequest=" + deflated(b"<a>" * 400)[:12], FaultCode.DEFLATE_WRONG),
    "something after the message": (lambda: "SAMLRequest=" + deflated(REQUEST, b"<more/>"), FaultCode.DEFLATE_WRONG),
    "10 MB when unpacked": (lambda: "SAMLRequest=" + deflated(b" " * 10_000_000), FaultCode.TOO_LARGE),
    "100 KB": (lambda: "SAMLRequest=" + "A" * 100_000, FaultCode.TOO_LARGE),
    "CR LF in the relay state": (lambda: query("a\r\nSet-Cookie: x=y"), FaultCode.RELAY_STATE_REFUSED),
    "relay state of 2,000 characters": (lambda: query("x" * 2000), FaultCode.RELAY_STATE_REFUSED),
    "relay state changed": (lambda: query().replace("r-1", "r-2"), FaultCode.SIGNATURE_WRONG),
    "relay state removed": (lambda: query().replace("&RelayState=r-1", ""), FaultCode.SIGNATURE_WRONG),
    "signed by a stranger": (lambda: query(key="stranger"), FaultCode.SIGNATURE_WRONG),
    "signature empty": (lambda: query().partition("&Signature=")[0] + "&Signature=", FaultCode.SIGNATURE_WRONG),
    "algorithm missing": (lambda: query().replace("SigAlg", "Sigalg"), FaultCode.ALGORITHM_REFUSED),
    "SHA-1": (lambda: query().replace("2001%2F04%2Fxmldsig-more%23rsa-sha256", SHA1), FaultCode.ALGORITHM_REFUSED),
    "elliptic algorithm with an RSA key": (lambda: query().replace("rsa-sha256", "ecdsa-sha256"), FaultCode.SIGNATURE_WRONG),
}  # fmt: skip


@pytest.mark.parametrize("name", REDIRECTS)
def test_hostile_redirect_is_refused_for_its_own_reason(name: str) -> None:
    build, code = REDIRECTS[name]

    with pytest.raises(SamlFault) as refused:
        read_redirect(build(), certificates=[key_of("sp").certificate])

    assert refused.value.code == code


FORMS: dict[str, tuple[dict[str, str], FaultCode]] = {
    "nothing": ({}, FaultCode.PARAMETER_REPEATED),
    "both": ({"SAMLRequest": "x", "SAMLResponse": "x"}, FaultCode.PARAMETER_REPEATED),
    "junk in Base64": ({"SAMLResponse": "PHg*vPg=="}, FaultCode.BASE64_WRONG),
    "Base64 cut off": ({"SAMLResponse": "PHgvPg="}, FaultCode.BASE64_WRONG),
    "1 MB": ({"SAMLResponse": "A" * 1_000_000}, FaultCode.TOO_LARGE),
    "script in the relay state": (
        {"SAMLResponse": "PHgvPg==", "RelayState": "<script>\n"},
        FaultCode.RELAY_STATE_REFUSED,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_hostile_form_is_refused_for_its_own_reason(name: str) -> None:
    form, code = FORMS[name]

    with pytest.raises(SamlFault) as refused:
        read_post(form)

    assert refused.value.code == code


def test_signature_of_a_redirect_is_verified_over_the_bytes_that_were_sent() -> None:
    """Some senders encode more than is needed, or with lower-case digits."""
    sent = query().partition("&SigAlg=")[0].replace("%2F", "%2f").replace("%2B", "%2b") + "&SigAlg="
    sent += "http%3a%2f%2fwww.w3.org%2f2001%2f04%2fxmldsig-more%23rsa-sha256"

    signature = quote(base64.b64encode(_signature(sent.encode(), key_of("sp"))).decode(), safe="")

    read = read_redirect(f"other=1&{sent}&Signature={signature}", certificates=[key_of("sp").certificate])

    assert read.signed and read_authn_request(read.message).id == "_1"


def test_signature_is_not_believed_without_certificates() -> None:
    assert not read_redirect(query()).signed


def with_context(xml: bytes, attribute: bytes, name: bytes) -> bytes:
    wanted = b"<samlp:RequestedAuthnContext " + attribute + b"><saml:" + name + b">urn:x</saml:" + name + b">"
    return xml.replace(b"</samlp:AuthnRequest>", wanted + b"</samlp:RequestedAuthnContext></samlp:AuthnRequest>")


HOSTILE_REQUESTS: dict[str, tuple[Callable[[bytes], bytes], FaultCode]] = {
    "no issuer": (lambda xml: xml.replace(SP.encode(), b""), FaultCode.WRONG_ISSUER),
    "answer by artifact": (lambda xml: xml.replace(b"bindings:HTTP-POST", b"bindings:HTTP-Artifact"), FaultCode.NOT_EXPECTED_MESSAGE),
    "version 1.1": (lambda xml: xml.replace(b'"2.0"', b'"1.1"'), FaultCode.NOT_EXPECTED_MESSAGE),
    "no ID": (lambda xml: xml.replace(b'ID="_1"', b""), FaultCode.MALFORMED),
    "a flag that is none": (lambda xml: xml.replace(b"Version", b'ForceAuthn="yes" Version'), FaultCode.MALFORMED),
    "an index that is none": (lambda xml: xml.replace(b"Version", b'AssertionConsumerServiceIndex="-1" Version'), FaultCode.MALFORMED),
    "document type": (lambda xml: b"<!DOCTYPE x>" + xml, FaultCode.DTD_REFUSED),
    "an ID twice": (lambda xml: xml.replace(b"<samlp:NameIDPolicy", b'<samlp:NameIDPolicy ID="_1"'), FaultCode.DUPLICATE_ID),
    "a comparison that is none": (lambda xml: with_context(xml, b'Comparison="like"', b"AuthnContextClassRef"), FaultCode.MALFORMED),
    "contexts by declaration": (lambda xml: with_context(xml, b"", b"AuthnContextDeclRef"), FaultCode.MALFORMED),
    "another message": (lambda xml: xml.replace(b"AuthnRequest", b"Response"), FaultCode.NOT_EXPECTED_MESSAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_REQUESTS)
def test_hostile_request_is_refused_for_its_own_reason(name: str) -> None:
    change, code = HOSTILE_REQUESTS[name]

    with pytest.raises(SamlFault) as refused:
        read_authn_request(change(REQUEST))

    assert refused.value.code == code
