"""Read the sign-in log: who signed in, when, from where, how and to which application, and why other attempts were refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.storage import sign_in_log
from lockstep.storage.sign_in_log import SignInFilter as SignInFilter
from lockstep.storage.sign_in_log import SignInRow as SignInRow

_PAGE = 1_000


@needs(Permission.LOGS_READ, app="app", filters=True)
async def list_sign_ins(
    context: Context, wanted: SignInFilter | None = None, *, app: str = "", limit: int = 100
) -> list[SignInRow]:
    """Return the newest matching records, newest first. *app* is the name of an application. An application owner sees the records of the
    owned applications only.
    """
    query = wanted or SignInFilter()
    async with context.reading() as connection:
        if app:
            query = replace(query, app=(await find_application(connection, app)).id)
        if not context.actor.everywhere(Permission.LOGS_READ):
            query = replace(query, apps=sorted(context.actor.own_applications))
        return await sign_in_log.read_log(connection, query, limit=limit)


@needs(Permission.LOGS_READ, app="app", filters=True)
async def pages_of_sign_ins(
    context: Context, wanted: SignInFilter | None = None, *, app: str = "", size: int = _PAGE
) -> AsyncIterator[list[SignInRow]]:
    """Yield all matching records, newest first, in pages of at most *size* records."""
    query = wanted or SignInFilter()
    while page := await list_sign_ins(context, query, app=app, limit=min(size, _PAGE)):
        yield page
        query = replace(query, below_seq=page[-1].seq)
