"""Every condition in the code that checks, decrypts and reads a response is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from functools import cache, partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from lxml import etree
from signxml.verifier import XMLVerifier

from lockstep.saml import accepting, assertion_checks, certificates, encryption, showing, signatures, xml
from lockstep.saml.accepting import accept, is_genuine, read_envelope
from lockstep.saml.certificates import certificates_in, new_signing_key
from lockstep.saml.encryption import DataMethod
from lockstep.saml.faults import SamlFault
from lockstep.saml.names import XENC
from lockstep.saml.responses import Signing, signed_response
from lockstep.saml.showing import signed_parts, without_signatures
from lockstep.saml.signatures import Legacy
from tests.saml.corpus import CASES, Case
from tests.saml.corpus.building import CONFIRMATION, DATA, A, attribute, remove, whole
from tests.saml.forging import changed, find, response, signed_after, text, tree, unsigned, with_encrypted
from tests.saml.parties import NOW, assertion, expected, key_of
from tests.saml.test_tolerance import elliptic_key
from tests.support.left_out_checks import Check, checks_of, outcomes_of

pytestmark = pytest.mark.full

IDP = [key_of("idp").certificate]


def _refused(case: Case) -> object:
    return accept(case.build(), expected(**case.expected), now=case.now)


def _accepted(build: Callable[[], bytes], **changes: Any) -> object:
    """What was read, without the IDs, which are new each time."""
    found = accept(build(), expected(**changes), now=NOW)
    return found.name_id, found.session_not_on_or_after, found.authenticated_at, found.not_on_or_after


def _encrypted(method: DataMethod) -> bytes:
    return with_encrypted(lambda root: find(root, A), method)


def _second_confirmation(root: Any) -> None:
    """The first confirmation has no end, which makes it invalid; the second one is valid."""
    first = find(root, CONFIRMATION)
    first.addnext(deepcopy(first))
    del find(root, DATA).attrib["NotOnOrAfter"]


def _with_rsa15() -> object:
    def encrypted() -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encryption, "OAEP", lambda *parameters: PKCS1v15())
            made = signed_response(assertion(), key_of("idp"), encrypt_to=key_of("sp").certificate)
        return changed(
            lambda root: root.findall(f".//{{{XENC}}}EncryptionMethod")[1].set("Algorithm", encryption.RSA_15), made
        )

    return _accepted(encrypted, legacy=Legacy(rsa15=True))


def _verifying(covered: Callable[[Any], Any]) -> object:
    """Verify a response with a signxml that says that the signature covers something else."""
    root = tree(whole())
    with pytest.MonkeyPatch.context() as patch:
        result = type("Result", (), {"signed_xml": covered(root)})
        patch.setattr(XMLVerifier, "verify", lambda *_, **__: result)
        return signatures.verified(root, IDP)


def _other_id(root: Any) -> Any:
    other = deepcopy(root)
    other.set("ID", "_evil")
    return other


@cache
def _weak_curve() -> Any:
    return elliptic_key(ec.SECP256R1())


def _odd_subject() -> str:
    """The subject of a certificate whose name is not UTF-8."""
    der = bytearray(key_of("idp").certificate.x509.public_bytes(Encoding.DER))
    while (at := der.find(b"idp")) >= 0:
        der[at : at + 3] = b"\xff\xff\xff"
    return certificates.certificate_of(load_der_x509_certificate(bytes(der))).subject


def _shown(message: bytes) -> list[tuple[str, bool]]:
    """The parts of a message and whether each is signed, each by the beginning and the end of its text."""
    return [(f"{part.text.strip()[:20]} {part.text.strip()[-20:]}", part.is_signed) for part in signed_parts(message)]


BUNDLE = f"{IDP[0].pem}\n\n{key_of('sp').certificate.pem}"
READ: dict[str, Callable[[], object]] = {
    "signed assertion": partial(_accepted, response),
    "signed response": partial(_accepted, whole),
    "session with an end": partial(_accepted, lambda: response(session_lifetime=timedelta(hours=8))),
    "no sign-in time": partial(
        _accepted, lambda: signed_after(attribute(f"{A}/saml:AuthnStatement", "AuthnInstant", None))
    ),
    **{f"encrypted with {method.name}": partial(_accepted, partial(_encrypted, method)) for method in DataMethod},
    "encrypted with RSA 1.5 for an old provider": _with_rsa15,
    "second confirmation": partial(_accepted, lambda: signed_after(_second_confirmation)),
    "comment in the signature": partial(
        _accepted,
        lambda: signed_after(change_signature=lambda signature: signature.insert(1, etree.Comment("x"))),
    ),
    "envelope": lambda: read_envelope(response()),
    "envelope whose issuer only the assertion names": lambda: read_envelope(changed(remove("saml:Issuer"))),
    **{
        f"genuine: {name}": partial(lambda build: is_genuine(build(), IDP), build)
        for name, build in {
            "signed assertion": response,
            "signed response": whole,
            "no signature": lambda: text(unsigned(tree(response()))),
            "a stranger's": lambda: signed_after(key=key_of("stranger")),
            "no XML": lambda: b"<",
        }.items()
    },
    "verified without a signature": lambda: signatures.verified(unsigned(tree(response())), IDP),
    "verified, nothing covered": lambda: _verifying(lambda root: None),
    "verified, another element covered": lambda: _verifying(lambda root: root[0]),
    "verified, another ID covered": lambda: _verifying(_other_id),
    "decrypted with the wrong key": lambda: encryption.decrypted(
        find(tree(_encrypted(DataMethod.AES256_GCM)), "saml:EncryptedAssertion"), [key_of("idp")]
    ),
    "encrypted to an elliptic key": lambda: encryption.encrypt_element(
        find(tree(response()), A), _weak_curve().certificate
    ),
    "text with NUL": lambda: xml.add(tree(response()), "saml", "x", "\0"),
    "certificates": lambda: certificates_in(BUNDLE),
    "certificates without header lines": lambda: certificates_in(f"{IDP[0].base64}\n\n\n\n{IDP[0].base64}\n \n,"),
    "no certificate": lambda: certificates_in(" "),
    "certificate that is unreadable": lambda: certificates_in("AAAA"),
    "certificate beside parameters": lambda: certificates_in(
        f"{IDP[0].pem}-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----"
    ),
    "certificate beside its key": lambda: certificates_in(IDP[0].pem + key_of("idp").private_pem),
    "certificates of 65 kB": lambda: certificates_in(IDP[0].pem * 100),
    "certificate with an unreadable subject": _odd_subject,
    "weak key": lambda: elliptic_key(ec.SECP192R1()),
    "key made on 29 February": lambda: new_signing_key("x", now=NOW.replace(year=2028, month=2, day=29)).certificate.not_after,
    "key of another certificate": lambda: certificates.SigningKey(IDP[0], key_of("sp").private_pem).private,
    "key that is none": lambda: certificates.SigningKey(IDP[0], "x").private,
    "shown, unsigned": lambda: _shown(text(unsigned(tree(response())))),
    "shown, signed assertion": lambda: _shown(response()),
    "shown, signed response": lambda: _shown(response(Signing.BOTH)),
    "shown without signatures": lambda: IDP[0].base64 in without_signatures(response(), IDP[0]).decode(),
}  # fmt: skip
MODULES = (accepting, assertion_checks, certificates, encryption, showing, signatures, xml)
CHECKS = [one for module in MODULES for one in checks_of(module, parts=True)]
# Conditions that another one implies; the type checker needs both.
IMPLIED = {
    ("saml.accepting._assertion_of", "received is None"),
    ("saml.accepting._assertion_of", "covered is None"),
    ("saml.accepting._check_signatures_in_place", "parent is not None"),
    ("saml.assertion_checks._check_name_id", "name_id is None"),
    ("saml.encryption._padding", "method is None"),
}
EVERY = {f"hostile {case.name}": partial(_refused, case) for case in CASES} | READ


def said(refused: SamlFault) -> str:
    return f"{refused.code} {refused.expected}"


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    return outcomes_of(EVERY, SamlFault, said)


def test_every_case_ends_the_same_way_twice(usual: dict[str, str]) -> None:
    assert [name for name in EVERY if usual[name].startswith("crashed")] == []
    assert [case.name for case in CASES if not usual[f"hostile {case.name}"].startswith(case.code)] == []
    assert outcomes_of(READ, SamlFault, said) == {name: usual[name] for name in READ}
    assert len(CHECKS) >= 140


@pytest.mark.parametrize("check", [one for one in CHECKS if (one.place, one.part) not in IMPLIED], ids=str)
def test_no_check_can_be_left_out(check: Check, usual: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check.leave_out(monkeypatch)

    assert any(outcomes_of({name: case}, SamlFault, said)[name] != usual[name] for name, case in EVERY.items())
