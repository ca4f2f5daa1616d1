"""The mail server, the webhook and the outbox, as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions.mail_server import MailServerView
from lockstep.actions.rows.times import iso, iso_time
from lockstep.actions.webhook import WebhookView
from lockstep.storage.outgoing_mail import MailRow, MailState


class MailServerJson(TypedDict):
    host: str
    port: int
    security: str
    sender: str
    user: str
    hasPassword: bool


class WebhookJson(TypedDict):
    origin: str
    isSigned: bool


class MailJson(TypedDict):
    id: str
    kind: str
    audience: str
    application: str
    recipient: str
    subject: str
    state: str
    writtenAt: str
    attempts: int
    nextAttemptAt: str | None
    endedAt: str | None
    problem: str
    remedy: str


def mail_server_json(row: MailServerView) -> MailServerJson:
    return {
        "host": row.host,
        "port": row.port,
        "security": row.security,
        "sender": row.sender,
        "user": row.user,
        "hasPassword": row.has_password,
    }


def webhook_json(row: WebhookView) -> WebhookJson:
    return {"origin": row.origin, "isSigned": row.is_signed}


def mail_json(row: MailRow) -> MailJson:
    return {
        "id": row.id,
        "kind": row.kind,
        "audience": row.audience,
        "application": row.app_name,
        "recipient": row.recipient,
        "subject": row.subject,
        "state": row.state,
        "writtenAt": iso_time(row.written_at),
        "attempts": row.attempts,
        "nextAttemptAt": iso(row.due_at) if row.state == MailState.WAITING else None,
        "endedAt": iso(row.ended_at),
        "problem": row.problem,
        "remedy": row.remedy,
    }
