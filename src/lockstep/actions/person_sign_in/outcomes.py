"""Outcomes of attempts to sign in: their codes, the sentence for each code, and the records in the sign-in log.

A person who is not authenticated reads the same sentence for every refusal. Only the log, which administrators read, has the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from lockstep.actions.context import Context
from lockstep.credentials.attempts import network_of
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import Kind, LockstepError
from lockstep.openid.faults import MEANINGS, RefusalReason
from lockstep.storage import sign_in_log
from lockstep.storage.person_credentials import PersonCredential
from lockstep.storage.sign_in_log import FAILURE, SUCCESS, SignInRecord

REFUSED = "SignInRefused"  # the code of the refusal without a reason
_MOST_DEVICE, _MOST_DETAIL, _MOST_DETAIL_OF_APPLICATION = 200, 500, 1_000  # characters
# Anyone can send any number of bad requests, so only some refusals are recorded: this many per application, network and period.
MOST_RECORDS, COUNTED_FOR = 10, timedelta(minutes=10)


class SignInCode(StrEnum):
    """The reason for refusing a sign-in. The values are stored in the sign-in log, as are those of `openid.faults.RefusalReason`."""

    UNKNOWN_PERSON = "UnknownPerson"
    NO_PASSWORD = "NoPassword"  # noqa: S105  # a code
    WRONG_PASSWORD = "WrongPassword"  # noqa: S105  # a code
    WRONG_CODE = "WrongCode"
    WRONG_PASSKEY = "WrongPasskey"
    DISABLED = "AccountDisabled"
    TOO_MANY_FAILURES = "TooManyFailures"
    METHOD_OFF = "MethodNotAllowed"
    CODE_NEEDED = "SecondFactorNeeded"
    DIRECTORY_REFUSED = "DirectoryRefused"
    DIRECTORY_UNREACHABLE = "DirectoryUnreachable"
    PROVIDER_REFUSED = "ProviderRefused"
    OTHER_IDENTITY = "OtherIdentity"
    # Of sign-ins to applications
    APPLICATION_DISABLED = "ApplicationDisabled"
    NOT_ASSIGNED = "NotAssigned"
    UNKNOWN_REPLY_URL = "UnknownReplyUrl"
    WRONG_ISSUER = "WrongIssuer"
    WRONG_DESTINATION = "WrongDestination"
    NOT_SIGNED = "NotSigned"
    SIGNATURE_WRONG = "SignatureWrong"
    REQUEST_EXPIRED = "RequestExpired"
    REQUEST_REFUSED = "RequestRefused"
    NO_PASSIVE = "NoPassive"
    NO_AUTHN_CONTEXT = "NoAuthnContext"
    WRONG_NAME_ID_FORMAT = "WrongNameIdFormat"
    CLAIMS_UNUSABLE = "ClaimsUnusable"
    NO_CERTIFICATE = "NoSigningCertificate"
    MORE_REFUSED = "MoreRefused"


_MEANINGS: Mapping[str, str] = {
    SignInCode.UNKNOWN_PERSON: "No person in the directory has the entered name",
    SignInCode.NO_PASSWORD: "The person has no password yet",
    SignInCode.WRONG_PASSWORD: "The password is wrong",
    SignInCode.WRONG_CODE: "The second factor's code is wrong or was already used",
    SignInCode.WRONG_PASSKEY: "The passkey's response is wrong, too old or was already used",
    SignInCode.DISABLED: "The person is disabled or deleted in the directory",
    SignInCode.TOO_MANY_FAILURES: "Too many attempts failed, and the waiting time has not passed",
    SignInCode.METHOD_OFF: "This way of signing in is switched off",
    SignInCode.CODE_NEEDED: "The second factor was not used",
    SignInCode.DIRECTORY_REFUSED: "The LDAP directory refuses the account",
    SignInCode.DIRECTORY_UNREACHABLE: "The LDAP directory could not be reached",
    SignInCode.PROVIDER_REFUSED: "The provider's account does not belong to a person in the directory",
    SignInCode.OTHER_IDENTITY: "The person previously signed in with a different identity at the provider",
    SignInCode.APPLICATION_DISABLED: "The application is not enabled for users to sign in",
    SignInCode.NOT_ASSIGNED: "The application is not assigned to the person",
    SignInCode.UNKNOWN_REPLY_URL: "The application asked Lockstep to send the response to a reply URL that is not registered",
    SignInCode.WRONG_ISSUER: "The request names a different application than the registered one",
    SignInCode.WRONG_DESTINATION: "The request is meant for another identity provider",
    SignInCode.NOT_SIGNED: "The request is not signed",
    SignInCode.SIGNATURE_WRONG: "The request is not signed with a registered certificate",
    SignInCode.REQUEST_EXPIRED: "The request is too old, or a clock is wrong",
    SignInCode.REQUEST_REFUSED: "The request cannot be read as SAML",
    SignInCode.NO_PASSIVE: "The application asked for a response without showing a page, and no one was signed in",
    SignInCode.NO_AUTHN_CONTEXT: "The application requires a stronger sign-in than the person used",
    SignInCode.WRONG_NAME_ID_FORMAT: "The application asks for a different Name ID format than the configured one",
    SignInCode.CLAIMS_UNUSABLE: "Lockstep cannot issue an assertion for the person",
    SignInCode.NO_CERTIFICATE: "The application has no active signing certificate",
    SignInCode.MORE_REFUSED: "Further refused attempts from this network are counted here, not listed one by one",
    **MEANINGS,
}
CODES = tuple(_MEANINGS)  # every code of the log


@dataclass(frozen=True, slots=True)
class Visitor:
    """The known facts about the browser: its User-Agent, the network address of the client, and the number of the request."""

    device: str = ""
    address: str = ""
    number: str = ""


def meaning_of(code: str) -> str:
    """Return the sentence for *code*; "" if *code* is not a code of the sign-in log."""
    return _MEANINGS.get(code, "")


async def note_sign_in(
    context: Context,
    visitor: Visitor,
    *,
    person: PersonCredential | None = None,
    code: SignInCode | None = None,
    result: str = "",
    detail: str = "",
    methods: Sequence[str] = (),
) -> None:
    """Write one record of a sign-in to Lockstep itself. A record without a *code* says that the sign-in succeeded."""
    record = SignInRecord(
        context.now(),
        result or (FAILURE if code else SUCCESS),
        code or "",
        detail[:_MOST_DETAIL],
        person=person.person if person else None,
        person_display=person.user_principal_name if person else "",
        address=visitor.address,
        device=visitor.device[:_MOST_DEVICE],
        methods=methods,
    )
    await write_sign_in(context, record)


async def note_application_sign_in(
    context: Context,
    visitor: Visitor,
    *,
    protocol: str,
    app: str | None,
    app_display: str = "",
    person: str | None = None,
    person_display: str = "",
    code: SignInCode | RefusalReason | None = None,
    detail: str = "",
    methods: Sequence[str] = (),
    id: str | None = None,
) -> None:
    """Write one record of a sign-in to an application. A record without a *code* says that the sign-in succeeded. For a refusal, the
    record has the number of the request. *id* is the id of the record, or None for a new one.
    """
    number = f"Request {visitor.number}. " if code and visitor.number else ""
    record = SignInRecord(
        context.now(),
        FAILURE if code else SUCCESS,
        code or "",
        (number + detail)[:_MOST_DETAIL_OF_APPLICATION],
        person=person,
        person_display=person_display,
        app=app,
        app_display=app_display,
        address=visitor.address,
        device=visitor.device[:_MOST_DEVICE],
        methods=methods,
        protocol=protocol,
        id=id,
    )
    await write_sign_in(context, record)


async def write_sign_in(context: Context, record: SignInRecord) -> None:
    """Write *record* to the sign-in log.

    There can be very many refusals that concern no particular person. After MOST_RECORDS such refusals for the same application and
    network, a single record counts all further ones.
    """
    if record.result != FAILURE or record.person is not None:
        async with context.recording() as connection:
            await sign_in_log.append(connection, record)
        return
    refused_to = hash_of(f"{record.app or ''} {network_of(record.address)}")
    async with context.recording() as connection:
        known = await sign_in_log.records_of_refusals(connection, refused_to, since=record.at - COUNTED_FOR)
        if known < MOST_RECORDS:
            await sign_in_log.append(connection, record, refused_to=refused_to)
        elif known == MOST_RECORDS:
            counted = replace(record, code=SignInCode.MORE_REFUSED, detail="", device="", more=1)
            await sign_in_log.append(connection, counted, refused_to=refused_to)
        else:
            await sign_in_log.count_refusal(connection, refused_to)


def refused() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "The user name, the password or the code is wrong",
        next_step="Try again. If you forgot the password, ask your administrator for a link to set a new one",
        code=REFUSED,
    )
