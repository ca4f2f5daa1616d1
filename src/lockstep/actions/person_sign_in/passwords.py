"""Sign-in of people with a password. A person sets the password through a link that works once.

A refused sign-in never says whether the name, the password, the code or the person is the reason, and takes the same time in each case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.passkey_proofs import PasskeyAnswer, ask_passkey, hosts_of_passkeys, is_passkey
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.attempts import PasswordAttempt, subject_of
from lockstep.actions.person_sign_in.guarding import refuse_for_administrators
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor, note_sign_in, refused
from lockstep.actions.person_sign_in.person_totp import is_code_of_person
from lockstep.actions.person_sign_in.sessions import CODE, PASSKEY, PASSWORD, PersonSignedIn, begin_session
from lockstep.actions.single_sign_on.address import stored_address
from lockstep.actions.totp import SecondFactorRequired
from lockstep.credentials import lockout
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.credentials.passwords import OF_PEOPLE, check_password
from lockstep.errors import LINK_ENDED, Kind, LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, person_credentials, person_sessions
from lockstep.storage.passkeys import PasskeyOwner
from lockstep.storage.person_credentials import PersonCredential
from lockstep.storage.sign_in_log import INTERRUPTED

LONGEST_PASSWORD = 128
LINK_VALID = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A link with which a person sets a password once. The path contains a secret that is available only here.

    *address* is the public address of Lockstep, or "" if none is stored.
    """

    user_principal_name: str
    expires_at: datetime
    path: str = field(repr=False)
    address: str

    @property
    def url(self) -> str:
        """The full URL of the link, or "" if no public address is stored."""
        return self.address + self.path if self.address else ""


@open_to_all
async def sign_person_in(
    context: Context,
    name: str,
    password: str,
    code: str = "",
    *,
    passkey: PasskeyAnswer | None = None,
    visitor: Visitor,
    replaces: str = "",
) -> PersonSignedIn:
    """Begin a session. *replaces* is the secret of the browser's previous session, which ends.

    Raises SecondFactorRequired if the password is right and neither a code nor the answer of a *passkey* is given. Raises LockstepError if
    anything is wrong, without saying what. After too many failures for this name or network address, it also raises LockstepError until a
    delay is over.
    """
    attempt = PasswordAttempt(context, visitor)
    found, method = await attempt.check(name, password)
    methods = [method]
    if found.has_second_factor:
        methods.append(await _check_factor(attempt, found, code, passkey))
    async with context.recording() as connection:
        if method == PASSWORD and not await person_credentials.has_password(
            connection, found.person, found.password_hash
        ):
            raise refused()  # the password was changed during verification
        await attempt.succeeded(connection)
        signed_in = await begin_session(context, connection, found.person, methods, visitor, replaces=replaces)
    await note_sign_in(context, visitor, person=found, methods=methods)
    return signed_in


async def _check_factor(
    attempt: PasswordAttempt, found: PersonCredential, code: str, passkey: PasskeyAnswer | None
) -> str:
    """Check the second factor after the password was accepted. Returns the method that was used.

    Raises SecondFactorRequired if neither a code nor the answer of a *passkey* is given. Raises LockstepError if the code or the answer is
    wrong, or was used before.
    """
    context, visitor, owner = attempt.context, attempt.visitor, PasskeyOwner("person", found.person)
    if not code.strip() and not (passkey and passkey.answer):
        await attempt.forgiven()
        needed = SecondFactorRequired(
            await ask_passkey(context, owner, passkey),
            has_app=found.has_app,
            hosts=await hosts_of_passkeys(context, owner),
        )
        elsewhere = needed.detail if not found.has_app and needed.question is None else ""
        await note_sign_in(
            context, visitor, person=found, code=SignInCode.CODE_NEEDED, detail=elsewhere, result=INTERRUPTED
        )
        raise needed
    async with context.recording() as connection:
        if await is_passkey(context, connection, owner, passkey):
            return PASSKEY
        if code.strip() and await is_code_of_person(context, connection, found.person, code):
            return CODE
    wrong = SignInCode.WRONG_CODE if code.strip() else SignInCode.WRONG_PASSKEY
    await note_sign_in(context, visitor, person=found, code=wrong)
    raise refused()


@needs(Permission.PEOPLE_SIGN_IN)
async def new_sign_in_link(context: Context, person: str) -> SignInLink:
    """Create a link with which the person can set a password. Earlier links of the person stop working.

    Raises LockstepError if the person is unknown or disabled, if people may not sign in with passwords, or if the person is an
    administrator and the caller may not change administrators.
    """
    secret, expires_at = new_secret(), context.now() + LINK_VALID
    async with context.recording() as connection:
        found = await find_person(connection, person)
        await refuse_for_administrators(context, connection, found)
        if not found.account_enabled:
            raise invalid(
                f"{found.user_principal_name} is disabled and could not sign in", next_step="Enable the person first"
            )
        if not (await person_credentials.read_setting(connection)).has_password:
            raise conflict(
                "Sign-in with a Lockstep password is switched off",
                next_step="Switch it on: lockstep people sign-in set --password on",
            )
        await person_credentials.save_link(
            connection, found.id, hash_of(secret), created_by=context.actor.name, expires_at=expires_at
        )
        await audit_log.append(
            connection, actor=context.actor.name, activity="Create sign-in link", target=found.user_principal_name
        )
        address = await stored_address(connection)
    return SignInLink(found.user_principal_name, expires_at, f"/myapps/link/{secret}", address)


@open_to_all
async def owner_of_link(context: Context, secret: str) -> str:
    """Return the user principal name of the person for whom the link with this secret was created. Raises LockstepError if the link no
    longer works.
    """
    async with context.recording() as connection:
        return (await _owner_of_link(context, connection, secret)).user_principal_name


@open_to_all
async def accept_link(
    context: Context, secret: str, password: str, *, visitor: Visitor, replaces: str = ""
) -> PersonSignedIn | None:
    """Set the password of the person for whom the link was made. The link stops working and all sessions of the person end.

    Returns a new session. Returns None for a person with a second factor, who must then sign in with the password and the second factor.
    Raises LockstepError if the link no longer works. Also raises it if the password does not meet the rules; the link then still works.
    """
    name = await owner_of_link(context, secret)
    check_password(password, name, longest=LONGEST_PASSWORD)
    digest = await OF_PEOPLE.hash_password(password)
    async with context.recording() as connection:
        owner = await _owner_of_link(context, connection, secret)
        if not await person_credentials.use_link(connection, hash_of(secret)):
            raise _link_gone()
        await person_credentials.save_password(connection, owner.person, digest)
        await person_sessions.end_sessions(connection, owner.person)
        await lockout.succeeded(connection, subject_of(owner.user_principal_name), address="")
        await audit_log.append(
            connection,
            actor=owner.user_principal_name,
            activity="Set password through a link",
            target=owner.user_principal_name,
        )
        if owner.has_second_factor:
            return None
        signed_in = await begin_session(context, connection, owner.person, [PASSWORD], visitor, replaces=replaces)
    await note_sign_in(context, visitor, person=owner, methods=[PASSWORD])
    return signed_in


async def _owner_of_link(context: Context, connection: Connection, secret: str) -> PersonCredential:
    """Return the person for whom the link was made. Raises LockstepError if the link was used or has expired, if the person is disabled,
    or if people may no longer sign in with passwords.
    """
    owner = await person_credentials.link_owner(connection, hash_of(secret), context.now())
    setting = await person_credentials.read_setting(connection)
    if owner is None or not owner.is_live or not setting.has_password:
        raise _link_gone()
    return owner


def _link_gone() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "This link does not work",
        why="It was used, has expired or was replaced by a newer one, or sign-in with passwords is switched off",
        next_step="Ask your administrator for a new link",
        code=LINK_ENDED,
    )
