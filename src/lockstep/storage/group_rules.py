"""The rules of dynamic groups, and the data needed to evaluate them: the present members, and all people outside the recycle bin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage import people
from lockstep.storage.batches import as_json
from lockstep.storage.people import PersonRow

StoredRule = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One dynamic group that is not in the recycle bin."""

    group_id: str
    rule: StoredRule


async def live_rules(connection: Connection) -> list[RuleRow]:
    async with connection.cursor(row_factory=class_row(RuleRow)) as cursor:
        await cursor.execute(
            "select id::text as group_id, rule from grp where rule is not null and deleted_at is null order by id"
        )
        return await cursor.fetchall()


async def read_rule(connection: Connection, group: str) -> StoredRule | None:
    cursor = await connection.execute("select rule from grp where id = %s", (group,))
    row = await cursor.fetchone()
    return row[0] if row else None


async def save_rule(connection: Connection, group: str, rule: StoredRule | None) -> None:
    await connection.execute(
        "update grp set rule = %s::jsonb, rule_review_at = null, updated_at = now() where id = %s",
        (None if rule is None else as_json(rule), group),
    )


async def set_review(connection: Connection, group: str, at: datetime | None) -> None:
    await connection.execute("update grp set rule_review_at = %s where id = %s", (at, group))


async def bring_review_forward(connection: Connection, group: str, at: datetime) -> None:
    await connection.execute(
        "update grp set rule_review_at = %(at)s where id = %(group)s and coalesce(rule_review_at, 'infinity') > %(at)s",
        {"group": group, "at": at},
    )


async def due_for_review(connection: Connection, now: datetime) -> list[RuleRow]:
    async with connection.cursor(row_factory=class_row(RuleRow)) as cursor:
        await cursor.execute(
            """select id::text as group_id, rule from grp
            where rule is not null and deleted_at is null and rule_review_at <= %s order by id""",
            (now,),
        )
        return await cursor.fetchall()


async def memberships_among(
    connection: Connection, groups: Iterable[str], persons: Iterable[str]
) -> set[tuple[str, str]]:
    """Return the pairs of *groups* and *persons* that are memberships at present."""
    cursor = await connection.execute(
        """select group_id::text, member_id::text from member
        where group_id = any(%s::uuid[]) and member_id = any(%s::uuid[])""",
        (list(groups), list(persons)),
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def has_nested(connection: Connection, group: str) -> bool:
    cursor = await connection.execute(
        "select exists (select from member where group_id = %s and member_kind = 'Group')", (group,)
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def everybody(connection: Connection, *, page_size: int = 1000) -> AsyncIterator[Sequence[PersonRow]]:
    """Yield all people outside the recycle bin, page by page."""
    after = "00000000-0000-0000-0000-000000000000"
    while page := await people.live_people_after(connection, after, limit=page_size):
        yield page
        after = page[-1].id
