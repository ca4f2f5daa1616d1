"""A byte changed anywhere in a signed response never makes it say something else.

A changed response may still be accepted if nothing changed that counts, such as the certificate in KeyInfo, or an attribute of the
unsigned Response that nobody reads. Then everything that is accepted under the signature is the same. Only the ID of a response that is not
signed itself may differ: it is for logs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.saml.accepting import Accepted, accept
from lockstep.saml.encryption import DataMethod
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.responses import Signing, signed_response
from tests.saml.parties import NOW, assertion, expected, key_of

FORMS = [(signing, method) for signing in Signing for method in (None, DataMethod.AES256_GCM, DataMethod.AES256_CBC)]


@cache
def good(signing: Signing, method: DataMethod | None) -> tuple[bytes, Accepted]:
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

    if signing == Signing.ASSERTION:
        got = replace(got, response_id=accepted.response_id)
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
