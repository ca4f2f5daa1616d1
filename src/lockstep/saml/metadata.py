"""Metadata (SAML metadata, 2005): the name of a provider, its endpoints and its keys.

The source of metadata is trusted: an administrator who uploads it, or a server reached through HTTPS. Signatures in it are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from lockstep.saml.certificates import Certificate, certificates_in
from lockstep.saml.faults import FaultCode, SamlFault, fault
from lockstep.saml.names import SAMLP, Binding
from lockstep.saml.xml import (
    Element,
    add,
    children,
    is_element,
    new_element,
    parse,
    read_time,
    serialized,
    text_of,
    written_time,
)

MAX_METADATA = 1024 * 1024
MAX_ENTITIES = 200


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """An identity provider. *sign_on* and *logout* map bindings to addresses."""

    entity_id: str
    sign_on: Mapping[str, str]
    certificates: Sequence[Certificate]
    logout: Mapping[str, str] = field(default_factory=dict)
    want_authn_requests_signed: bool = False
    name_id_formats: Sequence[str] = ()
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpMetadata:
    """A service provider. *reply_urls* receive assertions by HTTP-POST; the default one comes first."""

    entity_id: str
    reply_urls: Sequence[str]
    signing_certificates: Sequence[Certificate] = ()
    encryption_certificates: Sequence[Certificate] = ()
    logout: Mapping[str, str] = field(default_factory=dict)
    authn_requests_signed: bool = False
    want_assertions_signed: bool = False
    name_id_formats: Sequence[str] = ()
    valid_until: datetime | None = None


def write_idp_metadata(metadata: IdpMetadata) -> bytes:
    root, role = _entity(metadata.entity_id, "IDPSSODescriptor", metadata.valid_until)
    role.set("WantAuthnRequestsSigned", _flag(metadata.want_authn_requests_signed))
    _add_keys(role, metadata.certificates, "signing")
    _add_endpoints(role, "SingleLogoutService", metadata.logout)
    _add_formats(role, metadata.name_id_formats)
    _add_endpoints(role, "SingleSignOnService", metadata.sign_on)
    return serialized(root)


def write_sp_metadata(metadata: SpMetadata) -> bytes:
    root, role = _entity(metadata.entity_id, "SPSSODescriptor", metadata.valid_until)
    role.set("AuthnRequestsSigned", _flag(metadata.authn_requests_signed))
    role.set("WantAssertionsSigned", _flag(metadata.want_assertions_signed))
    _add_keys(role, metadata.signing_certificates, "signing")
    _add_keys(role, metadata.encryption_certificates, "encryption")
    _add_endpoints(role, "SingleLogoutService", metadata.logout)
    _add_formats(role, metadata.name_id_formats)
    for index, url in enumerate(metadata.reply_urls):
        add(
            role,
            "md",
            "AssertionConsumerService",
            Binding=Binding.POST,
            Location=url,
            index=str(index),
            isDefault="true" if index == 0 else None,
        )
    return serialized(root)


def read_idp_metadata(xml: bytes, *, entity_id: str = "") -> IdpMetadata:
    """Read the identity provider in *xml*: the only one, or the one named *entity_id*. Raises SamlFault("MetadataUnusable")."""
    entity, role, valid_until = _role(xml, "IDPSSODescriptor", entity_id)
    sign_on = _endpoints(role, "SingleSignOnService")
    certificates = _certificates(role, "signing")
    if not sign_on:
        raise fault(FaultCode.METADATA_UNUSABLE, expected="a SingleSignOnService by redirect or POST", received="none")
    if not certificates:
        raise fault(FaultCode.METADATA_UNUSABLE, expected="a signing certificate", received="none")
    return IdpMetadata(
        entity_id=entity.get("entityID"),
        sign_on=sign_on,
        certificates=certificates,
        logout=_endpoints(role, "SingleLogoutService"),
        want_authn_requests_signed=_is_true(role.get("WantAuthnRequestsSigned")),
        name_id_formats=_formats(role),
        valid_until=valid_until,
    )


def read_sp_metadata(xml: bytes, *, entity_id: str = "") -> SpMetadata:
    """Read the service provider in *xml*: the only one, or the one named *entity_id*. Raises SamlFault("MetadataUnusable")."""
    entity, role, valid_until = _role(xml, "SPSSODescriptor", entity_id)
    services = [one for one in children(role, "md", "AssertionConsumerService") if one.get("Binding") == Binding.POST]
    services.sort(key=_rank)
    urls = [_address(one.get("Location")) for one in services]
    if not urls:
        raise fault(FaultCode.METADATA_UNUSABLE, expected="an AssertionConsumerService by HTTP-POST", received="none")
    return SpMetadata(
        entity_id=entity.get("entityID"),
        reply_urls=list(dict.fromkeys(urls)),
        signing_certificates=_certificates(role, "signing"),
        encryption_certificates=_certificates(role, "encryption"),
        logout=_endpoints(role, "SingleLogoutService"),
        authn_requests_signed=_is_true(role.get("AuthnRequestsSigned")),
        want_assertions_signed=_is_true(role.get("WantAssertionsSigned")),
        name_id_formats=_formats(role),
        valid_until=valid_until,
    )


def _entity(entity_id: str, role: str, valid_until: datetime | None) -> tuple[Element, Element]:
    root = new_element(
        "md",
        "EntityDescriptor",
        entityID=entity_id,
        validUntil=None if valid_until is None else written_time(valid_until),
    )
    return root, add(root, "md", role, protocolSupportEnumeration=SAMLP)


def _role(xml: bytes, name: str, entity_id: str) -> tuple[Element, Element, datetime | None]:
    """Return the entity, its role element *name*, and the earliest `validUntil` of the document, the entity and the role. Raises
    SamlFault("MetadataUnusable") unless there is exactly one such role.
    """
    root = parse(xml, max_bytes=MAX_METADATA)
    if is_element(root, "md", "EntitiesDescriptor"):
        entities = children(root, "md", "EntityDescriptor")[:MAX_ENTITIES]
    else:
        entities = [root] if is_element(root, "md", "EntityDescriptor") else []
    found = [
        (entity, role)
        for entity in entities
        for role in children(entity, "md", name)
        if SAMLP in (role.get("protocolSupportEnumeration") or "").split()
        and entity_id in ("", entity.get("entityID"))
        and entity.get("entityID")
    ]
    if len(found) != 1:
        raise fault(
            FaultCode.METADATA_UNUSABLE,
            expected=f"one {name} of SAML 2.0" + (f" of {entity_id}" if entity_id else ""),
            received=f"{len(found)}, in {root.tag}",
        )
    entity, role = found[0]
    return entity, role, _valid_until(root, entity, role)


def _valid_until(*elements: Element) -> datetime | None:
    """Return the earliest `validUntil`, or None. The caller decides what to do after that time, because newer metadata may exist."""
    ends = [read_time(end) for element in elements if (end := element.get("validUntil"))]
    return min(ends, default=None)


def _rank(service: Element) -> tuple[bool, int]:
    """Return a sort key that puts the default service first and orders the others by index (metadata, section 2.2.3)."""
    index = service.get("index") or ""
    return not _is_true(service.get("isDefault")), int(index) if index.isascii() and index.isdigit() else 0


def _endpoints(role: Element, name: str) -> dict[str, str]:
    """Return the first address for each binding that we support."""
    found: dict[str, str] = {}
    for one in children(role, "md", name):
        binding = one.get("Binding")
        if binding in (Binding.REDIRECT, Binding.POST):
            found.setdefault(binding, _address(one.get("Location")))
    return found


def _address(location: str | None) -> str:
    try:
        parts = urlsplit(location or "")
        is_address = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address or not (location or "").isprintable():
        raise fault(
            FaultCode.METADATA_UNUSABLE, expected="an address that begins with https://", received=location or "none"
        )
    return location or ""


def _certificates(role: Element, use: str) -> list[Certificate]:
    """Return the certificates for *use*, and those for any use. Certificates that must be refused are left out. If all are refused,
    raises SamlFault.
    """
    found: dict[str, Certificate] = {}
    refused: SamlFault | None = None
    for key in children(role, "md", "KeyDescriptor"):
        if key.get("use") in (None, use):
            for text in key.iter("{http://www.w3.org/2000/09/xmldsig#}X509Certificate"):
                try:
                    found |= {one.thumbprint: one for one in certificates_in(text_of(text))}
                except SamlFault as wrong:
                    refused = wrong
    if refused is not None and not found:
        raise refused
    return list(found.values())


def _formats(role: Element) -> list[str]:
    return [text_of(one).strip() for one in children(role, "md", "NameIDFormat")]


def _add_keys(role: Element, certificates: Sequence[Certificate], use: str) -> None:
    for certificate in certificates:
        info = add(add(role, "md", "KeyDescriptor", use=use), "ds", "KeyInfo")
        add(add(info, "ds", "X509Data"), "ds", "X509Certificate", certificate.base64)


def _add_endpoints(role: Element, name: str, addresses: Mapping[str, str]) -> None:
    for binding, location in addresses.items():
        add(role, "md", name, Binding=binding, Location=location)


def _add_formats(role: Element, formats: Sequence[str]) -> None:
    for one in formats:
        add(role, "md", "NameIDFormat", one)


def _is_true(value: str | None) -> bool:
    return value in ("true", "1")


def _flag(value: bool) -> str:
    return "true" if value else "false"
