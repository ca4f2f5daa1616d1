"""The SAML requests that Lockstep refuses, described with the application's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.actions.saml_sign_in.asking import OLDEST, SKEW
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.openid.faults import RefusalReason
from lockstep.wording import counted


@dataclass(frozen=True, slots=True)
class SignOnRefusal:
    """A kind of request that is refused. *code* is the code of its entry in the sign-in log."""

    what: str
    code: SignInCode | RefusalReason


def refusals_of(view: SignOnView) -> list[SignOnRefusal]:
    """Return the kinds of requests that are refused, in the order of the checks."""
    settings = view.settings
    found = [SignOnRefusal(f"A request whose issuer is not {_one_of(settings.identifiers)}", SignInCode.WRONG_ISSUER)]
    if settings.requires_signed_requests:
        found.append(SignOnRefusal("A request without a signature", SignInCode.NOT_SIGNED))
    if settings.request_certificates:
        what = "A request with a signature that no certificate of the application verifies"
        found.append(SignOnRefusal(what, SignInCode.SIGNATURE_WRONG))
    found += [
        SignOnRefusal(
            f"A request with a destination other than {view.endpoints.login_url}", SignInCode.WRONG_DESTINATION
        ),
        SignOnRefusal(
            f"A request issued more than {_minutes(OLDEST)} ago, or dated more than {_minutes(SKEW)} in the future",
            SignInCode.REQUEST_EXPIRED,
        ),
        SignOnRefusal(
            f"A request whose response would go to an address other than {_one_of(settings.reply_urls)}",
            SignInCode.UNKNOWN_REPLY_URL,
        ),
        SignOnRefusal(
            "A request that does not allow a sign-in page (IsPassive), while nobody is signed in", SignInCode.NO_PASSIVE
        ),
    ]
    if settings.assignment_required:
        found.append(SignOnRefusal("Everybody who is not assigned", SignInCode.NOT_ASSIGNED))
    found += [
        SignOnRefusal("A request that requires a stronger sign-in than the person used", SignInCode.NO_AUTHN_CONTEXT),
        SignOnRefusal(
            f"A request for a Name ID format other than {settings.name_id_format.value}",
            SignInCode.WRONG_NAME_ID_FORMAT,
        ),
    ]
    return found


def _one_of(values: Sequence[str]) -> str:
    return " or ".join(values) or "the registered one, which is missing"


def _minutes(length: timedelta) -> str:
    return counted(length // timedelta(minutes=1), "minute")
