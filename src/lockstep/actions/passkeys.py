"""Let an administrator manage their own passkeys. A passkey can be used in place of a code; the authenticator app and the recovery codes
stay valid.
"""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import PasskeyAnswer, PasskeyQuestion
from lockstep.actions.passkey_registration import checked_answer, question_for_new, store_new
from lockstep.actions.second_factor import recent_caller
from lockstep.actions.sessions import caller_or_refusal
from lockstep.errors import conflict, not_found
from lockstep.storage import administrators, audit_log
from lockstep.storage import passkeys as store
from lockstep.storage.passkeys import PasskeyOwner
from lockstep.storage.passkeys import PasskeyRow as PasskeyRow


@open_to_all
async def list_passkeys(context: Context, secret: str) -> list[PasskeyRow]:
    """Return the passkeys of the administrator with the session *secret*."""
    caller = await caller_or_refusal(context, secret)
    async with context.recording() as connection:
        return await store.list_passkeys(connection, _owner(caller.actor.administrator))


@open_to_all
async def begin_passkey(context: Context, secret: str, page: PasskeyAnswer) -> PasskeyQuestion:
    """Return the options with which the browser at *page* creates a passkey. Raises LockstepError if the administrator has no authenticator
    app. Raises StepUpRequired if the password must be entered again first.
    """
    caller = await recent_caller(context, secret)
    async with context.recording() as connection:
        found = await administrators.read_administrator(connection, caller.actor.administrator)
    if found is None or not found.has_second_factor:
        raise conflict(
            "A passkey can be added only to an account with an authenticator app",
            why="The app's recovery codes let you sign in if you lose the device with the passkey",
            next_step="Set up an authenticator app, then add a passkey",
        )
    owner = _owner(caller.actor.administrator)
    return await question_for_new(context, owner, page, user_name=caller.email, display_name=caller.display_name)


@open_to_all
async def add_passkey(context: Context, secret: str, given: PasskeyAnswer, *, name: str) -> None:
    """Store the passkey that the browser created. Raises LockstepError if the passkey does not answer the challenge that `begin_passkey`
    returned. Raises StepUpRequired if the password must be entered again first.
    """
    caller = await recent_caller(context, secret)
    owner = _owner(caller.actor.administrator)
    new = await checked_answer(context, owner, given)
    async with context.recording() as connection:
        await store_new(context, connection, owner, new, name=name, actor=caller.email)


@open_to_all
async def remove_passkey(context: Context, secret: str, passkey: str) -> None:
    """Remove the caller's own passkey with the id *passkey*. Raises LockstepError if the passkey does not exist. Raises StepUpRequired if
    the password must be entered again first.
    """
    caller = await recent_caller(context, secret)
    async with context.recording() as connection:
        if not await store.delete_passkey(connection, _owner(caller.actor.administrator), passkey):
            raise not_found("This passkey does not exist")
        await audit_log.append(connection, actor=caller.email, activity="Remove passkey", target=caller.email)


def _owner(administrator: str) -> PasskeyOwner:
    return PasskeyOwner("administrator", administrator)
