"""Links as lists show them: sorted by name, page by page, and without their base."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

SOUGHT = "sought"  # a tombstone whose account is looked for again (`Link.is_sought`)
_STATE = f"case when state = 'tombstone' and gone_at is not null then '{SOUGHT}' else state end"
# One page: people first, then by name.
_PAGE = """select kind, source_id::text, target_id, {0} as state, display, cause, matched_by, updated_at, review_at
    from link
    where job = %(job)s and (%(state)s = '' or {0} = %(state)s)
        and (%(kind)s = '' or kind < %(kind)s
            or kind = %(kind)s and (lower(display), source_id::text) > (lower(%(name)s), %(id)s))
        and ({1})
    order by kind desc, lower(display), source_id::text limit %(limit)s"""
_OF_OBJECT = _PAGE.format(_STATE, "%(source)s = '' or source_id::text = %(source)s")
_FOUND = _PAGE.format(_STATE, "%(search)s = '' or display ilike %(part)s or target_id ilike %(beginning)s")


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One link without its base (the values that both sides last agreed on). *state* is the state of the link, or `sought` if Lockstep
    keeps searching for the account.
    """

    kind: str
    source_id: str
    target_id: str
    state: str
    display: str
    cause: str
    matched_by: str
    updated_at: datetime
    review_at: datetime | None

    @property
    def next_search_at(self) -> datetime | None:
        """The time at which a sought account is searched for again; None for other accounts."""
        return self.review_at if self.state == SOUGHT else None


async def list_links(
    connection: Connection,
    job: str,
    *,
    source_id: str = "",
    state: str = "",
    limit: int = 100,
    after: tuple[str, str, str] = ("", "", ""),
) -> list[LinkRow]:
    """Return links: those of people before those of groups, each by name. With *source_id*, return only the links of that object. With
    *state*, return only links in that state.

    *after* is the kind, name and source id of the last link on the previous page.
    """
    async with connection.cursor(row_factory=class_row(LinkRow)) as cursor:
        await cursor.execute(
            _OF_OBJECT,
            {"job": job, "source": source_id, "state": state, "limit": limit}
            | dict(zip(("kind", "name", "id"), after, strict=True)),
        )
        return await cursor.fetchall()


async def page_of_links(
    connection: Connection, job: str, *, search: str, state: str, after: tuple[str, str, str], limit: int
) -> list[LinkRow]:
    """Return one page of links: those of people before those of groups, each by name.

    *search* is part of a name, or the beginning of an account's id. *after* is the kind, name and `source_id` of the last row on the
    previous page.
    """
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    async with connection.cursor(row_factory=class_row(LinkRow)) as cursor:
        await cursor.execute(
            _FOUND,
            {"job": job, "state": state, "search": search, "part": f"%{escaped}%", "beginning": f"{escaped}%", "limit": limit}
            | dict(zip(("kind", "name", "id"), after, strict=True)),
        )  # fmt: skip
        return await cursor.fetchall()


async def active_people(connection: Connection, job: str) -> list[str]:
    """Return the directory ids of all people with a live account."""
    cursor = await connection.execute(
        "select source_id::text from link where job = %s and kind = 'User' and state = 'live' order by source_id",
        (job,),
    )
    return [row[0] for row in await cursor.fetchall()]
