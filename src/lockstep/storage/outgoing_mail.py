"""The outbox: messages that wait for the mail server, were sent, or were given up.

A message is written in the transaction of the event that it reports, and only once for each event. Claiming a message leases it: until
`due_at` no other process sends it. A process that has lost its lease can no longer change the message, because every claim has a new
attempt number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json, only_row


class Audience(StrEnum):
    """The recipient of a message: the address of the application, the addresses of the organisation, or the webhook. The values
    are stored.
    """

    APPLICATION = "application"
    ORGANISATION = "organisation"
    WEBHOOK = "webhook"


class MailState(StrEnum):
    """The state of a message. The values are stored."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


BY_MAIL = (Audience.APPLICATION, Audience.ORGANISATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A message to write. *event* identifies the reported event. *facts* are the numbers in the message, which are compared with those of a
    later message. The message is held back until *not_before*. If *not_before* is None, the message is sent now.
    """

    kind: str
    event: str
    recipient: str
    subject: str
    text: str
    html: str
    job: str | None = None
    audience: Audience = Audience.APPLICATION
    facts: Mapping[str, Any]
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailRow:
    """A message in the outbox. *recipient* is an address, or the origin of the webhook. While the message waits, *due_at* is the time of
    the next attempt. *problem* says what went wrong in the last attempt, or is "" if nothing did.
    """

    id: str
    kind: str
    audience: Audience
    app_name: str
    recipient: str
    subject: str
    state: MailState
    written_at: datetime
    attempts: int
    due_at: datetime
    ended_at: datetime | None
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A message that this process is about to send. *attempts* includes the present attempt."""

    id: str
    kind: str
    audience: Audience
    app_name: str
    recipient: str
    subject: str
    body_text: str
    body_html: str
    written_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class MailCounts:
    """The number of messages that wait after a failed attempt, and the number of messages that were given up recently.

    *problem* comes from the newest message that was given up or, if there is none, from the newest message that waits.
    """

    delayed: int
    failed: int
    problem: str


@dataclass(frozen=True, slots=True)
class LastMail:
    """The newest message of one kind about one job. *sent_at* is the time at which the message was sent or given up, or else the time of
    the next attempt. *age* is the time since the message was written, by the database's clock.
    """

    written_at: datetime
    age: timedelta
    sent_at: datetime
    facts: Mapping[str, Any]


async def write(connection: Connection, mail: NewMail) -> bool:
    """Write the message. Returns False, and writes nothing, if a message already reports the event."""
    cursor = await connection.execute(
        """insert into outgoing_mail (kind, job, audience, event, recipient, subject, body_text, body_html, facts, due_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, greatest(now(), %s::timestamptz)) on conflict (event) do nothing""",
        (
            mail.kind,
            mail.job,
            mail.audience,
            mail.event,
            mail.recipient,
            mail.subject,
            mail.text,
            mail.html,
            as_json(dict(mail.facts)),
            mail.not_before,
        ),
    )
    return cursor.rowcount == 1


async def last_mail(connection: Connection, job: str, kind: str, audience: Audience) -> LastMail | None:
    """Return the newest message of *kind* about *job* for *audience*. Notices for digests count as messages for the application."""
    async with connection.cursor(row_factory=class_row(LastMail)) as cursor:
        await cursor.execute(
            """select written_at, now() - written_at as age, sent_at, facts from (
                (select written_at, coalesce(ended_at, due_at) as sent_at, facts from outgoing_mail
                where job = %(job)s and kind = %(kind)s and audience = %(audience)s order by written_at desc, id desc limit 1)
                union all
                (select written_at, written_at, facts from digest_notice
                where job = %(job)s and kind = %(kind)s and %(audience)s = 'application' order by written_at desc, id desc limit 1)
            ) as newest order by written_at desc limit 1""",
            {"job": job, "kind": kind, "audience": audience},
        )
        return await cursor.fetchone()


async def withdraw(connection: Connection, job: str, kind: str, audience: Audience) -> int:
    """Delete the held-back messages of *kind* about *job* for *audience*. Returns the number of events that these messages reported."""
    cursor = await connection.execute(
        """delete from outgoing_mail where job = %s and kind = %s and audience = %s and state = 'waiting' and attempts = 0
            and due_at > now() returning written_at""",
        (job, kind, audience),
    )
    return len({row[0] for row in await cursor.fetchall()})  # all messages about one event have the same time


async def add_unreported(connection: Connection, job: str, kind: str, audience: Audience, number: int) -> None:
    """Add *number* to the count of events that got no separate message. The count is stored in the newest message of *kind* about *job* for
    *audience*.
    """
    await connection.execute(
        """update outgoing_mail set facts = facts || jsonb_build_object('unreported',
            coalesce((facts ->> 'unreported')::int, 0) + %(number)s)
        where id = (select id from outgoing_mail where job = %(job)s and kind = %(kind)s and audience = %(audience)s
            order by written_at desc, id desc limit 1)""",
        {"job": job, "kind": kind, "audience": audience, "number": number},
    )


async def claim_due(
    connection: Connection, *, audiences: Sequence[Audience], lease: timedelta, most: int
) -> list[ClaimedMail]:
    """Return up to *most* due messages for *audiences*, and lease them: if this process dies, another one sends them after *lease*."""
    async with connection.cursor(row_factory=class_row(ClaimedMail)) as cursor:
        await cursor.execute(
            """update outgoing_mail set due_at = clock_timestamp() + %s, attempts = attempts + 1 where id in
                (select id from outgoing_mail where state = 'waiting' and due_at <= clock_timestamp() and audience = any(%s)
                order by due_at limit %s for update skip locked)
            returning id::text, kind, audience, coalesce((select application.name from job join application on application.id = job.app
                where job.id = outgoing_mail.job), '') as app_name, recipient, subject, body_text, body_html, written_at, attempts""",
            (lease, [one.value for one in audiences], most),
        )
        return await cursor.fetchall()


async def note_sent(connection: Connection, mail: str, *, attempt: int) -> None:
    """Record that the server accepted the message. Does nothing if another process has claimed the message since."""
    await connection.execute(
        """update outgoing_mail set state = 'sent', ended_at = clock_timestamp(), problem = '', remedy = ''
        where id = %s and attempts = %s""",
        (mail, attempt),
    )


async def note_failure(
    connection: Connection, mail: str, *, attempt: int, problem: str, remedy: str, again_after: timedelta | None
) -> None:
    """Record a failed attempt, and give the message up if *again_after* is None. Does nothing if another process has claimed the message
    since.
    """
    await connection.execute(
        """update outgoing_mail set problem = %(problem)s, remedy = %(remedy)s,
            state = case when %(again)s::interval is null then 'failed' else state end,
            ended_at = case when %(again)s::interval is null then clock_timestamp() end,
            due_at = coalesce(clock_timestamp() + %(again)s::interval, due_at)
        where id = %(mail)s and attempts = %(attempt)s and state = 'waiting'""",
        {"mail": mail, "attempt": attempt, "problem": problem, "remedy": remedy, "again": again_after},
    )


async def make_waiting_due(connection: Connection, *, lease: timedelta) -> None:
    """Shorten the pauses after failed attempts, because the settings of the server or webhook were changed. A message that has been tried
    becomes due after *lease*, or when it was due anyway if that is earlier. After *lease*, no process can still be sending the message.
    """
    await connection.execute(
        """update outgoing_mail set due_at = least(due_at, clock_timestamp() + %s)
        where state = 'waiting' and attempts > 0""",
        (lease,),
    )


async def retry(connection: Connection, mail: str) -> bool:
    """Queue a message that was given up, so that it is sent now. Returns False if no such message was given up."""
    cursor = await connection.execute(
        """update outgoing_mail set state = 'waiting', due_at = clock_timestamp(), ended_at = null, problem = '', remedy = ''
        where id::text = lower(%s) and state = 'failed'""",
        (mail,),
    )
    return cursor.rowcount == 1


async def give_up_waiting(
    connection: Connection, *, problem: str, audiences: Sequence[Audience] = tuple(Audience)
) -> int:
    """Give up all waiting messages for *audiences*. Returns how many were given up."""
    cursor = await connection.execute(
        """update outgoing_mail set state = 'failed', ended_at = clock_timestamp(), problem = %s, remedy = ''
        where state = 'waiting' and audience = any(%s)""",
        (problem, [one.value for one in audiences]),
    )
    return cursor.rowcount


async def list_mail(
    connection: Connection,
    *,
    states: Sequence[MailState] = (),
    ids: Sequence[str] = (),
    after: str = "",
    limit: int,
) -> list[MailRow]:
    """Return messages, newest first. *after* is the id of the last message on the previous page, or "" for the first page."""
    async with connection.cursor(row_factory=class_row(MailRow)) as cursor:
        await cursor.execute(
            """select mail.id::text, mail.kind, mail.audience, coalesce(application.name, '') as app_name, recipient, subject, state,
                written_at, attempts, due_at, ended_at, problem, remedy
            from outgoing_mail as mail
            left join job on job.id = mail.job left join application on application.id = job.app
            where (%(states)s::text[] = '{}' or state = any(%(states)s)) and (%(ids)s::text[] = '{}' or mail.id::text = any(%(ids)s))
                and (%(after)s = '' or (written_at, mail.id) < (select last.written_at, last.id
                    from outgoing_mail as last where last.id::text = lower(%(after)s)))
            order by written_at desc, mail.id desc limit %(limit)s""",
            {
                "states": [one.value for one in states],
                "ids": [one.lower() for one in ids],
                "after": after,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def count_trouble(connection: Connection, *, since: timedelta) -> MailCounts:
    """Count the messages that wait after a failed attempt, and the messages that were given up less than *since* ago."""
    cursor = await connection.execute(
        """select count(*) filter (where state = 'waiting'), count(*) filter (where state = 'failed'),
            coalesce((array_agg(problem order by state = 'failed' desc, written_at desc))[1], '')
        from outgoing_mail where problem <> '' and (state = 'waiting' or (state = 'failed' and ended_at > now() - %s))""",
        (since,),
    )
    return MailCounts(*await only_row(cursor))
