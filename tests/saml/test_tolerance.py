"""Differences that an honest identity provider may have from ours, and those that an account may allow for an old one."""

from __future__ import annotations

import base64
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from lockstep.saml import encryption
from lockstep.saml.accepting import accept
from lockstep.saml.certificates import SigningKey, certificate_of
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.names import EXCLUSIVE_C14N, XENC
from lockstep.saml.responses import Signing, signed_response
from lockstep.saml.signatures import Legacy
from tests.saml.forging import (
    RSA_SHA1,
    SHA1,
    changed,
    find,
    forge_signature,
    response,
    signed_after,
    text,
    tree,
    unsigned,
)
from tests.saml.parties import EMAIL, NOW, assertion, expected, key_of


def elliptic_key(curve: ec.EllipticCurve) -> SigningKey:
    return _with_certificate(ec.generate_private_key(curve))


def _with_certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> SigningKey:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made by the test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(certificate_of(made), pem)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_elliptic_keys_sign(curve: ec.EllipticCurve) -> None:
    key = elliptic_key(curve)

    response_ = signed_response(assertion(), key, signing=Signing.BOTH)

    assert accept(response_, expected(certificates=[key.certificate]), now=NOW).name_id == "lee.wong@contoso.com"


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP192R1())], ids=["RSA 1024", "P-192"]
)
def test_weak_keys_are_refused(key: Any) -> None:
    with pytest.raises(SamlFault) as refused:
        _with_certificate(key)

    assert refused.value.code == FaultCode.KEY_REFUSED


def test_any_of_the_configured_certificates_verifies() -> None:
    """While a certificate is replaced, both the old one and the new one are configured."""
    certificates = [elliptic_key(ec.SECP256R1()).certificate, key_of("stranger").certificate, key_of("idp").certificate]

    assert accept(response(), expected(certificates=certificates), now=NOW).name_id == "lee.wong@contoso.com"


def test_expired_certificate_still_verifies() -> None:
    """People could not sign in on the day it expires; the expiry is shown and warned about instead."""
    after = NOW + timedelta(days=2000)
    late = signed_response(assertion(issued_at=after), key_of("idp"))

    assert key_of("idp").certificate.not_after < after
    assert accept(late, expected(), now=after).name_id == "lee.wong@contoso.com"


def test_comment_between_elements_is_ignored() -> None:
    def comment(root: Any) -> None:
        root.insert(1, etree.Comment("made by the identity provider"))
        find(root, "saml:Assertion/saml:Subject").insert(0, etree.Comment("x"))

    assert accept(signed_after(comment), expected(), now=NOW).name_id == "lee.wong@contoso.com"


def test_indented_response_is_accepted() -> None:
    root = unsigned(tree(response()))
    etree.indent(root)
    forge_signature(find(root, "saml:Assertion"))
    forge_signature(root)

    accepted = accept(text(root), expected(), now=NOW)

    assert accepted.name_id == "lee.wong@contoso.com"
    assert accepted.attributes[EMAIL] == ("lee.wong@contoso.com",)


def test_line_breaks_in_base64_are_ignored() -> None:
    def wrap(signature: Any) -> None:
        value = signature[1].text
        signature[1].text = "\n" + "\n".join(value[at : at + 76] for at in range(0, len(value), 76)) + "\n"

    assert accept(signed_after(change_signature=wrap), expected(), now=NOW).name_id == "lee.wong@contoso.com"


def test_prefix_list_of_the_canonicalization_is_followed() -> None:
    """OpenSAML and pysaml2 write xsi:type="xs:string" and name the prefix xs, which no element uses."""

    def typed(root: Any) -> None:
        assertion_ = find(root, "saml:Assertion")
        value = find(assertion_, ".//saml:AttributeValue")
        value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")

    raw = signed_after(typed).replace(
        b"<saml:Assertion ", b'<saml:Assertion xmlns:xs="http://www.w3.org/2001/XMLSchema" ', 1
    )
    # With the declaration, but without naming the prefix, the digest does not cover it: both ways are genuine.
    assert accept(raw, expected(), now=NOW).attributes[EMAIL] == ("lee.wong@contoso.com",)

    root = unsigned(tree(raw))
    assertion_ = find(root, "saml:Assertion")
    canonical = etree.tostring(assertion_, method="c14n", exclusive=True, inclusive_ns_prefixes=["xs"], with_tail=False)
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(canonical)

    def named(info: Any) -> None:
        transform = info.findall(".//{*}Transform")[1]
        etree.SubElement(transform, f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces", PrefixList="xs")

        info.find(".//{*}DigestValue").text = base64.b64encode(hasher.finalize()).decode()

    forge_signature(assertion_, change_info=named)
    assert accept(text(root), expected(), now=NOW).attributes[EMAIL] == ("lee.wong@contoso.com",)


def test_sha1_signature_is_accepted_for_an_old_identity_provider_only() -> None:
    old = signed_after(method=RSA_SHA1, digest=SHA1)

    with pytest.raises(SamlFault) as refused:
        accept(old, expected(), now=NOW)

    assert refused.value.code == FaultCode.ALGORITHM_REFUSED
    assert accept(old, expected(legacy=Legacy(sha1=True)), now=NOW).name_id == "lee.wong@contoso.com"


def test_rsa15_encryption_is_accepted_for_an_old_identity_provider_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "OAEP", lambda *parameters: padding.PKCS1v15())
    old = changed(
        lambda root: root.findall(f".//{{{XENC}}}EncryptionMethod")[1].set("Algorithm", f"{XENC}rsa-1_5"),
        signed_response(assertion(), key_of("idp"), encrypt_to=key_of("sp").certificate),
    )

    with pytest.raises(SamlFault) as refused:
        accept(old, expected(), now=NOW)

    assert refused.value.code == FaultCode.ALGORITHM_REFUSED
    assert accept(old, expected(legacy=Legacy(rsa15=True)), now=NOW).name_id == "lee.wong@contoso.com"


@pytest.mark.parametrize("at", [NOW - timedelta(minutes=3), NOW + timedelta(minutes=7, seconds=59)])
def test_clocks_may_differ_by_three_minutes(at: datetime) -> None:
    assert accept(response(), expected(), now=at).not_on_or_after > at


def test_assertion_can_be_forgotten_once_it_would_be_refused_as_expired() -> None:
    end = accept(response(), expected(), now=NOW).not_on_or_after

    with pytest.raises(SamlFault) as refused:
        accept(response(), expected(), now=end)

    assert refused.value.code == FaultCode.EXPIRED
    assert accept(response(), expected(), now=end - timedelta(milliseconds=1))


@pytest.mark.parametrize(
    "written",
    ["2026-11-28T12:05:00Z", "2026-11-28T12:05:00.123456789Z", "2026-11-28T14:05:00+02:00", "2026-11-28T12:05:00"],
)
def test_times_are_read_in_every_form_of_the_schema(written: str) -> None:
    later = signed_after(lambda root: find(root, "saml:Assertion/saml:Conditions").set("NotOnOrAfter", written))

    end = accept(later, expected(), now=NOW).not_on_or_after

    assert end.replace(microsecond=0) == datetime(2026, 11, 28, 12, 8, tzinfo=UTC)


def test_sign_in_may_begin_at_the_identity_provider_where_it_is_allowed() -> None:
    unasked = response(in_response_to="")

    for asked in (None, "_another_tab"):
        accepted = accept(unasked, expected(in_response_to=asked, allow_unsolicited=True), now=NOW)
        assert accepted.in_response_to is None


def test_one_bearer_confirmation_of_several_is_enough() -> None:
    def another(root: Any) -> None:

        confirmation = find(root, ".//saml:SubjectConfirmation")
        twin = deepcopy(confirmation)
        find(twin, "saml:SubjectConfirmationData").set("Recipient", "https://other.example/")
        confirmation.addprevious(twin)

    assert accept(signed_after(another), expected(), now=NOW).in_response_to == "_request"


def test_name_that_differs_in_case_is_passed_on_as_it_is() -> None:
    """The owner of the name is found where the members are known."""
    assert accept(response(name_id="Lee.Wong@Contoso.com"), expected(), now=NOW).name_id == "Lee.Wong@Contoso.com"
