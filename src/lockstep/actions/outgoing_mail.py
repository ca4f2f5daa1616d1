"""The outbox: send the messages that are due, and show which messages were sent, are waiting or were given up.

Delivery is at least once: if the process dies after the server has accepted a message, but before Lockstep has recorded this, the message
is sent again with the same Message-ID. Failed attempts are repeated after growing pauses, and the message is given up after two days.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from datetime import timedelta

import structlog

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, Level
from lockstep.actions.mail_server import server_of
from lockstep.actions.permissions import Permission
from lockstep.actions.webhook import client_of, webhook_of
from lockstep.engine.decisions.patience import growing_pause
from lockstep.errors import LockstepError, conflict, not_found
from lockstep.mail.addresses import mail_address
from lockstep.mail.delivery import DELIVERY_SECONDS, deliver
from lockstep.mail.failures import MailFailure, MailStep
from lockstep.mail.message import OutgoingMessage
from lockstep.mail.webhook import WebhookMessage, WebhookStep, call
from lockstep.storage import audit_log, mail_server, webhook
from lockstep.storage import outgoing_mail as store
from lockstep.storage.mail_server import MailServerRow
from lockstep.storage.outgoing_mail import BY_MAIL, Audience, ClaimedMail
from lockstep.storage.outgoing_mail import MailRow as MailRow
from lockstep.storage.outgoing_mail import MailState as MailState
from lockstep.storage.webhook import WebhookRow
from lockstep.wording import counted

GIVES_UP_AFTER = timedelta(days=2)
LEASE = timedelta(seconds=DELIVERY_SECONDS + 30)
_MOST = 5  # messages that one process sends at once
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_SHOWN_FOR = timedelta(days=7)

log = structlog.get_logger("lockstep.actions.outgoing_mail")


@dataclass(frozen=True, slots=True)
class Ways:
    """The mail server and the webhook through which messages are sent at present. Each is None if it is not set up."""

    server: MailServerRow | None
    webhook: WebhookRow | None

    @property
    def audiences(self) -> list[Audience]:
        return [*(BY_MAIL if self.server else ()), *((Audience.WEBHOOK,) if self.webhook else ())]


@needs(Permission.MAIL_WRITE)
async def send_due_mail(context: Context) -> int:
    """Send the messages that are due. Returns the number of messages that Lockstep tried to send. Messages for a mail server or a webhook
    that is not set up keep waiting.
    """
    async with context.recording() as connection:
        ways = Ways(await mail_server.read_server(connection), await webhook.read_webhook(connection))
        due = await store.claim_due(connection, audiences=ways.audiences, lease=LEASE, most=_MOST)
    ended = await asyncio.gather(*(_take_turn(context, ways, mail) for mail in due), return_exceptions=True)
    for failed in ended:
        if isinstance(failed, BaseException):
            raise failed
    return len(due)


@needs(Permission.MAIL_READ)
async def list_outgoing_mail(
    context: Context, *, state: MailState | None = None, after: str = "", limit: int = 50
) -> list[MailRow]:
    """Return messages, newest first. *after* is the id of the last message on the previous page."""
    async with context.reading() as connection:
        return await store.list_mail(connection, states=[state] if state else (), after=after, limit=limit)


@needs(Permission.MAIL_WRITE)
async def retry_mail(context: Context, mail: str) -> MailRow:
    """Retry a message that was given up. Raises LockstepError if there is no such message, or if it was not given up."""
    async with context.recording() as connection:
        is_again = await store.retry(connection, mail)
        found = await store.list_mail(connection, ids=[mail], limit=1)
        if not found:
            raise not_found(f"There is no message {mail[:50]}", next_step="See: lockstep mail list")
        [row] = found
        if not is_again:
            raise conflict(
                f"Only a message that failed for good can be sent again; this one is {row.state}",
                next_step="See: lockstep mail list --state failed",
            )
        await audit_log.append(
            connection, actor=context.actor.name, activity="Send a mail again", target=row.subject,
            after={"id": row.id},
        )  # fmt: skip
    return row


@needs(Permission.MAIL_READ)
async def examine_mail(context: Context) -> list[HealthFinding]:
    """Return findings about mail: whether a server is set up, and whether messages wait or were given up. Connects to nothing."""
    async with context.reading() as connection:
        ways = Ways(await mail_server.read_server(connection), await webhook.read_webhook(connection))
        trouble = await store.count_trouble(connection, since=_SHOWN_FOR)
    name = "mail"
    if not ways.audiences:
        return []
    try:
        if ways.server is not None:
            server_of(context, ways.server)
        if ways.webhook is not None:
            webhook_of(context, ways.webhook)
    except LockstepError as unreadable:
        return [HealthFinding(name, Level.FAIL, f"{unreadable.detail}. {unreadable.why}", unreadable.next_step)]
    if trouble.failed:
        text = f"{counted(trouble.failed, 'message')} could not be delivered in the last 7 days: {trouble.problem}"
        return [HealthFinding(name, Level.FAIL, text, "See which: lockstep mail list --state failed")]
    if trouble.delayed:
        verb = "waits" if trouble.delayed == 1 else "wait"
        text = f"{counted(trouble.delayed, 'message')} {verb} for another attempt: {trouble.problem}"
        return [HealthFinding(name, Level.WARN, text, "See which: lockstep mail list --state waiting")]
    server, hook = ways.server, ways.webhook
    sent = [f"mail is sent through {server.host}:{server.port}"] if server else []
    sent += [f"notifications are sent to {hook.origin}"] if hook else []
    return [HealthFinding(name, Level.OK, "; ".join(sent))]


async def _take_turn(context: Context, ways: Ways, mail: ClaimedMail) -> None:
    failed = await _send(context, ways, mail)
    async with context.recording() as connection:
        if failed is None:
            await store.note_sent(connection, mail.id, attempt=mail.attempts)
            return
        pause = growing_pause(mail.attempts, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        is_over = failed.is_final or context.now() + pause - mail.written_at > GIVES_UP_AFTER
        await store.note_failure(
            connection, mail.id, attempt=mail.attempts, problem=failed.sentence, remedy=failed.remedy,
            again_after=None if is_over else pause,
        )  # fmt: skip
    log.warning(
        "mail_given_up" if is_over else "mail_not_sent", mail=mail.id, attempt=mail.attempts, step=failed.step.value,
        reason=failed.sentence,
    )  # fmt: skip


async def _send(context: Context, ways: Ways, mail: ClaimedMail) -> MailFailure | None:
    is_for_webhook = mail.audience == Audience.WEBHOOK
    try:
        if is_for_webhook:
            await _call(context, ways, mail)
        else:
            await _deliver(context, ways, mail)
    except MailFailure as failed:
        return failed
    except LockstepError as failed:  # a secret cannot be decrypted
        return MailFailure(WebhookStep.ADDRESS if is_for_webhook else MailStep.SIGN_IN, failed.detail, failed.next_step)
    except Exception as fault:  # one message must not stop the others
        at = traceback.extract_tb(fault.__traceback__)[-1]
        log.error("mail_fault", mail=mail.id, fault=type(fault).__name__, at=f"{at.filename}:{at.lineno}")
        return MailFailure(
            MailStep.MESSAGE,
            f"The message could not be built or sent, because of a bug ({type(fault).__name__})",
            "Report it, with the log line mail_fault",
        )
    return None


async def _deliver(context: Context, ways: Ways, mail: ClaimedMail) -> None:
    assert ways.server is not None  # noqa: S101  # claimed only if there is one
    recipient = mail_address(mail.recipient)
    if not recipient:
        sentence = f'"{mail.recipient[:100]}" is not an address that mail can be sent to'
        raise MailFailure(MailStep.RECIPIENT, sentence, "Correct the notification address", is_final=True)
    message = OutgoingMessage(
        mail.id, ways.server.sender, recipient, mail.subject, mail.body_text, mail.body_html, mail.written_at
    )
    await deliver(server_of(context, ways.server), message)


async def _call(context: Context, ways: Ways, mail: ClaimedMail) -> None:
    assert ways.webhook is not None  # noqa: S101  # claimed only if there is one
    message = WebhookMessage(mail.id, mail.kind, mail.app_name, mail.subject, mail.body_text, mail.written_at)
    await call(client_of(context), webhook_of(context, ways.webhook), message, now=context.now())
