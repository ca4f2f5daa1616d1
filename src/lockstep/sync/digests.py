"""Write the daily digests: one mail with everything that was noted for an application since its last digest.

A digest is due if a notice has waited since before the latest digest time, which `engine.decisions.digest_time` sets. It is also due if the
application's notifications are mailed at once again, so that no notice is lost. The mail is written in the transaction that takes the
notices. If nobody is to get mail about the application any more, its notices are discarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lockstep.engine.decisions.digest_time import latest_digest_time
from lockstep.mail.message import as_html, as_text, one_line
from lockstep.postgres.pool import Connection
from lockstep.storage import digest_notices, jobs, outgoing_mail
from lockstep.storage.digest_notices import WaitingNotice
from lockstep.storage.jobs import JobRow
from lockstep.storage.outgoing_mail import NewMail
from lockstep.sync import notification_texts as texts
from lockstep.sync.notifying import DIGEST_HEADINGS, MailKind, about_application, address_of, has_digest


async def write_digest(connection: Connection, job: str, *, now: datetime, only_if_due: bool = True) -> bool:
    """Write the digest of *job* if it is due. If *only_if_due* is false, write it whenever a notice waits. Returns whether it was written.

    If two processes do this at the same time, the second one waits for the first and then finds nothing.
    """
    row = await jobs.read_job(connection, job)
    notices = await digest_notices.lock_waiting(connection, job)
    if row is None or not notices or (only_if_due and not _is_due(row, notices, now)):
        return False
    if not (address := address_of(row.config)):
        await digest_notices.discard(connection, [one.id for one in notices])
        return False
    about = await about_application(connection, row.app_name, row.app_display_name)
    text = texts.digest(about, _by_kind(notices), is_last=not has_digest(row.config))
    event = f"digest {job} {notices[0].id}"
    mail = NewMail(
        kind=MailKind.DIGEST, job=job, event=event, recipient=address, subject=one_line(text.subject),
        text=as_text(text), html=as_html(text), facts={"notices": len(notices)},
    )  # fmt: skip
    await outgoing_mail.write(connection, mail)
    await digest_notices.note_taken(connection, [one.id for one in notices], event=event)
    return True


async def write_all_digests(connection: Connection, *, now: datetime) -> None:
    """Write a digest for every job with waiting notices, whatever the time."""
    for job in await digest_notices.jobs_with_waiting(connection):
        await write_digest(connection, job, now=now, only_if_due=False)


def _is_due(row: JobRow, notices: Sequence[WaitingNotice], now: datetime) -> bool:
    return not has_digest(row.config) or notices[-1].written_at < latest_digest_time(now)


def _by_kind(notices: Sequence[WaitingNotice]) -> list[tuple[str, list[WaitingNotice]]]:
    """Return the notices under the heading of their kind, newest first."""
    found = [(heading, [one for one in notices if one.kind == kind]) for kind, heading in DIGEST_HEADINGS.items()]
    return [(heading, some) for heading, some in found if some]
