"""Let an administrator change their own password."""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lockout import admit, failed, succeeded
from lockstep.actions.sessions import caller_or_refusal
from lockstep.actions.sign_in import SignedIn
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.credentials.passwords import OF_ADMINISTRATORS, check_password
from lockstep.errors import Kind, LockstepError
from lockstep.storage import administrator_sessions as sessions
from lockstep.storage import administrators, audit_log


@open_to_all
async def change_password(context: Context, secret: str, password: str, new_password: str) -> SignedIn:
    """Replace the caller's own password. The current session gets a new secret, which replaces the old one in the cookie; all other
    sessions of the caller end. Raises LockstepError if the session has ended, the present password is wrong, or the new password does not
    meet the rules.
    """
    caller = await caller_or_refusal(context, secret)
    check_password(new_password, caller.email)
    OF_ADMINISTRATORS.refuse_if_busy()
    await admit(context, caller.email)
    own = caller.actor.administrator
    async with context.recording() as connection:
        digest = await administrators.password_hash(connection, own)
    if not await OF_ADMINISTRATORS.matches(password, digest):
        await failed(context, caller.email, who=caller.email)
        raise LockstepError(Kind.UNAUTHORIZED, "The current password is wrong", next_step="Enter it again")
    new_digest, new = await OF_ADMINISTRATORS.hash_password(new_password), new_secret()
    async with context.recording() as connection:
        await succeeded(connection, caller.email)
        await administrators.save_password_hash(connection, own, new_digest)
        await sessions.end_sessions(connection, own, except_for=caller.session)
        await sessions.step_up(connection, caller.session, hash_of(new), context.now())
        await audit_log.append(connection, actor=caller.email, activity="Change password", target=caller.email)
    return SignedIn(new, caller.expires_at)
