"""An administrator's own sessions: list them and end them."""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.callers import Caller
from lockstep.actions.context import Context
from lockstep.actions.sign_in import caller_of_session, session_ended
from lockstep.errors import not_found
from lockstep.storage import administrator_sessions as store
from lockstep.storage import audit_log
from lockstep.storage.administrator_sessions import SessionRow as SessionRow


async def caller_or_refusal(context: Context, secret: str) -> Caller:
    """Return the administrator whose session has this secret. Raises LockstepError if the session has ended."""
    caller = await caller_of_session(context, secret)
    if caller is None:
        raise session_ended()
    return caller


@open_to_all
async def list_sessions(context: Context, secret: str) -> list[SessionRow]:
    """Return all sessions of the administrator whose session has this secret, the most recently used first. Raises LockstepError if that
    session has ended.
    """
    caller = await caller_or_refusal(context, secret)
    async with context.recording() as connection:
        return await store.list_sessions(connection, caller.actor.administrator)


@open_to_all
async def end_session(context: Context, secret: str, session: str) -> None:
    """End the caller's own session with the id *session*. Raises LockstepError if it does not exist or belongs to somebody else."""
    caller = await caller_or_refusal(context, secret)
    async with context.recording() as connection:
        own = {one.id for one in await store.list_sessions(connection, caller.actor.administrator)}
        if session not in own:
            raise not_found("This session does not exist or has ended")
        await store.end_session(connection, session)
        await audit_log.append(connection, actor=caller.email, activity="End sessions", target=caller.email)
