"""The parts of a trial of single sign-on that depend on the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.single_sign_on.refusals import SignOnRefusal
from lockstep.saml.showing import MessagePart


@dataclass(frozen=True, slots=True)
class SignInCondition:
    """One condition that must hold for the sign-in. *next_step* says what to do if it does not hold."""

    sentence: str
    holds: bool
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class TrialParts:
    """The parts of a `SignOnTrial` that depend on the method. *ready* has the conditions of the method itself."""

    method: SignInCondition
    ready: Sequence[SignInCondition]
    issuer: str
    audience: str
    recipient: str
    request: str
    response: Sequence[MessagePart]
    refusals: Sequence[SignOnRefusal]
