"""pysaml2 as identity provider and as service provider, configured from our metadata. It needs the program xmlsec1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.saml.certificates import Certificate, SigningKey
from lockstep.saml.metadata import IdpMetadata, SpMetadata, write_idp_metadata, write_sp_metadata
from lockstep.saml.names import Binding

IDP = "https://idp.contoso.com/saml2"
SP = "https://api.documo.com"
ASSERT = f"{SP}/assert"
LOGOUT = f"{SP}/saml/logout"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EMAIL = "urn:oid:0.9.2342.19200300.100.1.3"  # `mail` in pysaml2's maps of attributes


@dataclass(frozen=True, slots=True)
class Keys:
    idp: SigningKey
    sp: SigningKey


def idp_metadata(keys: Keys) -> bytes:
    return write_idp_metadata(
        IdpMetadata(
            IDP,
            {Binding.REDIRECT: f"{IDP}/sso", Binding.POST: f"{IDP}/sso"},
            [keys.idp.certificate],
            logout={Binding.REDIRECT: f"{IDP}/logout"},
            want_authn_requests_signed=True,
        )
    )


def sp_metadata(keys: Keys) -> bytes:
    certificates: Sequence[Certificate] = [keys.sp.certificate]
    return write_sp_metadata(
        SpMetadata(
            SP, [ASSERT], certificates, certificates, {Binding.REDIRECT: LOGOUT}, True, want_assertions_signed=True
        )
    )


def service_provider(folder: Path, keys: Keys) -> Any:
    """A `saml2.client.Saml2Client` that trusts the identity provider of *keys*."""
    from saml2.client import Saml2Client
    from saml2.config import SPConfig

    service = {
        "endpoints": {
            "assertion_consumer_service": [(ASSERT, Binding.POST.value)],
            "single_logout_service": [(LOGOUT, Binding.REDIRECT.value)],
        },
        "authn_requests_signed": True,
        "want_assertions_signed": False,
        "want_response_signed": False,
        "want_assertions_or_response_signed": True,
        "allow_unsolicited": True,
        "allow_unknown_attributes": True,
        "logout_requests_signed": True,
    }
    return Saml2Client(_configured(SPConfig(), folder, SP, keys.sp, {"sp": service}, idp_metadata(keys)))


def identity_provider(folder: Path, keys: Keys) -> Any:
    """A `saml2.server.Server` that knows the service provider of *keys*."""
    from saml2.config import IdPConfig
    from saml2.server import Server

    service = {
        "endpoints": {
            "single_sign_on_service": [(f"{IDP}/sso", binding.value) for binding in Binding],
            "single_logout_service": [(f"{IDP}/logout", Binding.REDIRECT.value)],
        },
        "want_authn_requests_signed": True,
        "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
    }
    return Server(config=_configured(IdPConfig(), folder, IDP, keys.idp, {"idp": service}, sp_metadata(keys)))


def issued(server: Any, name_id: str, attributes: Mapping[str, Any], *, in_response_to: str, **options: Any) -> bytes:
    """The Response of pysaml2's identity provider. *options* say what is signed and encrypted."""
    from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NameID

    made = server.create_authn_response(
        dict(attributes),
        in_response_to=in_response_to,
        destination=ASSERT,
        sp_entity_id=SP,
        name_id=NameID(format=NAMEID_FORMAT_EMAILADDRESS, text=name_id),
        authn={"class_ref": PASSWORD, "authn_auth": IDP},
        sign_alg=RSA_SHA256,
        digest_alg=SHA256,
        **options,
    )
    return str(made).encode()


def _configured(
    config: Any, folder: Path, entity_id: str, key: SigningKey, service: Mapping[str, Any], metadata: bytes
) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.pem").write_text(key.private_pem)
    (folder / "cert.pem").write_text(key.certificate.pem)
    (folder / "metadata.xml").write_bytes(metadata)
    pair = {"key_file": str(folder / "key.pem"), "cert_file": str(folder / "cert.pem")}
    config.load(
        {
            "entityid": entity_id,
            "xmlsec_binary": "/usr/bin/xmlsec1",
            **pair,
            "encryption_keypairs": [pair],
            "metadata": {"local": [str(folder / "metadata.xml")]},
            "service": dict(service),
        }
    )
    return config
