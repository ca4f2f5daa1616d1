"""The applications to which a person's session has signed in. For each application, the name under which it knows the person is stored too.

Single logout needs this to tell each application who has signed out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SessionApplication:
    """One application to which a session has signed in. *app* is its id."""

    session: str
    app: str
    name_id: str
    name_id_format: str
    session_index: str


_SELECT = "select session::text, app::text, name_id, name_id_format, session_index from person_session_application "


async def note_application(connection: Connection, row: SessionApplication, at: datetime) -> None:
    """Record that the session signed in to the application, replacing an earlier record. Does nothing if the session has ended."""
    await connection.execute(
        """insert into person_session_application (session, app, name_id, name_id_format, session_index, at)
        select id, %(app)s, %(name_id)s, %(format)s, %(index)s, %(at)s from person_session where id = %(session)s for key share
        on conflict (session, app) do update set name_id = excluded.name_id, name_id_format = excluded.name_id_format,
            session_index = excluded.session_index, at = excluded.at""",
        {
            "session": row.session,
            "app": row.app,
            "name_id": row.name_id,
            "format": row.name_id_format,
            "index": row.session_index,
            "at": at,
        },
    )


async def applications_of(connection: Connection, session: str) -> list[SessionApplication]:
    """Return the applications of a session, in the order of sign-in."""
    async with connection.cursor(row_factory=class_row(SessionApplication)) as cursor:
        await cursor.execute(_SELECT + "where session = %s order by at, app", (session,))
        return await cursor.fetchall()


async def sessions_named(
    connection: Connection, app: str, name_id: str, session_indexes: tuple[str, ...]
) -> list[SessionApplication]:
    """Return the sessions that signed in to *app* as *name_id*. Unless *session_indexes* is empty, only sessions with one of these indexes
    are returned.
    """
    async with connection.cursor(row_factory=class_row(SessionApplication)) as cursor:
        await cursor.execute(
            _SELECT + "where app = %s and name_id = %s and (%s or session_index = any(%s))",
            (app, name_id, not session_indexes, list(session_indexes)),
        )
        return await cursor.fetchall()
