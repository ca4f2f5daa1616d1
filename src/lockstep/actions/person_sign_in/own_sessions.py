"""Let a person see where they are signed in, and end sessions. The secret of the caller's session identifies the person."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.sessions import IDLE, PersonCaller, PersonSessionRow, person_or_refusal
from lockstep.errors import not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log
from lockstep.storage import person_sessions as store


@open_to_all
async def list_own_sessions(context: Context, secret: str) -> Sequence[PersonSessionRow]:
    """Return the sessions of the person whose session has this secret, the most recently used first."""
    caller = await person_or_refusal(context, secret)
    async with context.reading() as connection:
        rows = await store.list_sessions(connection, caller.person, context.now())
    return [row for row in rows if context.now() < row.seen_at + IDLE]


@open_to_all
async def end_own_session(context: Context, secret: str, session: str) -> None:
    """End another session of the person. Raises LockstepError if the person has no such session."""
    caller = await person_or_refusal(context, secret)
    async with context.recording() as connection:
        own = {row.id for row in await store.list_sessions(connection, caller.person, context.now())}
        if session not in own:
            raise not_found("This session does not exist or has ended", next_step="Reload the list of sessions")
        await store.end_session(connection, session)
        await _note(connection, caller, ended=1)


@open_to_all
async def end_other_sessions(context: Context, secret: str) -> int:
    """End all sessions of the person except the caller's, and the offline access of all applications. Returns how many sessions ended."""
    caller = await person_or_refusal(context, secret)
    async with context.recording() as connection:
        ended = await store.end_sessions(connection, caller.person, except_for=caller.session)
        if ended:
            await _note(connection, caller, ended=ended)
    return ended


async def _note(connection: Connection, caller: PersonCaller, *, ended: int) -> None:
    name = caller.user_principal_name
    await audit_log.append(
        connection, actor=name, activity="End own sign-in sessions", target=name, after={"sessions": ended}
    )
