"""People as the directory stores them: a JSON document of attributes under Entra's names, and a few columns.

Writes are batches. The columns `user_principal_name` and `account_enabled` repeat values of `attributes` and must be written together
with them.
"""

# ruff: noqa: S608  # statements are built from constants of this module
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id, as_rows
from lockstep.storage.patterns import literal, part_of


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person, in the recycle bin or not."""

    id: str
    source: str
    anchor: str
    user_principal_name: str
    account_enabled: bool
    attributes: Mapping[str, Any]
    manager_id: str | None = None
    manager_anchor: str | None = None
    deleted_at: datetime | None = None
    version: int = 0

    @property
    def display(self) -> str:
        """The name for tables: the display name, otherwise given name and surname, otherwise the user principal name."""
        names = (self.attributes.get("givenName"), self.attributes.get("surname"))
        full_name = " ".join(str(name) for name in names if name)
        return str(self.attributes.get("displayName") or full_name or self.user_principal_name)


@dataclass(frozen=True, slots=True)
class PersonFilter:
    """The conditions for the people to list. An empty field matches all people."""

    search: str = ""
    source: str = ""
    is_deleted: bool | None = False
    is_enabled: bool | None = None
    department: str = ""
    app: str = ""
    limit: int = 100
    after: str = ""  # the user principal name of the last person of the previous page
    after_id: str = (
        ""  # the id of that person, because names can repeat in the recycle bin; "" skips everyone with that name
    )
    ids: Sequence[str] = field(default=())


_COLUMNS = """person.id::text, person.source, person.anchor, person.user_principal_name, person.account_enabled, person.attributes,
    person.manager_id::text, person.manager_anchor, person.deleted_at, person.version"""
_SHAPE = """jsonb_to_recordset(%(rows)s::jsonb) as given (id uuid, source text, anchor text, user_principal_name text,
    account_enabled boolean, attributes jsonb, manager_id uuid, manager_anchor text, deleted_at timestamptz, row_hash text,
    generation bigint)"""


async def read_people(connection: Connection, ids: Sequence[str]) -> dict[str, PersonRow]:
    """Return the people with these *ids* who are not purged, in the order of their ids."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from person where id = any(%s::uuid[]) order by id", (list(ids),))
        return {row.id: row for row in await cursor.fetchall()}


async def find_person(connection: Connection, name: str, *, is_deleted: bool = False) -> PersonRow | None:
    """Find the person whose id or user principal name (ignoring case) is *name*. With *is_deleted*, find the most recently deleted one."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from person
            where (lower(user_principal_name) = lower(%(name)s) or id = %(id)s)
                and deleted_at is {"not null" if is_deleted else "null"}
            order by deleted_at desc nulls first limit 1""",
            {"name": name, "id": as_id(name)},
        )
        return await cursor.fetchone()


async def holders_of(connection: Connection, user_principal_names: Iterable[str]) -> dict[str, str]:
    """Map these user principal names, in lower case, to the ids of the people who have them. People in the recycle bin do not count."""
    cursor = await connection.execute(
        """select lower(user_principal_name), id::text from person
        where deleted_at is null and lower(user_principal_name) = any(%s)""",
        ([name.lower() for name in user_principal_names],),
    )
    return dict(await cursor.fetchall())


async def ids_of_keys(connection: Connection, source: str, keys: Iterable[str]) -> dict[str, str]:
    """Map each key to an id. A key is an anchor of *source*, or the lower-case user principal name of any person outside the recycle
    bin.
    """
    wanted = list(set(keys))
    cursor = await connection.execute(
        """select lower(user_principal_name), id::text from person
        where deleted_at is null and lower(user_principal_name) = any(%(keys)s)
        union all
        select anchor, id::text from person where source = %(source)s and anchor = any(%(keys)s)""",
        {"keys": wanted, "source": source},
    )
    return dict(await cursor.fetchall())  # anchors come last, so they take precedence over names


async def find_by_any_name(connection: Connection, name: str, *, limit: int) -> list[PersonRow]:
    """Find people outside the recycle bin by one of their names, ignoring case and accents: user principal name, mail, display name, given
    name and surname (in either order), or employee id. *name* must be the whole name.
    """
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"""select {_COLUMNS} from person
            where deleted_at is null and position(E'\n' || folded(%s) || E'\n' in search_text) > 0
            order by lower(user_principal_name) limit %s""",
            (" ".join(name.split()), limit),
        )
        return await cursor.fetchall()


async def taken_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those of *ids* that objects of the directory already have."""
    wanted = list(ids)
    cursor = await connection.execute(
        """select id::text from person where id = any(%(ids)s::uuid[])
        union all select id::text from grp where id = any(%(ids)s::uuid[])""",
        {"ids": wanted},
    )
    return {row[0] for row in await cursor.fetchall()}


async def insert_people(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert people. *rows* have the table's columns, with *row_hash* in hexadecimal."""
    await connection.execute(
        f"""insert into person (id, source, anchor, user_principal_name, account_enabled, attributes, manager_id,
            manager_anchor, row_hash, generation)
        select id, source, anchor, user_principal_name, account_enabled, attributes, manager_id, manager_anchor,
            decode(row_hash, 'hex'), coalesce(generation, 0)
        from {_SHAPE}""",
        {"rows": as_rows(rows)},
    )


async def update_people(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Overwrite people by id. If *row_hash* is null, the stored hash is kept; if it is empty, the hash is cleared."""
    await connection.execute(
        f"""update person set user_principal_name = given.user_principal_name, account_enabled = given.account_enabled,
            attributes = given.attributes, manager_id = given.manager_id, manager_anchor = given.manager_anchor,
            deleted_at = given.deleted_at,
            row_hash = case given.row_hash when '' then null else coalesce(decode(given.row_hash, 'hex'), person.row_hash) end,
            generation = coalesce(given.generation, person.generation), version = nextval('object_version'),
            updated_at = now()
        from {_SHAPE} where person.id = given.id""",
        {"rows": as_rows(rows)},
    )


async def free_names(connection: Connection, ids: Sequence[str]) -> None:
    """Clear the user principal names of these people, so that the next statements can exchange names between them."""
    await connection.execute(
        "update person set user_principal_name = id::text where id = any(%s::uuid[])", (list(ids),)
    )


async def waiting_for_manager(connection: Connection, source: str, keys: Sequence[str]) -> list[PersonRow]:
    """Find the people of *source* whose manager has not arrived yet and is identified by one of *keys*."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from person where source = %s and manager_anchor = any(%s) order by id",
            (source, list(keys)),
        )
        return await cursor.fetchall()


async def reports_of(connection: Connection, ids: Sequence[str]) -> list[PersonRow]:
    """Return the direct reports of *ids*."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from person where manager_id = any(%s::uuid[]) order by id", (list(ids),)
        )
        return await cursor.fetchall()


async def groups_of(connection: Connection, person: str) -> list[tuple[str, str]]:
    """Return the groups outside the recycle bin that contain the person directly, by name. Each is a pair of id and display name."""
    cursor = await connection.execute(
        """select grp.id::text, grp.display_name from member join grp on grp.id = member.group_id
        where member.member_id = %s and grp.deleted_at is null order by lower(grp.display_name)""",
        (person,),
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def live_people_after(connection: Connection, after: str, *, limit: int) -> list[PersonRow]:
    """Return up to *limit* people outside the recycle bin whose ids are greater than *after*, in the order of their ids."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from person where id > %s and deleted_at is null order by id limit %s", (after, limit)
        )
        return await cursor.fetchall()


async def due_for_purge(connection: Connection, before: datetime, *, limit: int) -> list[PersonRow]:
    """Return up to *limit* people who were deleted before the time *before*."""
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from person where deleted_at < %s order by id limit %s", (before, limit)
        )
        return await cursor.fetchall()


async def remove_people(connection: Connection, ids: Sequence[str]) -> None:
    """Delete people permanently, with their memberships and assignments."""
    for statement in (
        "delete from member where member_id = any(%s::uuid[])",
        "delete from assignment where principal_id = any(%s::uuid[])",
        "delete from person where id = any(%s::uuid[])",
    ):
        await connection.execute(statement, (list(ids),))


async def list_people(connection: Connection, wanted: PersonFilter) -> list[PersonRow]:
    """Return one page of people, ordered by user principal name."""
    conditions, parameters = conditions_of(wanted)
    query = sql.SQL(
        "select {columns} from person where {conditions} order by lower(person.user_principal_name), id limit %(limit)s"
    ).format(columns=sql.SQL(_COLUMNS), conditions=sql.SQL(" and ").join(conditions))
    async with connection.cursor(row_factory=class_row(PersonRow)) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def count_people(connection: Connection, wanted: PersonFilter) -> int:
    conditions, parameters = conditions_of(wanted)
    query = sql.SQL("select count(*) from person where {}").format(sql.SQL(" and ").join(conditions))
    cursor = await connection.execute(query, parameters)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def near_names(connection: Connection, name: str, *, limit: int = 2000) -> list[str]:
    """Suggest user principal names that begin with the first two letters of *name*, or contain the part of *name* before the @."""
    cursor = await connection.execute(
        """select user_principal_name from person
        where deleted_at is null and (lower(user_principal_name) like %(prefix)s or lower(user_principal_name) like %(part)s)
        limit %(limit)s""",
        {
            "prefix": literal(name[:2].lower()) + "%",
            "part": part_of(name.partition("@")[0].lower()),
            "limit": limit,
        },
    )
    return [row[0] for row in await cursor.fetchall()]


def conditions_of(wanted: PersonFilter) -> tuple[list[sql.Composable], dict[str, Any]]:
    """Return the SQL conditions on the table person for the filter *wanted*, and their parameters."""
    conditions: list[sql.Composable] = [sql.SQL("true")]
    words = {f"word{number}": part_of(word) for number, word in enumerate(wanted.search.split())}
    # All words must match, in any order. One condition per word lets PostgreSQL fold each word once instead of once per person.
    conditions += [sql.SQL("person.search_text like folded({})").format(sql.Placeholder(name)) for name in words]
    if wanted.source:
        conditions.append(sql.SQL("person.source = %(source)s"))
    if wanted.is_deleted is not None:
        # Write the condition out: with a parameter, PostgreSQL could not use a partial index.
        conditions.append(
            sql.SQL("person.deleted_at is not null" if wanted.is_deleted else "person.deleted_at is null")
        )
    if wanted.is_enabled is not None:
        conditions.append(sql.SQL("person.account_enabled = %(is_enabled)s"))
    if wanted.department:
        conditions.append(sql.SQL("lower(person.attributes->>'department') = lower(%(department)s)"))
    if wanted.app:
        conditions.append(
            sql.SQL(
                """exists (select from effective_assignment join application on application.id = effective_assignment.app
                where application.name = %(app)s and effective_assignment.object_id = person.id)"""
            )
        )
    if wanted.after:
        tie = """lower(person.user_principal_name) >= lower(%(after)s) and (lower(person.user_principal_name) > lower(%(after)s)
            or person.id::text collate "C" > %(after_id)s)"""
        by_name = "lower(person.user_principal_name) > lower(%(after)s)"
        conditions.append(sql.SQL(tie if wanted.after_id else by_name))
    if wanted.ids:
        conditions.append(sql.SQL("person.id = any(%(ids)s::uuid[])"))
    parameters = {name: getattr(wanted, name) for name in wanted.__slots__} | {"ids": list(wanted.ids)}
    return conditions, parameters | words
