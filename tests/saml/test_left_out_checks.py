"""Every check in the code for requests, logout, bindings and metadata is covered: at least one hostile case ends differently without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lockstep.saml import bindings, logout, messages, metadata, requests
from lockstep.saml.faults import SamlFault
from lockstep.saml.names import Status
from lockstep.saml.xml import parse
from tests.saml.parties import ASSERT, IDP, NOW, SP, key_of
from tests.saml.test_hostile_bindings import FORMS, HOSTILE_REQUESTS, REDIRECTS, REQUEST, query
from tests.saml.test_hostile_logout import (
    HERE,
    METADATA,
    REQUESTS,
    RESPONSE,
    RESPONSES,
    SP_METADATA,
    idp_metadata,
    sp_metadata,
    two_providers,
)
from tests.saml.test_hostile_logout import REQUEST as LOGOUT
from tests.saml.test_tolerance import elliptic_key
from tests.support.left_out_checks import Check, checks_of, outcomes_of


def _logout(changes: dict[str, Any]) -> object:
    xml = logout.write_logout_request(replace(LOGOUT, **changes))
    return logout.read_logout_request(xml, issuer=IDP, destination=HERE, now=NOW)


def _redirect(build: Callable[[], str]) -> object:
    return bindings.read_redirect(build(), certificates=[key_of("sp").certificate])


@cache
def _elliptic() -> Any:
    return elliptic_key(ec.SECP256R1())


def _signed_by_an_elliptic_key() -> object:
    """The certificates contain one of the other kind."""
    url = bindings.redirect_url("x:", message=REQUEST, field="SAMLRequest", key=_elliptic())
    certificates = [key_of("sp").certificate, _elliptic().certificate]
    return bindings.read_redirect(url.partition("?")[2], certificates=certificates).signed


def _written(**more: Any) -> bytes:
    request = requests.AuthnRequest("_1", SP, f"{IDP}/sso", more.pop("reply_url", ASSERT), NOW, **more)
    return requests.write_authn_request(request)


def _logout_response(build: Callable[[], bytes]) -> object:
    return logout.read_logout_response(build(), issuer=IDP, destination=HERE, in_response_to="_1", now=NOW)


CASES: dict[str, Callable[[], object]] = {
    **{f"redirect {name}": partial(_redirect, build) for name, (build, _) in REDIRECTS.items()},
    **{f"form {name}": partial(bindings.read_post, form) for name, (form, _) in FORMS.items()},
    **{
        f"request {name}": partial(requests.read_authn_request, change(REQUEST))
        for name, (change, _) in HOSTILE_REQUESTS.items()
    },
    **{f"logout {name}": partial(_logout, changes) for name, (changes, _) in REQUESTS.items()},
    **{f"logout response {name}": partial(_logout_response, build) for name, (build, _) in RESPONSES.items()},
    **{f"metadata {name}": partial(metadata.read_idp_metadata, build()) for name, (build, _) in METADATA.items()},
    **{f"SP metadata {name}": partial(metadata.read_sp_metadata, build()) for name, (build, _) in SP_METADATA.items()},
    "reference of a stranger": partial(bindings.own_reference, "https://evil.example"),
}
# What is accepted, and how it is read: a check that refuses too much, and a condition of a value, change that.
ACCEPTED: dict[str, Callable[[], object]] = {
    "signed redirect": lambda: bindings.read_redirect(query(), certificates=[key_of("sp").certificate]),
    "redirect signed with an elliptic key": lambda: _signed_by_an_elliptic_key(),
    "redirect without certificates": lambda: bindings.read_redirect(query()),
    "redirect without a relay state": lambda: bindings.read_redirect(query("")),
    "signed form": lambda: bindings.read_post(
        bindings.post_fields(REQUEST, field="SAMLRequest", key=key_of("sp")), certificates=[key_of("sp").certificate]
    ).signed,
    "form without certificates": lambda: bindings.read_post(bindings.post_fields(REQUEST, field="SAMLRequest")),
    "own reference": lambda: bindings.own_reference("r-1"),
    "no reference": lambda: bindings.own_reference(""),
    "request": lambda: requests.read_authn_request(REQUEST),
    **{
        f"request with {sorted(more)}": partial(_written, **more)
        for more in ({}, {"reply_url": ""}, {"force_authn": True}, {"is_passive": True})
    },
    "logout": lambda: _logout({}),
    "logout with an end": lambda: _logout({"not_on_or_after": NOW}),
    "logout response": lambda: _logout_response(lambda: logout.write_logout_response(RESPONSE)),
    "status with a code below": lambda: messages.read_status(
        parse(logout.write_logout_response(replace(RESPONSE, status=Status.PARTIAL_LOGOUT)))
    ),
    "metadata": lambda: metadata.read_idp_metadata(idp_metadata()),
    "metadata with an end": lambda: metadata.read_idp_metadata(
        idp_metadata().replace(b" entityID", b' validUntil="2027-01-01T00:00:00Z" entityID')
    ),
    "one provider of two": lambda: metadata.read_idp_metadata(
        two_providers(), entity_id="https://b.example"
    ),
    "SP metadata": lambda: metadata.read_sp_metadata(sp_metadata()),
    "SP metadata as written": lambda: metadata.write_sp_metadata(metadata.SpMetadata(SP, [ASSERT, f"{ASSERT}/2"])),
    **{
        f"SP metadata with the index {index}": partial(
            lambda given: metadata.read_sp_metadata(sp_metadata().replace(b'index="0"', f'index="{given}"'.encode())), index
        )
        for index in ("x", "\N{SUPERSCRIPT TWO}")
    },
}  # fmt: skip
CHECKS = [one for module in (bindings, logout, messages, metadata, requests) for one in checks_of(module, parts=True)]
# Conditions that another one implies; the type checker needs both.
IMPLIED = {("saml.logout.read_logout_request", "name_id is None"), ("saml.messages.read_status", "holder is None")}


def outcomes() -> dict[str, str]:
    return outcomes_of(CASES | ACCEPTED, SamlFault, lambda refused: f"{refused.code} {refused.expected}")


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    return outcomes()


def test_every_case_ends_as_it_should(usual: dict[str, str]) -> None:
    assert [name for name in CASES if usual[name].startswith(("accepted", "crashed"))] == []
    assert [name for name in ACCEPTED if not usual[name].startswith("accepted")] == []
    assert len(CHECKS) >= 70


@pytest.mark.parametrize("check", [one for one in CHECKS if (one.place, one.part) not in IMPLIED], ids=str)
def test_no_check_can_be_left_out(check: Check, usual: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check.leave_out(monkeypatch)

    assert outcomes() != usual
