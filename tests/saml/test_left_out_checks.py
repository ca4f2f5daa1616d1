"""Every check of requests, logout, bindings and metadata is held by a hostile case: without it, the case ends differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from lockstep.saml import bindings, logout, messages, metadata, requests
from lockstep.saml.faults import SamlFault
from tests.saml.parties import IDP, NOW, key_of
from tests.saml.test_hostile_bindings import FORMS, HOSTILE_REQUESTS, REDIRECTS, REQUEST
from tests.saml.test_hostile_logout import HERE, METADATA, REQUESTS, RESPONSES, SP_METADATA
from tests.saml.test_hostile_logout import REQUEST as LOGOUT
from tests.support.left_out_checks import Check, checks_of


def _logout(changes: dict[str, Any]) -> object:
    xml = logout.write_logout_request(replace(LOGOUT, **changes))
    return logout.read_logout_request(xml, issuer=IDP, destination=HERE, now=NOW)


def _redirect(build: Callable[[], str]) -> object:
    return bindings.read_redirect(build(), certificates=[key_of("sp").certificate])


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
CHECKS = [one for module in (bindings, logout, messages, metadata, requests) for one in checks_of(module)]


def outcomes() -> dict[str, str]:
    return {name: _outcome(case) for name, case in CASES.items()}


def _outcome(case: Callable[[], object]) -> str:
    try:
        return f"accepted {type(case()).__name__}"
    except SamlFault as refused:
        return f"{refused.code} {refused.expected}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {crash!r}"


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    return outcomes()


def test_every_case_is_refused(usual: dict[str, str]) -> None:
    assert [name for name, outcome in usual.items() if outcome.startswith(("accepted", "crashed"))] == []
    assert len(CHECKS) >= 30


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_no_check_can_be_left_out(check: Check, usual: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check.leave_out(monkeypatch)

    assert outcomes() != usual
