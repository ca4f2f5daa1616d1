"""A response in the form that Microsoft publishes for Entra: its namespaces, claims and both signing options.

The forms follow "Single Sign-On SAML protocol" and "SAML token claims reference" at learn.microsoft.com/entra/identity-platform: the
assertion declares its own default namespace, the issuer is https://sts.windows.net/<tenant>/, and claims have URIs as names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lockstep.saml.accepting import accept, read_envelope
from lockstep.saml.metadata import read_idp_metadata
from lockstep.saml.names import Binding, NameIdFormat
from tests.saml.forging import find, forge_signature, text, tree
from tests.saml.parties import ASSERT, NOW, SP, expected, key_of

TENANT = "https://sts.windows.net/a1b2c3d4-0000-4000-8000-000000000001/"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
RESPONSE = f"""\
<samlp:Response ID="_a4958bfd-e107-4e67-b06d-0d85ade2e76a" Version="2.0" IssueInstant="2026-11-28T12:00:00.758Z" \
Destination="{ASSERT}" InResponseTo="id758d0ef385634593a77bdf7e632984b6" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">
  <Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">{TENANT}</Issuer>
  <samlp:Status>
    <samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success" />
  </samlp:Status>
  <Assertion ID="_bf9c623d-cc20-407a-9a59-c2d0aee84d12" IssueInstant="2026-11-28T12:00:00.742Z" Version="2.0" \
xmlns="urn:oasis:names:tc:SAML:2.0:assertion">
    <Issuer>{TENANT}</Issuer>
    <Subject>
      <NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">lee.wong@contoso.com</NameID>
      <SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <SubjectConfirmationData InResponseTo="id758d0ef385634593a77bdf7e632984b6" \
NotOnOrAfter="2026-11-28T12:05:00.742Z" Recipient="{ASSERT}" />
      </SubjectConfirmation>
    </Subject>
    <Conditions NotBefore="2026-11-28T11:55:00.742Z" NotOnOrAfter="2026-11-28T13:00:00.742Z">
      <AudienceRestriction>
        <Audience>{SP}</Audience>
      </AudienceRestriction>
    </Conditions>
    <AttributeStatement>
      <Attribute Name="http://schemas.microsoft.com/identity/claims/tenantid">
        <AttributeValue>a1b2c3d4-0000-4000-8000-000000000001</AttributeValue>
      </Attribute>
      <Attribute Name="http://schemas.microsoft.com/identity/claims/objectidentifier">
        <AttributeValue>5c1f2f4e-0000-4000-8000-000000000002</AttributeValue>
      </Attribute>
      <Attribute Name="{CLAIMS}/emailaddress">
        <AttributeValue>lee.wong@contoso.com</AttributeValue>
      </Attribute>
      <Attribute Name="{CLAIMS}/givenname">
        <AttributeValue>Lee</AttributeValue>
      </Attribute>
      <Attribute Name="{CLAIMS}/surname">
        <AttributeValue>Wong</AttributeValue>
      </Attribute>
      <Attribute Name="{CLAIMS}/name">
        <AttributeValue>lee.wong@contoso.onmicrosoft.com</AttributeValue>
      </Attribute>
    </AttributeStatement>
    <AuthnStatement AuthnInstant="2026-11-28T11:59:58.000Z" SessionIndex="_bf9c623d-cc20-407a-9a59-c2d0aee84d12">
      <AuthnContext>
        <AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef>
      </AuthnContext>
    </AuthnStatement>
  </Assertion>
</samlp:Response>"""


def _sign_assertion(root: Any) -> None:
    forge_signature(find(root, "saml:Assertion"), certificate=key_of("idp").certificate)


def _sign_response(root: Any) -> None:
    forge_signature(root, certificate=key_of("idp").certificate)


def _sign_both(root: Any) -> None:
    _sign_assertion(root)
    _sign_response(root)


@pytest.mark.parametrize("sign", [_sign_assertion, _sign_response, _sign_both])
def test_response_of_entra_is_accepted_with_every_signing_option(sign: Callable[[Any], None]) -> None:
    root = tree(RESPONSE.encode())
    sign(root)
    response = text(root)

    accepted = accept(response, expected(issuer=TENANT, in_response_to="id758d0ef385634593a77bdf7e632984b6"), now=NOW)

    assert read_envelope(response).issuer == TENANT
    assert (accepted.name_id, accepted.name_id_format) == ("lee.wong@contoso.com", NameIdFormat.EMAIL_ADDRESS)
    assert accepted.attributes[f"{CLAIMS}/emailaddress"] == ("lee.wong@contoso.com",)
    assert accepted.attributes[f"{CLAIMS}/name"] == ("lee.wong@contoso.onmicrosoft.com",)
    assert accepted.attributes["http://schemas.microsoft.com/identity/claims/tenantid"] == (
        "a1b2c3d4-0000-4000-8000-000000000001",
    )


def test_federation_metadata_of_entra_is_read() -> None:
    """It holds roles of WS-Federation beside that of SAML, and a signature."""
    certificate = key_of("idp").certificate
    key = (
        '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
        f"<X509Certificate>{certificate.base64}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
    )
    login = "https://login.microsoftonline.com/a1b2c3d4-0000-4000-8000-000000000001/saml2"
    xml = f"""<?xml version="1.0" encoding="utf-8"?>
<EntityDescriptor ID="_1" entityID="{TENANT}" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
  <RoleDescriptor xsi:type="fed:SecurityTokenServiceType" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706"
    protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706">{key}</RoleDescriptor>
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    {key}
    <SingleLogoutService Binding="{Binding.REDIRECT.value}" Location="{login}" />
    <SingleSignOnService Binding="{Binding.REDIRECT.value}" Location="{login}" />
    <SingleSignOnService Binding="{Binding.POST.value}" Location="{login}" />
  </IDPSSODescriptor>
</EntityDescriptor>"""

    read = read_idp_metadata(xml.encode())

    assert (read.entity_id, read.certificates) == (TENANT, [certificate])
    assert read.sign_on == {Binding.REDIRECT: login, Binding.POST: login}
    assert read.logout == {Binding.REDIRECT: login}
    assert not read.want_authn_requests_signed
