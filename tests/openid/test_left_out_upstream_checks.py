"""Every check of an identity provider's statements about a person is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.actions import federated_identity
from lockstep.actions.federated_identity import grants_for, has_claim, identity_in, values_of, was_left_out
from lockstep.actions.person_sign_in import upstream
from lockstep.errors import LockstepError
from lockstep.oidc import code_flow, id_token, provider
from lockstep.oidc.code_flow import code_in
from lockstep.oidc.id_token import authenticated_at
from lockstep.oidc.provider import ClientRegistration, Metadata
from lockstep.storage.identity_providers import ClaimRole, ProviderRow
from lockstep.storage.person_credentials import PersonCredential
from tests.support.left_out_checks import Check, checks_of, outcomes_of

ISSUER = "https://login.contoso.test"
CLIENT = ClientRegistration("Contoso", ISSUER, "lockstep", "")
PROVIDER = ProviderRow(
    "Contoso", ISSUER, "lockstep", True, [], "groups", False, datetime(2026, 1, 1, tzinfo=UTC), "ada"
)
RULES = [ClaimRole("admins", "auditor"), ClaimRole("others", "operator")]


def answered(answer: Mapping[str, str], *, sends_issuer: bool = True) -> object:
    return code_in(
        CLIENT, Metadata(ISSUER, "", "", "", sends_issuer=sends_issuer), {"code": "c", "iss": ISSUER, **answer}
    )


def identified(*, trusts: bool = False, **claims: Any) -> object:
    usual = {"sub": "s-1", "email": "Anna@contoso.test", "email_verified": True, "name": "Anna"}
    return identity_in({**usual, **claims}, issuer=ISSUER, provider="Contoso", trusts_email=trusts)


def person(**more: Any) -> object:
    usual: dict[str, Any] = {"issuer": ISSUER, "subject": "s-1", "is_live": True}
    found = PersonCredential("p", "anna", password_hash=None, has_app=False, **usual | more)
    return upstream._what_is_wrong(found, PROVIDER, "s-1")


CASES: dict[str, Callable[[], object]] = {
    "answer": lambda: answered({}),
    "answer of another provider": lambda: answered({"iss": "https://evil.test"}),
    "answer that names no issuer though it must": lambda: answered({"iss": ""}),
    "answer that names no issuer": lambda: answered({"iss": ""}, sends_issuer=False),
    "answer of another provider where none is promised": lambda: answered({"iss": "https://evil.test"}, sends_issuer=False),
    "refusal": lambda: answered({"error": "access_denied", "error_description": "no"}),
    "no code": lambda: answered({"code": ""}),
    "time": lambda: authenticated_at({"auth_time": 1_700_000_000}),
    "no time": lambda: authenticated_at({}),
    "time that is true": lambda: authenticated_at({"auth_time": True}),
    "time that is text": lambda: authenticated_at({"auth_time": "1700000000"}),
    "time beyond the calendar": lambda: authenticated_at({"auth_time": 1e20}),
    "person": identified,
    "address that is not verified": lambda: identified(email_verified=False),
    "address about which nothing is said": lambda: identified(email_verified=None),
    "address about which nothing is said, trusted": lambda: identified(email_verified=None, trusts=True),
    "address that is not verified, trusted": lambda: identified(email_verified=False, trusts=True),
    "no address": lambda: identified(email=None),
    "no address and a user name": lambda: identified(email=None, preferred_username="anna@contoso.test"),
    "no address and a user name, trusted": lambda: identified(email=None, preferred_username="anna@contoso.test", trusts=True),
    "address that is none": lambda: identified(email="anna"),
    "subject without an end": lambda: identified(sub="s" * 256),
    "name that is a list": lambda: identified(name=["Anna"]),
    "name with a line break": lambda: identified(name="An\nna"),
    "roles": lambda: grants_for({"groups": ["admins", "people"]}, "groups", RULES),
    "values": lambda: sorted(values_of({"groups": ["a", 1, "b"]}, "groups")),
    "nested values": lambda: sorted(values_of({"realm": {"roles": ["a"]}}, "realm.roles")),
    "nested values of a text": lambda: sorted(values_of({"realm": "text"}, "realm.roles")),
    "claim": lambda: has_claim({"groups": []}, "groups"),
    "left out": lambda: was_left_out({"_claim_names": {"groups": "src1"}}, "groups"),
    "another one left out": lambda: was_left_out({"_claim_names": {"roles": "src1"}}, "groups"),
    "left out, as a text": lambda: was_left_out({"_claim_names": "groups"}, "groups"),
    "optional address": lambda: provider._optional({"x": "https://a.test"}, "x"),
    "optional address that runs a script": lambda: provider._optional({"x": "javascript:alert(1)"}, "x"),
    "optional address that is no text": lambda: provider._optional({"x": 1}, "x"),
    "nobody": lambda: upstream._what_is_wrong(None, PROVIDER, "s-1"),
    "known person": person,
    "person of another provider": lambda: person(issuer="https://former.test", subject="s-2"),
    "person with another subject": lambda: person(subject="s-2"),
    "disabled person": lambda: person(is_live=False),
}  # fmt: skip
CHECKS: list[Check] = [
    *checks_of(federated_identity, parts=True),
    *checks_of(code_flow, "code_in", parts=True),
    *checks_of(id_token, "authenticated_at", parts=True),
    *checks_of(provider, "_optional", parts=True),
    *checks_of(upstream, "_what_is_wrong", parts=True),
]


def outcomes() -> dict[str, str]:
    return outcomes_of(CASES, LockstepError, lambda refused: f"{refused.code} {refused.detail} {refused.why}")


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    return outcomes()


def test_no_case_crashes(usual: dict[str, str]) -> None:
    assert [name for name, outcome in usual.items() if outcome.startswith("crashed")] == []
    assert len(CHECKS) >= 25


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_no_check_can_be_left_out(check: Check, usual: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check.leave_out(monkeypatch)

    assert outcomes() != usual
