"""Passkeys of a person, as a second factor after the password. People add, rename and remove their own passkeys; administrators can see
them.

Adding or removing a passkey requires the password again. When a person adds their first second factor, their other sessions end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.passkey_proofs import PasskeyAnswer, PasskeyQuestion
from lockstep.actions.passkey_registration import checked_answer, name_of_passkey, question_for_new, store_new
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.attempts import confirm_password, proved_caller
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import (
    PASSKEY,
    PersonCaller,
    PersonSignedIn,
    person_or_refusal,
)
from lockstep.credentials.issued_secrets import hash_of, renewed_secret
from lockstep.errors import LockstepError, conflict, not_found
from lockstep.storage import audit_log, person_credentials, person_sessions
from lockstep.storage import passkeys as store
from lockstep.storage.passkeys import PasskeyOwner, PasskeyRow


@dataclass(frozen=True, slots=True)
class PersonPasskey:
    """A passkey as administrators see it."""

    id: str
    name: str
    host: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonFactors:
    """The second factors of a person."""

    user_principal_name: str
    has_app: bool
    passkeys: Sequence[PersonPasskey]


@open_to_all
async def list_own_passkeys(context: Context, secret: str) -> list[PasskeyRow]:
    """Return the passkeys of the person whose session has this secret, oldest first."""
    caller = await person_or_refusal(context, secret)
    async with context.reading() as connection:
        return await store.list_passkeys(connection, _owner(caller))


@open_to_all
async def begin_own_passkey(
    context: Context, secret: str, password: str, page: PasskeyAnswer, *, visitor: Visitor
) -> PasskeyQuestion:
    """Check the password again, and return the options with which the browser at *page* creates a passkey.

    Raises LockstepError if the password is wrong, or if the person signs in through a provider.
    """
    caller = await proved_caller(context, secret)
    await confirm_password(context, caller, password, visitor)
    return await question_for_new(
        context, _owner(caller), page, user_name=caller.user_principal_name, display_name=caller.display_name
    )


@open_to_all
async def add_own_passkey(context: Context, secret: str, given: PasskeyAnswer, *, name: str) -> PersonSignedIn:
    """Store the passkey that the browser created. The session gets a new secret. If the person had no second factor before, the person's
    other sessions end.

    Raises LockstepError if the passkey does not answer a challenge of `begin_own_passkey`.
    """
    caller = await proved_caller(context, secret)
    new, made = renewed_secret(caller.csrf_secret), await checked_answer(context, _owner(caller), given)
    async with context.recording() as connection:
        await store_new(context, connection, _owner(caller), made, name=name, actor=caller.user_principal_name)
        if not caller.has_second_factor:
            await person_sessions.end_sessions(connection, caller.person, except_for=caller.session)
        await person_sessions.add_method(connection, caller.session, PASSKEY, hash_of(new))
    return PersonSignedIn(new, caller.expires_at)


@open_to_all
async def rename_own_passkey(context: Context, secret: str, passkey: str, name: str) -> None:
    """Rename one of the person's passkeys. Raises LockstepError if it does not exist."""
    caller = await proved_caller(context, secret)
    async with context.recording() as connection:
        if not await store.rename_passkey(connection, _owner(caller), passkey, name_of_passkey(name)):
            raise _gone()


@open_to_all
async def remove_own_passkey(context: Context, secret: str, passkey: str, password: str, *, visitor: Visitor) -> None:
    """Check the password again, and remove one of the person's passkeys.

    Raises LockstepError if the passkey does not exist, if the password is wrong, or if the passkey is the only second factor and a second
    factor is required.
    """
    caller = await proved_caller(context, secret)
    await confirm_password(context, caller, password, visitor)
    async with context.recording() as connection:
        setting = await person_credentials.read_setting(connection)
        known = await store.list_passkeys(connection, _owner(caller))
        if passkey not in {one.id for one in known}:
            raise _gone()
        if setting.needs_second_factor and not caller.has_app and len(known) == 1:
            raise conflict(
                "This is your only second factor, and your organisation requires one",
                next_step="First add another passkey or an authenticator app",
            )
        await store.delete_passkey(connection, _owner(caller), passkey)
        name = caller.user_principal_name
        await audit_log.append(connection, actor=name, activity="Remove passkey", target=name)


@needs(Permission.DIRECTORY_READ)
async def show_person_factors(context: Context, person: str) -> PersonFactors:
    """Return the second factors of a person. Raises LockstepError for an unknown person."""
    async with context.reading() as connection:
        found = await find_person(connection, person)
        credential = await person_credentials.credential_of(connection, found.id)
        rows = await store.list_passkeys(connection, PasskeyOwner("person", found.id))
    shown = [PersonPasskey(row.id, row.name, row.host, row.created_at, row.last_used_at) for row in rows]
    return PersonFactors(found.user_principal_name, credential is not None and credential.has_app, shown)


def _owner(caller: PersonCaller) -> PasskeyOwner:
    return PasskeyOwner("person", caller.person)


def _gone() -> LockstepError:
    return not_found("This passkey does not exist", next_step="Reload the list of passkeys")
