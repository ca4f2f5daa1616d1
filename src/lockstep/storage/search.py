"""Find people and groups by search words. All words must match, in any order, ignoring case and accents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_id
from lockstep.storage.patterns import part_of

_MOST_SORTED = 200


@dataclass(frozen=True, slots=True)
class PersonHit:
    """A person found by a search, in the recycle bin or not."""

    id: str
    display: str
    user_principal_name: str
    department: str
    account_enabled: bool
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class GroupHit:
    id: str
    display_name: str
    members: int


async def find_people(connection: Connection, words: Sequence[str], *, limit: int) -> list[PersonHit]:
    """Find people whose names contain all *words*. Names that begin with the first word come first, people in the recycle bin last.

    If the first word is the id of a person, that person is found. If very many people match, only some of them are returned, because
    sorting all of them would take long.
    """
    contained, given = _all_words("search_text", words)
    statement = sql.SQL(
        """with hit as (
            (select id, 0 as place from person where deleted_at is null and {contained} and search_text like folded(%(beginning)s)
                limit %(some)s)
            union all (select id, 1 from person where deleted_at is null and {contained} limit %(some)s)
            union all (select id, 2 from person where deleted_at is not null and {contained} limit %(some)s)
            union all (select id, 0 from person where id = %(id)s)),
        best as (select id, min(place) as place from hit group by id)
        select id::text, coalesce(nullif(attributes->>'displayName', ''), user_principal_name) as display, user_principal_name,
            coalesce(attributes->>'department', '') as department, account_enabled, deleted_at
        from best join person using (id) order by best.place, lower(user_principal_name) limit %(limit)s"""
    ).format(contained=contained)
    beginning = "%\n" + part_of(words[0])[1:]
    given |= {"id": as_id(words[0]), "limit": limit, "some": _MOST_SORTED, "beginning": beginning}
    async with connection.cursor(row_factory=class_row(PersonHit)) as cursor:
        await cursor.execute(statement, given)
        return await cursor.fetchall()


async def find_groups(connection: Connection, words: Sequence[str], *, limit: int) -> list[GroupHit]:
    """Find groups outside the recycle bin whose names contain all *words*. Names that begin with the first word come first. If the first
    word is the id of a group, that group is found.
    """
    contained, given = _all_words("folded(display_name)", words)
    statement = sql.SQL(
        """select id::text, display_name, (select count(*) from member where group_id = grp.id) as members
        from grp where deleted_at is null and ({contained} or id = %(id)s)
        order by strpos(folded(display_name), folded(%(word0)s)) <> 1, lower(display_name), id limit %(limit)s"""
    ).format(contained=contained)
    async with connection.cursor(row_factory=class_row(GroupHit)) as cursor:
        await cursor.execute(statement, given | {"id": as_id(words[0]), "limit": limit})
        return await cursor.fetchall()


def _all_words(column: LiteralString, words: Sequence[str]) -> tuple[sql.Composable, dict[str, Any]]:
    """Return one condition per word, so that PostgreSQL folds each word once instead of once per row."""
    conditions = [
        sql.SQL(column + " like folded({})").format(sql.Placeholder(f"part{number}")) for number in range(len(words))
    ]
    given: dict[str, Any] = {f"part{number}": part_of(word) for number, word in enumerate(words)}
    return sql.SQL("({})").format(sql.SQL(" and ").join(conditions)), given | {"word0": words[0]}
