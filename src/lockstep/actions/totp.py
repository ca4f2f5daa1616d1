"""Codes of an administrator's second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes. Each works once."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import PasskeyQuestion
from lockstep.credentials.issued_secrets import hash_of
from lockstep.credentials.one_time_codes import as_entered, matching_step
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import second_factors as store

PURPOSE = "second factor"  # of the encrypted seed


class SecondFactorRequired(LockstepError):
    """Raised if the password is right, but a second factor is needed as well. The caller of the action should ask for the code or the
    passkey, and sign in again with it.

    *question* is a challenge for a passkey, whose answer can replace the code; None if there is no passkey for this host. If *has_app* is
    false, only a passkey can be used. *hosts* contains the hosts for which the person has passkeys.
    """

    def __init__(
        self, question: PasskeyQuestion | None = None, *, has_app: bool = True, hosts: Sequence[str] = ()
    ) -> None:
        self.question, self.has_app = question, has_app
        detail, next_step = (
            "Enter the code from your authenticator app",
            "Without the device, enter one of your recovery codes",
        )
        if not has_app and question is not None:
            detail, next_step = "Use your passkey", "If you lost the device, ask your administrator"
        elif not has_app:
            detail = f"Your passkey works only at {' and '.join(hosts)}"
            next_step = "Sign in at that address, or ask your administrator to remove your second factor"
        super().__init__(Kind.UNAUTHORIZED, detail, next_step=next_step, code="SecondFactorRequired")


async def is_code(context: Context, connection: Connection, administrator: str, code: str) -> bool:
    """Whether *code* is an unused code of the authenticator app or an unused recovery code. If it is, the code counts as used from
    now on.
    """
    plain = as_entered(code)
    if await store.use_recovery_code(connection, administrator, hash_of(plain)):
        return True
    return await is_newest_code(context, connection, administrator, plain)


async def is_newest_code(context: Context, connection: Connection, administrator: str, code: str) -> bool:
    """Whether *code* is a code of the authenticator app and newer than the last code that was used. If so, the code counts as used from now
    on.
    """
    sealed = await store.sealed_seed(connection, administrator)
    if sealed is None:
        return False
    try:
        seed = context.vault.open(sealed, purpose=PURPOSE, name=administrator).reveal()
    except LockstepError:
        return False  # encrypted with a different key; recovery codes still work
    step = matching_step(seed, code.strip(), context.now())
    return step is not None and await store.use_step(connection, administrator, step)
