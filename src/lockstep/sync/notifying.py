"""Write the notifications of an application, in the transaction of the event that they report.

A mail is written only if a mail server is set up: to the application's address if *Send an email notification when a failure occurs* is
turned on, and to the addresses of the organisation. The webhook gets every notification. Each of these audiences has its own series of
messages.

A quarantine is reported when it begins, when its reason changes and when it ends. At most one mail per hour reports a beginning or a new
reason. A further mail waits until the hour is over. If the quarantine ends or its reason changes again before then, the waiting mail is
withdrawn; the next mail says how many mails were withdrawn. Failing objects and held changes are reported after a cycle, at most once a
day, and again only if there is something new or a week has passed.

If the application's notifications are delivered in a daily digest, failing objects and held changes are noted for the digest instead of
mailed to the application's address, at most once an hour. Everything else is mailed at once: a quarantine is urgent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from lockstep.engine.rules.configuration import NotificationDelivery
from lockstep.mail.message import MailText, as_html, as_text, one_line
from lockstep.postgres.pool import Connection
from lockstep.storage import digest_notices, lasting_failures, mail_server, outgoing_mail, tenant, webhook
from lockstep.storage.digest_notices import NewNotice
from lockstep.storage.jobs import JobRow
from lockstep.storage.outgoing_mail import Audience, LastMail, NewMail
from lockstep.sync import notification_texts as texts
from lockstep.sync.notification_texts import MOST_REASONS, FailureReason, ReportedApplication

LASTING = timedelta(hours=1)  # how long an object must fail before it is reported
_QUARANTINE_AT_MOST_EVERY = timedelta(hours=1)
_AT_MOST_EVERY = timedelta(hours=24)
_NOTED_AT_MOST_EVERY = timedelta(hours=1)
_AGAIN_AFTER = timedelta(days=7)


class MailKind(StrEnum):
    """The events that mails report. The values are stored and shown."""

    QUARANTINE = "quarantine"
    QUARANTINE_ENDED = "quarantineEnded"
    FAILURES = "failures"
    HELD = "held"
    CERTIFICATE = "certificate"
    DIGEST = "digest"


# The kinds of message that can wait for a daily digest, with their headings in it. What needs a decision comes first.
DIGEST_HEADINGS = {MailKind.HELD: "Changes that wait for approval", MailKind.FAILURES: "Objects that fail"}

# The events of `notifications.on` in files, by the kind of message. A certificate is reported to the organisation if `on` is not given.
EVENT_OF = {
    MailKind.QUARANTINE: "quarantine",
    MailKind.QUARANTINE_ENDED: "recovered",
    MailKind.FAILURES: "failure",
    MailKind.HELD: "deleteThreshold",
}


@dataclass(frozen=True, slots=True)
class Recipients:
    """The addresses of one audience, or the origin of the webhook. If *by_digest* is true, the message waits for the daily digest."""

    audience: Audience
    addresses: tuple[str, ...]
    by_digest: bool = False


async def report_quarantine(connection: Connection, row: JobRow, quarantine: Mapping[str, Any]) -> None:
    """Report that *quarantine* began or has a new reason, unless this was reported before."""
    for to in await _recipients(connection, row, MailKind.QUARANTINE):
        unreported = await outgoing_mail.withdraw(connection, row.id, MailKind.QUARANTINE, to.audience)
        last = await outgoing_mail.last_mail(connection, row.id, MailKind.QUARANTINE, to.audience)
        if last is not None:
            unreported += int(last.facts.get("unreported", 0))
        about = await about_application(connection, row.app_name, row.app_display_name)
        text = texts.quarantine_began(about, quarantine, unreported=unreported)
        event = f"quarantine {row.id} {quarantine['reason']} {quarantine['currentBegan']}"
        await _write(
            connection, row, MailKind.QUARANTINE, event, to, text, {"seriesBegan": _series(quarantine)},
            not_before=last.sent_at + _QUARANTINE_AT_MOST_EVERY if last else None,
        )  # fmt: skip


async def report_end_of_quarantine(connection: Connection, row: JobRow) -> None:
    """Report that the quarantine of *row* ends, if its beginning was reported."""
    quarantine = row.quarantine
    if quarantine is None:
        return
    series = _series(quarantine)
    for audience in Audience:
        if withdrawn := await outgoing_mail.withdraw(connection, row.id, MailKind.QUARANTINE, audience):
            await outgoing_mail.add_unreported(connection, row.id, MailKind.QUARANTINE, audience, withdrawn)
    for to in await _recipients(connection, row, MailKind.QUARANTINE_ENDED):
        last = await outgoing_mail.last_mail(connection, row.id, MailKind.QUARANTINE, to.audience)
        if last is None or last.facts.get("seriesBegan") != series:
            continue
        about = await about_application(connection, row.app_name, row.app_display_name)
        text = texts.quarantine_ended(about, quarantine, datetime.now(UTC))
        await _write(connection, row, MailKind.QUARANTINE_ENDED, f"quarantineEnded {row.id} {series}", to, text)


def _series(quarantine: Mapping[str, Any]) -> str:
    """Return the time at which the quarantine began, even if its reason has changed since."""
    return str(quarantine.get("seriesBegan") or quarantine["currentBegan"])


async def report_after_cycle(connection: Connection, row: JobRow, cycle: int) -> None:
    """Report objects that keep failing and changes that wait for approval, if a report is due. During a quarantine, failing objects are not
    reported, because the quarantine itself was already reported.
    """
    if row.quarantine is None and (to := await _recipients(connection, row, MailKind.FAILURES)):
        await _report_failures(connection, row, cycle, to)
    if to := await _recipients(connection, row, MailKind.HELD):
        await _report_held(connection, row, cycle, to)


async def _report_failures(connection: Connection, row: JobRow, cycle: int, recipients: Sequence[Recipients]) -> None:
    found = await lasting_failures.read_reasons(connection, row.id, lasting=LASTING)
    total = sum(one.count for one in found)
    if not total:
        return
    codes = {one.code for one in found}
    facts = {"failing": total, "codes": sorted(codes)}
    reasons = [FailureReason(one.count, one.reason, one.next_step, one.names) for one in found[:MOST_REASONS]]
    text = texts.objects_fail(await about_application(connection, row.app_name, row.app_display_name), total, reasons)
    for to in recipients:
        last = await outgoing_mail.last_mail(connection, row.id, MailKind.FAILURES, to.audience)
        is_new = last is not None and (
            total > last.facts.get("failing", 0) or not codes <= set(last.facts.get("codes", ()))
        )
        if _is_due(last, to, is_new=is_new):
            await _write(connection, row, MailKind.FAILURES, f"failures {row.id} {cycle}", to, text, facts)


async def _report_held(connection: Connection, row: JobRow, cycle: int, recipients: Sequence[Recipients]) -> None:
    held = await lasting_failures.count_held(connection, row.id)
    if held.newest_at is None:
        return
    text = texts.changes_held(
        await about_application(connection, row.app_name, row.app_display_name), held.total, held.losses
    )
    for to in recipients:
        last = await outgoing_mail.last_mail(connection, row.id, MailKind.HELD, to.audience)
        if _is_due(last, to, is_new=last is not None and held.newest_at > last.written_at):
            await _write(connection, row, MailKind.HELD, f"held {row.id} {cycle}", to, text, {"held": held.total})


def _is_due(last: LastMail | None, to: Recipients, *, is_new: bool) -> bool:
    if last is None:
        return True
    at_most_every = _NOTED_AT_MOST_EVERY if to.by_digest else _AT_MOST_EVERY
    return last.age >= _AGAIN_AFTER or (is_new and last.age >= at_most_every)


async def _recipients(connection: Connection, row: JobRow | None, kind: MailKind) -> list[Recipients]:
    """Return the recipients of a message of *kind*, by audience. *row* is the job of the message, or None if the message is not about
    provisioning.
    """
    found: list[Recipients] = []
    if await mail_server.has_server(connection):
        config = row.config if row is not None else {}
        if address := address_of(config):
            found.append(Recipients(Audience.APPLICATION, (address,), kind in DIGEST_HEADINGS and has_digest(config)))
        wanted = (await tenant.read_tenant(connection)).settings.get("notifications") or {}
        if wanted.get("email") and (not wanted.get("on") or EVENT_OF.get(kind) in wanted["on"]):
            found.append(Recipients(Audience.ORGANISATION, tuple(map(str, wanted["email"]))))
    if (hook := await webhook.read_webhook(connection)) is not None:
        found.append(Recipients(Audience.WEBHOOK, (hook.origin,)))
    return found


def address_of(config: Mapping[str, Any]) -> str:
    """Return the address that gets the notifications of an application with the configuration *config*, or "" if they are not wanted."""
    return str(config.get("notificationEmail") or "") if config.get("emailOnFailure") else ""


def has_digest(config: Mapping[str, Any]) -> bool:
    """Whether the notifications of an application with the configuration *config* are delivered in a daily digest."""
    return bool(config.get("notificationDelivery") == NotificationDelivery.DIGEST)


async def report_certificate(
    connection: Connection,
    app: str,
    display_name: str,
    recipient: str,
    *,
    event: str,
    sentence: str,
    ends_at: datetime,
    next_step: str,
) -> None:
    """Report that a signing certificate expires soon. *event* identifies the certificate and the reminder. *recipient* is the address of
    the application's own contact, or "" if there is none.
    """
    about = await about_application(connection, app, display_name)
    text = texts.certificate_ends(about, sentence, ends_at, next_step)
    recipients = await _recipients(connection, None, MailKind.CERTIFICATE)
    if recipient and await mail_server.has_server(connection):
        recipients.append(Recipients(Audience.APPLICATION, (recipient,)))
    for to in recipients:
        await _write(connection, None, MailKind.CERTIFICATE, event, to, text)


async def about_application(connection: Connection, app: str, display_name: str) -> ReportedApplication:
    organisation = await tenant.read_tenant(connection)
    address = str(organisation.settings.get("publicAddress", ""))
    return ReportedApplication(app, display_name, organisation.name, address)


async def _write(
    connection: Connection,
    row: JobRow | None,
    kind: MailKind,
    event: str,
    to: Recipients,
    text: MailText,
    facts: Mapping[str, Any] | None = None,
    *,
    not_before: datetime | None = None,
) -> None:
    if to.by_digest:
        await _note(connection, row, kind, event, text, facts or {})
        return
    for address in to.addresses:
        # A message to the application's address has only the event as its key, as it had before there were other audiences.
        own = event if to.audience is Audience.APPLICATION else f"{event} {to.audience} {address}"
        mail = NewMail(
            kind=kind, job=row.id if row else None, audience=to.audience, event=own, recipient=address,
            subject=one_line(text.subject), text=as_text(text), html=as_html(text), facts=facts or {}, not_before=not_before,
        )  # fmt: skip
        await outgoing_mail.write(connection, mail)


async def _note(
    connection: Connection, row: JobRow | None, kind: MailKind, event: str, text: MailText, facts: Mapping[str, Any]
) -> None:
    """Note the message for the daily digest of its application."""
    assert row is not None  # noqa: S101  # only messages about provisioning wait for a digest
    await digest_notices.write(
        connection,
        NewNotice(
            job=row.id, kind=kind, event=event, summary=text.summary, paragraphs=text.paragraphs, points=text.points,
            link=text.link, facts=facts,
        ),
    )  # fmt: skip
