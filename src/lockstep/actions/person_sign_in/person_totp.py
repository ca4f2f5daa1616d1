"""An authenticator app as the second factor of a person (TOTP, RFC 6238): add it, confirm it, and check its codes. Each code is accepted
once. An administrator can remove all second factors of a person.
"""

from __future__ import annotations

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.attempts import confirm_password, proved_caller
from lockstep.actions.person_sign_in.guarding import refuse_for_administrators
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import CODE, PersonSignedIn
from lockstep.actions.second_factor import ISSUER, NewSecondFactor
from lockstep.credentials import lockout
from lockstep.credentials.issued_secrets import hash_of, renewed_secret
from lockstep.credentials.one_time_codes import address_of_seed, matching_step, new_seed
from lockstep.errors import LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, person_sessions
from lockstep.storage import person_credentials as store
from lockstep.storage.passkeys import PasskeyOwner, delete_passkeys
from lockstep.vault import Secret

_PURPOSE = "second factor of a person"  # of the sealed seed


async def is_code_of_person(context: Context, connection: Connection, person: str, code: str) -> bool:
    """Whether *code* is a valid code of the person's app and newer than the last code that was used. An accepted code counts as used from
    now on.
    """
    sealed = await store.sealed_seed(connection, person)
    if sealed is None:
        return False
    try:
        seed = context.vault.open(sealed, purpose=_PURPOSE, name=person).reveal()
    except LockstepError:
        return False  # encrypted with a different key: an administrator must remove the second factor
    step = matching_step(seed, "".join(code.split()), context.now())
    return step is not None and await store.use_step(connection, person, step)


@open_to_all
async def begin_factor(context: Context, secret: str, password: str, *, visitor: Visitor) -> NewSecondFactor:
    """Check the password again, and create a TOTP seed for the person with this session. The second factor takes effect when the person has
    entered a first code.

    Raises LockstepError if the password is wrong, if the person signs in through a provider, or if they have an authenticator app already.
    """
    caller = await proved_caller(context, secret)
    await confirm_password(context, caller, password, visitor)
    seed = new_seed()
    async with context.recording() as connection:
        sealed = context.vault.seal(Secret(seed), purpose=_PURPOSE, name=caller.person)
        if not await store.add_seed(connection, caller.person, sealed):
            raise conflict(
                "You already have an authenticator app", next_step="To replace it, ask your administrator to remove it"
            )
    return NewSecondFactor(seed, address_of_seed(seed, name=caller.user_principal_name, issuer=ISSUER))


@open_to_all
async def confirm_factor(context: Context, secret: str, code: str) -> PersonSignedIn:
    """Enable the authenticator app after the person has entered a first code. The session gets a new secret, and the person's other
    sessions end.

    Raises LockstepError for a wrong code, or if the person signs in through a provider.
    """
    caller = await proved_caller(context, secret)
    subject = f"code {caller.person}"
    await lockout.admit(context.recording, subject, address="", now=context.now())
    new = renewed_secret(caller.csrf_secret)
    async with context.recording() as connection:
        is_right = not caller.has_app and await is_code_of_person(context, connection, caller.person, code)
        if is_right:
            await lockout.succeeded(connection, subject, address="")
            await store.confirm_seed(connection, caller.person)
            await person_sessions.end_sessions(connection, caller.person, except_for=caller.session)
            await person_sessions.add_method(connection, caller.session, CODE, hash_of(new))
            await audit_log.append(
                connection,
                actor=caller.user_principal_name,
                activity="Add second factor",
                target=caller.user_principal_name,
            )
    if not is_right:
        raise invalid("The code is wrong", next_step="Enter the code that the app currently shows")
    return PersonSignedIn(new, caller.expires_at)


@needs(Permission.PEOPLE_SIGN_IN)
async def remove_person_factor(context: Context, person: str) -> None:
    """Remove the authenticator app and the passkeys of a person who lost the device. All sessions of the person end.

    Raises LockstepError if the person has no second factor, or if the person is an administrator and the caller may not change
    administrators.
    """
    async with context.recording() as connection:
        found = await find_person(connection, person)
        await refuse_for_administrators(context, connection, found)
        removed = await delete_passkeys(connection, PasskeyOwner("person", found.id))
        if await store.sealed_seed(connection, found.id) is None and not removed:
            raise conflict(f"{found.user_principal_name} has no second factor")
        await store.remove_seed(connection, found.id)
        await person_sessions.end_sessions(connection, found.id)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove second factor", target=found.user_principal_name
        )
