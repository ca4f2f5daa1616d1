"""The notices that wait for an application's daily digest, and those that were sent in one.

A notice is written in the transaction of the event that it reports, and only once for each event. The transaction that writes the mail of
a digest also marks its notices as taken, so a notice is in exactly one digest. Taken notices are kept as long as their mail, because later
notices are compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A notice to write. *event* identifies the reported event. *summary* is the notice in a few words. *paragraphs*, *points* and *link*
    are its text as in a mail. *facts* are the numbers in it, which are compared with those of a later notice.
    """

    job: str
    kind: str
    event: str
    summary: str
    paragraphs: Sequence[str]
    points: Sequence[str]
    link: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    """A notice that no digest has taken yet."""

    id: int
    kind: str
    summary: str
    paragraphs: Sequence[str]
    points: Sequence[str]
    link: str
    written_at: datetime


async def write(connection: Connection, notice: NewNotice) -> None:
    """Write the notice. Does nothing if a notice already reports the event."""
    await connection.execute(
        """insert into digest_notice (job, kind, event, summary, paragraphs, points, link, facts)
        values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (event) do nothing""",
        (
            notice.job, notice.kind, notice.event, notice.summary, list(notice.paragraphs), list(notice.points), notice.link,
            as_json(dict(notice.facts)),
        ),
    )  # fmt: skip


async def jobs_with_waiting(connection: Connection) -> list[str]:
    """Return the jobs with notices that no digest has taken yet."""
    cursor = await connection.execute("select distinct job from digest_notice where mail is null order by job")
    return [row[0] for row in await cursor.fetchall()]


async def lock_waiting(connection: Connection, job: str) -> list[WaitingNotice]:
    """Return the notices of *job* that no digest has taken yet, newest first. Another transaction that calls this waits for the end of this
    one, and then does not find the notices that this one has taken.
    """
    async with connection.cursor(row_factory=class_row(WaitingNotice)) as cursor:
        await cursor.execute(
            """select id, kind, summary, paragraphs, points, link, written_at from digest_notice
            where job = %s and mail is null order by id desc for update""",
            (job,),
        )
        return await cursor.fetchall()


async def note_taken(connection: Connection, notices: Sequence[int], *, event: str) -> None:
    """Record that *notices* are in the mail that reports *event*."""
    await connection.execute(
        "update digest_notice set mail = (select id from outgoing_mail where event = %s) where id = any(%s)",
        (event, list(notices)),
    )


async def discard(connection: Connection, notices: Sequence[int]) -> None:
    await connection.execute("delete from digest_notice where id = any(%s)", (list(notices),))
