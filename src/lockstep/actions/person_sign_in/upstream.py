"""Sign-in of people through the OpenID Connect provider that administrators use.

At the first sign-in a person is found by the user principal name or the mail address that the provider has verified. Later sign-ins find
the person by the provider's own identifier (subject), so that somebody who later gets the person's address gets no access.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockstep.actions import federated_sign_in as federated
from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.federated_identity import identity_in
from lockstep.actions.federated_sign_in import Departure
from lockstep.actions.identity_providers import read_client
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor, note_sign_in
from lockstep.actions.person_sign_in.sessions import PROVIDER, REENTERED, PersonSignedIn, begin_session
from lockstep.actions.person_sign_in.setting import ways_to_sign_in
from lockstep.credentials import lockout
from lockstep.errors import Kind, LockstepError
from lockstep.oidc.id_token import LEEWAY_SECONDS, authenticated_at
from lockstep.postgres.pool import Connection
from lockstep.storage import person_credentials as store
from lockstep.storage.identity_providers import ProviderRow
from lockstep.storage.person_credentials import PersonCredential


@dataclass(frozen=True, slots=True)
class PersonArrival:
    """The session that began, and the address of the page to show next."""

    signed_in: PersonSignedIn
    next_page: str


@open_to_all
async def leave_for_provider(context: Context, *, redirect_uri: str, next_page: str, again: bool = False) -> Departure:
    """Begin a sign-in through the provider and return the provider's address. With *again*, the provider asks for the credentials even if
    the person is already signed in at the provider.

    Raises LockstepError if people may not sign in through the provider, or if the provider cannot be reached.
    """
    if not (await ways_to_sign_in(context)).provider:
        raise LockstepError(
            Kind.FORBIDDEN,
            "Sign-in through an identity provider is switched off",
            next_step="Sign in with your password",
        )
    return await federated.begin(context, redirect_uri=redirect_uri, next_page=next_page, again=again)


@open_to_all
async def come_back(
    context: Context,
    cookie: str,
    answer: Mapping[str, str],
    *,
    redirect_uri: str,
    visitor: Visitor,
    replaces: str = "",
) -> PersonArrival:
    """Finish a sign-in. *answer* has the parameters that the provider added to the address, and *cookie* is the cookie that the browser
    kept. *replaces* is the secret of the browser's previous session, which ends.

    Raises LockstepError after too many failures, if the answer does not belong to the cookie, or if the answer was used before. For all
    other refusals, the error has the same message, and only the sign-in log has the reason.
    """
    await lockout.admit(context.recording, "", address=visitor.address, now=context.now())
    begun = await federated.begun_with(context, cookie, answer)
    if begun.redirect_uri != redirect_uri or not (await ways_to_sign_in(context)).provider:
        raise federated.not_begun_here()
    try:
        client, row = await read_client(context)
        own, more = await federated.claims_of_answer(context, client, row, begun, answer)
        proved_at = authenticated_at(own)
        if begun.again and (proved_at is None or proved_at < begun.begun_at - timedelta(seconds=LEEWAY_SECONDS)):
            raise LockstepError(Kind.FORBIDDEN, "The provider did not ask for the credentials again")
        identity = identity_in(own | more, issuer=row.issuer, provider=row.name, trusts_email=row.trusts_email)
    except LockstepError as refused:
        if refused.kind is Kind.INTERNAL:
            raise
        await note_sign_in(
            context, visitor, code=SignInCode.PROVIDER_REFUSED, detail=f"{refused.detail}. {refused.why}"
        )
        raise _did_not_work() from None
    methods = [PROVIDER, REENTERED] if begun.again else [PROVIDER]
    async with context.recording() as connection:
        found = await _found(connection, row, identity.subject, identity.email, own | more)
    if wrong := _what_is_wrong(found, row, identity.subject):
        await note_sign_in(
            context, visitor, person=found, code=wrong, detail=f"{row.name} reported the address {identity.email}"
        )
        raise _did_not_work()
    assert found is not None  # noqa: S101  # otherwise something is wrong
    async with context.recording() as connection:
        await lockout.succeeded(connection, "", address=visitor.address)
        await store.save_identity(connection, found.person, row.issuer, identity.subject)
        signed_in = await begin_session(context, connection, found.person, methods, visitor, replaces=replaces)
    await note_sign_in(context, visitor, person=found, methods=methods)
    return PersonArrival(signed_in, begun.next_page)


async def _found(
    connection: Connection, row: ProviderRow, subject: str, email: str, claims: Mapping[str, Any]
) -> PersonCredential | None:
    known = await store.credential_at(connection, row.issuer, subject)
    if known is not None:
        return known
    named = claims.get("preferred_username")
    names = [email, *([named] if row.trusts_email and isinstance(named, str) else [])]
    for name in names:
        if "\0" not in name and (found := await store.credential_named(connection, name)) is not None:
            return found
    return await store.credential_with_mail(connection, email)


def _what_is_wrong(found: PersonCredential | None, row: ProviderRow, subject: str) -> SignInCode | None:
    if found is None:
        return SignInCode.UNKNOWN_PERSON
    if found.issuer == row.issuer and found.subject != subject:
        return SignInCode.OTHER_IDENTITY
    return None if found.is_live else SignInCode.DISABLED


def _did_not_work() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "Sign-in failed",
        next_step="Ask your administrator; the sign-in log contains the reason",
        code="SignInFailed",
    )
