"""What Lockstep refuses when an application asks for a sign-in, in the words of the application's own settings, and what to look at when
the application itself refuses the answer.

Service providers tell only the browser why they refuse, each in its own words. Those words are looked for in the text that an
administrator copies from the page of the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.actions.saml_sign_in.asking import OLDEST, SKEW
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.openid.faults import RefusalReason
from lockstep.wording import counted


@dataclass(frozen=True, slots=True)
class SignOnRefusal:
    """*what* is refused; *code* is that of the entry in the sign-in log."""

    what: str
    code: SignInCode | RefusalReason


@dataclass(frozen=True, slots=True)
class ApplicationError:
    """What an error of the application means: what the two sides see differently, and *value*, which is what Lockstep sends."""

    cause: str
    value: str
    next_step: str


class _Setting(Enum):
    """What an error of an application is about."""

    ENCRYPTION = auto()
    IDENTIFIER = auto()
    REPLY_URL = auto()
    ISSUER = auto()
    SIGN_ON_URL = auto()
    VALIDITY = auto()
    CERTIFICATE = auto()
    NAME_ID = auto()


# Words of errors, from the most particular to the most general: cause, setting, next step.
_ERRORS: Sequence[tuple[Sequence[str], str, _Setting, str]] = (
    (
        ("decrypt", "encrypt"),
        "The application cannot decrypt the assertion, or wants it encrypted",
        _Setting.ENCRYPTION,
        "Compare the encryption certificate with that of {name}",
    ),
    (
        ("audience", "entity id", "entityid"),
        "The application has another Identifier (Entity ID)",
        _Setting.IDENTIFIER,
        "Enter the one of {name} as Identifier (Entity ID)",
    ),
    (
        ("recipient", "destination", "acs", "assertion consumer", "reply url"),
        "The application expects the answer at another address",
        _Setting.REPLY_URL,
        "Enter the address of {name} as Reply URL",
    ),
    (
        ("issuer", "identity provider", "idp "),
        "The application knows Lockstep under another identifier",
        _Setting.ISSUER,
        "Enter the Lockstep Identifier in {name}",
    ),
    (
        ("inresponseto", "in response to", "unsolicited", "idp-initiated", "relaystate"),
        "The application did not ask for this answer, or asked in another browser",
        _Setting.SIGN_ON_URL,
        "Begin at the application: enter its Sign on URL",
    ),
    (
        ("expired", "notbefore", "not yet valid", "notonorafter", "clock", "timestamp"),
        "The clocks of the two servers differ, or the person waited too long",
        _Setting.VALIDITY,
        "Compare the clocks of both servers",
    ),
    (
        ("signature", "certificate", "fingerprint", "thumbprint", "signed", "digest"),
        "The application does not know the certificate, or wants another part of the response signed",
        _Setting.CERTIFICATE,
        "Enter the certificate in {name}, and compare the signing option",
    ),
    (
        ("user", "account", "member", "nameid", "name id", "email", "e-mail", "not found", "unknown"),
        "The application has no account with this name",
        _Setting.NAME_ID,
        "Compare the Name ID with the account in {name}. Is the person provisioned? lockstep explain {app}",
    ),
)


def refusals_of(view: SignOnView) -> list[SignOnRefusal]:
    """Return what is refused, in the order of the checks."""
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
            f"A request for a response to an address other than {_one_of(settings.reply_urls)}",
            SignInCode.UNKNOWN_REPLY_URL,
        ),
        SignOnRefusal("A request that allows no page (IsPassive) while nobody is signed in", SignInCode.NO_PASSIVE),
    ]
    if settings.assignment_required:
        found.append(SignOnRefusal("Everybody who is not assigned", SignInCode.NOT_ASSIGNED))
    found += [
        SignOnRefusal("A request for a stronger sign-in than that of the person", SignInCode.NO_AUTHN_CONTEXT),
        SignOnRefusal(
            f"A request for a Name ID format other than {settings.name_id_format.value}",
            SignInCode.WRONG_NAME_ID_FORMAT,
        ),
    ]
    return found


def explain_error(text: str, view: SignOnView, name_id: str) -> ApplicationError | None:
    """Return what *text*, the error of an application, is about; None if that cannot be told."""
    said = text.casefold()
    for words, cause, setting, next_step in _ERRORS:
        if any(word in said for word in words):
            step = next_step.format(name=view.application.display_name, app=view.application.name)
            return ApplicationError(cause, _value(setting, view, name_id), step)
    return None


def _value(setting: _Setting, view: SignOnView, name_id: str) -> str:
    settings = view.settings
    active = next((one.thumbprint for one in view.certificates if one.is_active), "none")
    match setting:
        case _Setting.ENCRYPTION:
            return "encrypted" if settings.encryption_certificate else "not encrypted"
        case _Setting.IDENTIFIER:
            return next(iter(settings.identifiers), "none")
        case _Setting.REPLY_URL:
            return next(iter(settings.reply_urls), "none")
        case _Setting.ISSUER:
            return view.endpoints.identifier
        case _Setting.SIGN_ON_URL:
            return settings.sign_on_url or "none"
        case _Setting.VALIDITY:
            return "an assertion that is valid for 5 minutes"
        case _Setting.CERTIFICATE:
            return f"thumbprint {active}; signed: {settings.signing.value}"
        case _Setting.NAME_ID:
            return name_id or "no Name ID"


def _one_of(values: Sequence[str]) -> str:
    return " or ".join(values) or "the registered one, which is missing"


def _minutes(length: timedelta) -> str:
    return counted(length // timedelta(minutes=1), "minute")
