"""The two sides of the tests of single sign-on, their keys, an assertion and what is expected of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from lockstep.saml.accepting import ResponseRequirements
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.names import NameIdFormat
from lockstep.saml.responses import Assertion

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
IDP = "https://idp.contoso.com/saml2"
SP = "https://api.documo.com"
ASSERT = "https://api.documo.com/assert"
REQUEST = "_request"
EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


@cache
def key_of(name: str) -> SigningKey:
    """The key of "idp", "sp", or a "stranger"; made once for all tests."""
    return new_signing_key(name, now=NOW)


def assertion(**changes: Any) -> Assertion:
    given = Assertion(
        issuer=IDP,
        audience=SP,
        recipient=ASSERT,
        name_id="lee.wong@contoso.com",
        name_id_format=NameIdFormat.EMAIL_ADDRESS,
        issued_at=NOW,
        attributes={EMAIL: ["lee.wong@contoso.com"], GROUPS: ["Sales", "Everyone"]},
        in_response_to=REQUEST,
        session_index="_session",
    )
    return replace(given, **changes)


def expected(**changes: Any) -> ResponseRequirements:
    given = ResponseRequirements(
        issuer=IDP,
        audience=SP,
        recipient=ASSERT,
        certificates=[key_of("idp").certificate],
        in_response_to=REQUEST,
        decryption_keys=[key_of("sp")],
    )
    return replace(given, **changes)
