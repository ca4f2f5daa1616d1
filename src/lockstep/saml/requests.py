"""AuthnRequest: a service provider asks for a sign-in (SAML core, section 3.4.1; profiles, section 4.1.4.1).

A request is untrusted. Its reply URL is valid only if it is registered for the issuer, which the caller checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.saml.faults import FaultCode, fault
from lockstep.saml.messages import Header, new_message, read_header
from lockstep.saml.names import Binding
from lockstep.saml.xml import add, children, only_child, parse, serialized, text_of

COMPARISONS = ("exact", "minimum", "maximum", "better")


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request for a sign-in. If *reply_url* is empty, the response goes to a registered URL, which *reply_index* may select.

    *contexts* are the requested authentication context classes, to be compared by *contexts_comparison*. An empty *name_id_format* allows
    any format.
    """

    id: str
    issuer: str
    destination: str
    reply_url: str
    issued_at: datetime
    force_authn: bool = False
    is_passive: bool = False
    name_id_format: str = ""
    contexts: tuple[str, ...] = ()
    contexts_comparison: str = "exact"
    reply_index: int | None = None
    binding: str = Binding.POST


def write_authn_request(request: AuthnRequest) -> bytes:
    """Return the request as XML without a signature; `bindings` signs it as the binding requires."""
    message = new_message(
        "AuthnRequest",
        Header(request.id, request.issuer, request.destination, request.issued_at),
        AssertionConsumerServiceURL=request.reply_url or None,
        ProtocolBinding=request.binding if request.reply_url else None,
        ForceAuthn="true" if request.force_authn else None,
        IsPassive="true" if request.is_passive else None,
    )
    add(message, "samlp", "NameIDPolicy", Format=request.name_id_format or None, AllowCreate="true")
    if request.contexts:
        wanted = add(message, "samlp", "RequestedAuthnContext", Comparison=request.contexts_comparison)
        for context in request.contexts:
            add(wanted, "saml", "AuthnContextClassRef", context)
    return serialized(message)


def read_authn_request(xml: bytes) -> AuthnRequest:
    """Read an AuthnRequest. Raises SamlFault if *xml* is something else or malformed, names no issuer, or asks for a response by a binding
    other than HTTP-POST.
    """
    root = parse(xml)
    header = read_header(root, "AuthnRequest")
    if not header.issuer:
        raise fault(FaultCode.WRONG_ISSUER, expected="an issuer", received="none")
    policy = only_child(root, "samlp", "NameIDPolicy")
    wanted = only_child(root, "samlp", "RequestedAuthnContext")
    comparison = "exact" if wanted is None else wanted.get("Comparison") or "exact"
    if comparison not in COMPARISONS:
        raise fault(FaultCode.MALFORMED, expected=", ".join(COMPARISONS), received=comparison)
    contexts = [] if wanted is None else children(wanted, "saml", "AuthnContextClassRef")
    if wanted is not None and not contexts:
        raise fault(FaultCode.MALFORMED, expected="AuthnContextClassRef", received="AuthnContextDeclRef or nothing")
    binding = root.get("ProtocolBinding") or Binding.POST
    if binding != Binding.POST:
        raise fault(FaultCode.NOT_EXPECTED_MESSAGE, expected=Binding.POST, received=binding)
    return AuthnRequest(
        id=header.id,
        issuer=header.issuer,
        destination=header.destination,
        reply_url=root.get("AssertionConsumerServiceURL") or "",
        issued_at=header.issued_at,
        force_authn=_flag(root.get("ForceAuthn")),
        is_passive=_flag(root.get("IsPassive")),
        name_id_format="" if policy is None else policy.get("Format") or "",
        contexts=tuple(text_of(one).strip() for one in contexts),
        contexts_comparison=comparison,
        reply_index=_index(root.get("AssertionConsumerServiceIndex")),
        binding=binding,
    )


def _flag(value: str | None) -> bool:
    if value not in (None, "true", "false", "1", "0"):
        raise fault(FaultCode.MALFORMED, expected="true or false", received=str(value))
    return value in ("true", "1")


def _index(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and int(value) <= 65535):
        raise fault(FaultCode.MALFORMED, expected="an index from 0 to 65535", received=value)
    return int(value)
