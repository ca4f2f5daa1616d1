"""Every hostile response is refused for its own reason, and every check is needed to refuse one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lockstep.saml import accepting, assertion_checks, signatures, xml
from lockstep.saml.accepting import accept
from lockstep.saml.faults import DETAILS, FaultCode, SamlFault
from tests.saml.corpus import CASES, Case
from tests.saml.parties import expected

# Every tuple of checks, and the module whose name holds it.
TABLES = [
    (xml, "BYTE_CHECKS"),
    (xml, "NODE_CHECKS"),
    (accepting, "STRUCTURE_CHECKS"),
    (accepting, "HEAD_CHECKS"),
    (accepting, "DECRYPTED_CHECKS"),
    (signatures, "SIGNATURE_CHECKS"),
    (accepting, "ASSERTION_CHECKS"),
    (assertion_checks, "CONFIRMATION_CHECKS"),
]
# Raised where something is read that an administrator gives, or a message other than a response.
NOT_OF_RESPONSES = {
    FaultCode.DEFLATE_WRONG,
    FaultCode.PARAMETER_REPEATED,
    FaultCode.RELAY_STATE_REFUSED,
    FaultCode.CERTIFICATE_UNREADABLE,
    FaultCode.KEY_REFUSED,
    FaultCode.METADATA_UNUSABLE,
    FaultCode.USED_BEFORE,
}


def outcome(case: Case) -> str:
    """The code of the refusal, or what was accepted."""
    try:
        return f"accepted {accept(case.build(), expected(**case.expected), now=case.now)}"
    except SamlFault as refused:
        return refused.code
    except Exception as crash:  # only without one of the checks
        return f"crashed with {crash!r}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hostile_response_is_refused_for_its_own_reason(case: Case) -> None:
    assert outcome(case) == case.code


def test_the_corpus_has_a_case_for_every_reason() -> None:
    assert len(CASES) >= 60
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    assert {case.code for case in CASES} == set(FaultCode) - NOT_OF_RESPONSES
    assert set(DETAILS) == set(FaultCode)


def checks() -> Iterator[Any]:
    for module, table in TABLES:
        for position, check in enumerate(getattr(module, table)):
            yield pytest.param(module, table, position, id=f"{table}: {check.__name__}")


@pytest.mark.parametrize(("module", "table", "position"), list(checks()))
def test_no_check_can_be_left_out(module: Any, table: str, position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    every = getattr(module, table)
    monkeypatch.setattr(module, table, every[:position] + every[position + 1 :])

    assert any(outcome(case) != case.code for case in CASES)


def test_signature_is_what_refuses_a_changed_assertion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "verified", lambda element, certificates, legacy: element)

    accepted = {case.code for case in CASES if outcome(case).startswith("accepted")}

    assert accepted >= {FaultCode.DIGEST_WRONG, FaultCode.SIGNATURE_WRONG, FaultCode.WRONG_CERTIFICATE}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_refusal_can_be_shown(case: Case) -> None:
    with pytest.raises(SamlFault) as refused:
        accept(case.build(), expected(**case.expected), now=case.now)

    shown = [refused.value.detail, refused.value.expected, refused.value.received]
    assert all(text.isprintable() and len(text) < 400 for text in shown)
