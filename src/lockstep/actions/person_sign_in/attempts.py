"""Check a person's password: for a sign-in, or to confirm a sensitive change of the person's own account.

A refusal never says whether the name, the password or the person is the reason, and takes the same time in each case.
"""

from __future__ import annotations

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.ldap_passwords import (
    NO_ENTRY,
    LdapVerdict,
    name_in_ldap,
    verify_in_ldap,
    without_domain,
)
from lockstep.actions.person_sign_in.outcomes import REFUSED, SignInCode, Visitor, note_sign_in, refused
from lockstep.actions.person_sign_in.sessions import (
    BY_PASSWORD,
    DIRECTORY,
    PASSWORD,
    SECOND_FACTORS,
    PersonCaller,
    person_or_refusal,
)
from lockstep.credentials import lockout
from lockstep.credentials.passwords import OF_PEOPLE
from lockstep.errors import Kind, LockstepError, conflict
from lockstep.postgres.pool import Connection
from lockstep.storage import person_credentials
from lockstep.storage.person_credentials import PersonCredential

LONGEST_NAME = 1_000


def subject_of(name: str) -> str:
    """Return the key under which failed sign-ins with this name are counted. An administrator with the same address has a different key, so
    that failures of the two are counted separately.
    """
    return f"person {name.lower()}"


class PasswordAttempt:
    """One attempt to sign in, which is counted for the typed name.

    If the typed name is a login name in the LDAP directory, the attempt is also counted for the person's user principal name. Without this
    second count, each of the person's names would have its own limit on failures.
    """

    def __init__(self, context: Context, visitor: Visitor) -> None:
        self.context, self.visitor = context, visitor
        self._counted: list[tuple[str, str]] = []  # subject and address

    async def check(self, name: str, password: str) -> tuple[PersonCredential, str]:
        """Return the person with this *name* and *password*, and the kind of the password: `PASSWORD` or `DIRECTORY`.

        Raises LockstepError for a wrong name or password, without saying which. After too many failures, every attempt raises LockstepError
        until a delay is over. Also raises it if the LDAP directory cannot be queried.
        """
        name = name.strip()[:LONGEST_NAME]
        OF_PEOPLE.refuse_if_busy()
        await self.admit(without_domain(name), address=self.visitor.address)
        async with self.context.recording() as connection:
            setting = await person_credentials.read_setting(connection)
            found = await person_credentials.credential_named(connection, name)
        if setting.has_ldap and password:
            found = await self.named_in_directory(name, found)
        is_right = await OF_PEOPLE.matches(password, found.password_hash if found else None)
        verdict = await self.verified(found, password) if setting.has_ldap else NO_ENTRY
        if wrong := _what_is_wrong(found, verdict, is_right=is_right, is_allowed=setting.has_password):
            await note_sign_in(self.context, self.visitor, person=found, code=wrong, detail=verdict.detail)
            raise refused()
        assert found is not None  # noqa: S101  # otherwise something is wrong
        return found, DIRECTORY if verdict.has_entry else PASSWORD

    async def admit(self, name: str, *, address: str) -> None:
        """Count the attempt as failed before it is checked. `succeeded` and `forgiven` remove it from the count. Raises LockstepError while
        a delay lasts.
        """
        subject = subject_of(name)
        try:
            await lockout.admit(self.context.recording, subject, address=address, now=self.context.now())
        except LockstepError:
            await note_sign_in(self.context, self.visitor, code=SignInCode.TOO_MANY_FAILURES)
            raise
        self._counted.append((subject, address))

    async def forgiven(self) -> None:
        for subject, address in self._counted:
            await lockout.forgiven(self.context.recording, subject, address=address)

    async def succeeded(self, connection: Connection) -> None:
        for subject, address in self._counted:
            await lockout.succeeded(connection, subject, address=address)

    async def named_in_directory(self, name: str, found: PersonCredential | None) -> PersonCredential | None:
        """Return *found* or, if it is None, the person whose login name in the LDAP directory is *name*. The directory is queried in both
        cases, so that both take the same time.
        """
        try:
            known = await name_in_ldap(self.context, name)
        except LockstepError as unreachable:
            raise await self._unreachable(unreachable) from None
        if found is not None or not known:
            return found
        async with self.context.recording() as connection:
            meant = await person_credentials.credential_named(connection, known)
        if meant is not None and subject_of(meant.user_principal_name) not in dict(self._counted):
            await self.admit(meant.user_principal_name, address="")
        return meant

    async def verified(self, found: PersonCredential | None, password: str) -> LdapVerdict:
        """Return the response of the LDAP directory. If the directory cannot be queried, raises a LockstepError that does not tell the
        cause; the attempt then does not count as failed.
        """
        try:
            return await verify_in_ldap(self.context, found, password)
        except LockstepError as unreachable:
            raise await self._unreachable(unreachable) from None

    async def _unreachable(self, wrong: LockstepError) -> LockstepError:
        await self.forgiven()
        await note_sign_in(self.context, self.visitor, code=SignInCode.DIRECTORY_UNREACHABLE, detail=wrong.why)
        return LockstepError(
            Kind.UNREACHABLE,
            "Sign-in is temporarily unavailable",
            next_step="Try again in a few minutes, or ask your administrator",
            code="SignInFailed",
        )


def _what_is_wrong(
    found: PersonCredential | None, verdict: LdapVerdict, *, is_right: bool, is_allowed: bool
) -> SignInCode | None:
    """Return why the sign-in is refused, or None if it is accepted. If the person has an entry in the LDAP directory, only the password of
    the entry is accepted, because a local password may be outdated.
    """
    if found is None:
        return SignInCode.UNKNOWN_PERSON
    if verdict.has_entry:
        if not verdict.is_right:
            return verdict.code
        return None if found.is_live else SignInCode.DISABLED
    if found.password_hash is None:
        return SignInCode.NO_PASSWORD
    if not is_right:
        return SignInCode.WRONG_PASSWORD
    if not found.is_live:
        return SignInCode.DISABLED
    return None if is_allowed else SignInCode.METHOD_OFF


async def proved_caller(context: Context, secret: str) -> PersonCaller:
    """Return the person whose session has this secret. Raises LockstepError if the person may not change second factors in this session:
    because the session began at a provider, or because it began without the second factor although the person has one.
    """
    caller = await person_or_refusal(context, secret)
    if BY_PASSWORD.isdisjoint(caller.methods):
        raise conflict(
            "You signed in through your organisation's identity provider",
            next_step="Set up a second factor at the provider",
        )
    if caller.has_second_factor and SECOND_FACTORS.isdisjoint(caller.methods):
        raise conflict("You signed in without your second factor", next_step="Sign out, then sign in again")
    return caller


async def confirm_password(context: Context, caller: PersonCaller, password: str, visitor: Visitor) -> None:
    """Check the password of a signed-in person again. A wrong password counts as a failed sign-in and raises LockstepError."""
    attempt = PasswordAttempt(context, visitor)
    try:
        found, _ = await attempt.check(caller.user_principal_name, password)
    except LockstepError as wrong:
        if wrong.code != REFUSED:
            raise
        raise _wrong_password() from None
    if found.person != caller.person:
        raise _wrong_password()
    async with context.recording() as connection:
        await attempt.succeeded(connection)


def _wrong_password() -> LockstepError:
    return LockstepError(Kind.UNAUTHORIZED, "The password is wrong", next_step="Enter your password again")
