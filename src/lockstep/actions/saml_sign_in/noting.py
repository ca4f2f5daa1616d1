"""Record how an attempt to sign in to an application ended. The sign-in log gets all details; the person gets only a number to quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor, note_application_sign_in
from lockstep.actions.person_sign_in.sessions import PersonCaller
from lockstep.actions.single_sign_on.issuing import ApplicationSso, facts_of
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.errors import Kind, LockstepError, not_found
from lockstep.saml.faults import FaultCode, SamlFault

_CODES: Mapping[str, SignInCode] = {
    FaultCode.WRONG_ISSUER: SignInCode.WRONG_ISSUER,
    FaultCode.NOT_SIGNED: SignInCode.NOT_SIGNED,
    FaultCode.SIGNATURE_WRONG: SignInCode.SIGNATURE_WRONG,
    FaultCode.WRONG_DESTINATION: SignInCode.WRONG_DESTINATION,
    FaultCode.EXPIRED: SignInCode.REQUEST_EXPIRED,
}


async def saml_application(context: Context, app: str, *, origin: str, is_id: bool = False) -> ApplicationSso:
    """Return the SAML sign-on of the application called *app*; with *is_id*, *app* is the id of the application.

    Raises LockstepError if the application is unknown or does not use SAML. The error is the same in both cases.
    """
    try:
        facts = await facts_of(context, app, origin=origin)
    except LockstepError as missing:
        if missing.kind is not Kind.NOT_FOUND:
            raise
        raise _none() from None
    if facts.mode is not SignOnMode.SAML or app != (facts.app if is_id else facts.name):
        raise _none()
    return facts


async def note_saml(
    context: Context,
    visitor: Visitor,
    facts: ApplicationSso,
    *,
    caller: PersonCaller | None = None,
    code: SignInCode | None = None,
    detail: str = "",
    methods: Sequence[str] = (),
) -> None:
    """Write one record of a sign-in to the application. A record without a *code* says that the sign-in succeeded."""
    await note_application_sign_in(
        context,
        visitor,
        protocol="saml",
        app=facts.app,
        app_display=facts.display_name,
        person=caller.person if caller else None,
        person_display=caller.user_principal_name if caller else "",
        code=code,
        detail=detail,
        methods=methods,
    )


async def refuse(
    context: Context,
    visitor: Visitor,
    facts: ApplicationSso,
    wrong: LockstepError,
    *,
    caller: PersonCaller | None = None,
) -> LockstepError:
    """Write *wrong* to the sign-in log. Returns the error that the person sees, which does not tell the cause."""
    more = f"Expected {wrong.expected}; received {wrong.received}" if isinstance(wrong, SamlFault) else wrong.why
    await note_saml(context, visitor, facts, caller=caller, code=code_of(wrong), detail=f"{wrong.detail}. {more}")
    return did_not_work()


def code_of(wrong: LockstepError) -> SignInCode:
    if isinstance(wrong, SamlFault):
        return _CODES.get(wrong.code, SignInCode.REQUEST_REFUSED)
    known = {"UnknownReplyUrl": SignInCode.UNKNOWN_REPLY_URL, "NoSigningCertificate": SignInCode.NO_CERTIFICATE}
    return known.get(wrong.code, SignInCode.CLAIMS_UNUSABLE)


def did_not_work() -> LockstepError:
    return LockstepError(
        Kind.INVALID,
        "Sign-in failed",
        next_step="Give your administrator the request number; the sign-in log contains the reason",
        code="SignInFailed",
    )


def _none() -> LockstepError:
    return not_found("No application uses this sign-in address", next_step="Open the application from My Apps")
