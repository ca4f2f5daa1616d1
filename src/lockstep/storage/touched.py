"""The objects that a change affects: those marked since the change began, and those that are assigned to an application or linked in it."""

from __future__ import annotations

from psycopg import sql

from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

_NEWEST = "select case when is_called then last_value else 0 end from dirty_version"


async def newest_mark(connection: Connection) -> int:
    """Return the version of the newest mark. Later marks have larger versions."""
    return int((await only_row(await connection.execute(_NEWEST)))[0])


async def marked_since(connection: Connection, version: int) -> dict[str, dict[ObjectKind, list[str]]]:
    """Return the objects marked after *version*, by job and kind."""
    cursor = await connection.execute(
        """select job, kind, array_agg(source_id::text order by source_id) from dirty where version > %s
        group by job, kind order by job, kind desc""",
        (version,),
    )
    found: dict[str, dict[ObjectKind, list[str]]] = {}
    for job, kind, ids in await cursor.fetchall():
        found.setdefault(job, {})[ObjectKind(kind)] = ids
    return found


async def assigned(connection: Connection, app: str, kind: str) -> set[str]:
    """Return the ids of the objects of *kind* that are assigned to the application, directly or through a group."""
    cursor = await connection.execute(
        "select object_id::text from effective_assignment where app = %s and kind = %s", (app, kind)
    )
    return {row[0] for row in await cursor.fetchall()}


async def linked(connection: Connection, job: str, kind: str) -> set[str]:
    """Return the ids of the objects of *kind* that have an account, live or not."""
    cursor = await connection.execute(
        "select source_id::text from link where job = %s and kind = %s and state <> 'tombstone'", (job, kind)
    )
    return {row[0] for row in await cursor.fetchall()}


def concerning(kind: str, *, everybody: bool, includes_gone: bool = False) -> sql.Composed:
    """Return a query for the ids of the objects of *kind* that are assigned or linked. The query has the parameters app, job and kind.

    With *everybody*, the query finds unassigned objects too. With *includes_gone*, it also finds objects whose account is missing and is
    still searched for.
    """
    table = {"User": "person", "Group": "grp"}[kind]
    in_scope = (
        f"select id from {table} where deleted_at is null"  # noqa: S608  # one of two fixed table names
        if everybody
        else "select object_id from effective_assignment where app = %(app)s and kind = %(kind)s"
    )
    has_account = "(state <> 'tombstone' or gone_at is not null)" if includes_gone else "state <> 'tombstone'"
    linked = f"select source_id from link where job = %(job)s and kind = %(kind)s and {has_account}"  # noqa: S608  # fixed texts
    return sql.SQL("{in_scope} union {linked}").format(in_scope=sql.SQL(in_scope), linked=sql.SQL(linked))


async def concerned(connection: Connection, job: str, app: str, kind: str, *, everybody: bool) -> list[str]:
    """Return the ids of the objects of *kind* that are assigned or linked. With *everybody*, unassigned objects are included."""
    cursor = await connection.execute(
        sql.SQL("select wanted.id::text from ({ids}) as wanted (id) order by 1").format(
            ids=concerning(kind, everybody=everybody)
        ),
        {"job": job, "app": app, "kind": kind},
    )
    return [row[0] for row in await cursor.fetchall()]


async def count_concerned(connection: Connection, job: str, app: str, kind: str, *, everybody: bool) -> int:
    """Return the number of objects of *kind* that a full cycle evaluates."""
    cursor = await connection.execute(
        sql.SQL("select count(*) from ({ids}) as wanted (id)").format(
            ids=concerning(kind, everybody=everybody, includes_gone=True)
        ),
        {"job": job, "app": app, "kind": kind},
    )
    return int((await only_row(cursor))[0])


async def page_of_concerned(
    connection: Connection, job: str, app: str, kind: str, *, everybody: bool, after: str, limit: int
) -> list[str]:
    """Return the ids of up to *limit* objects of *kind* that a full cycle evaluates, ordered by id. *after* is the last id of the previous
    page, or "" for the first page.
    """
    cursor = await connection.execute(
        sql.SQL(
            """select wanted.id::text from ({ids}) as wanted (id)
            where %(after)s = '' or wanted.id > nullif(%(after)s, '')::uuid order by wanted.id limit %(limit)s"""
        ).format(ids=concerning(kind, everybody=everybody, includes_gone=True)),
        {"job": job, "app": app, "kind": kind, "after": after, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]
