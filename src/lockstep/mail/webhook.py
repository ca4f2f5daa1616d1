"""Send a notification to a webhook: one POST with JSON, signed as Standard Webhooks describes (HMAC-SHA256 over id, time and body).

The subject and the text of the notification are in the field `text`, which Slack and compatible services show. The outbound rules of the
client decide where the request may go, and redirects are not followed. Only the status of the response counts; the rest is discarded.
"""

from __future__ import annotations

import asyncio
import binascii
import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from lockstep.http.trouble import Trouble, WireError
from lockstep.mail.failures import MailFailure

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

CALL_SECONDS = 30.0
SECRET_PREFIX = "whsec_"  # noqa: S105  # of Standard Webhooks: the rest is base64
_ADDRESS = frozenset((Trouble.BLOCKED, Trouble.NO_SUCH_HOST))
_CONNECTION = frozenset((Trouble.NOT_CONNECTED, Trouble.TLS, Trouble.CONNECT_TIMEOUT))


class WebhookStep(StrEnum):
    """The steps of a call, in their order. The values are shown."""

    ADDRESS = "Address of the webhook"
    CONNECTION = "Connection"
    ANSWER = "Answer"


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address to which notifications are sent. Without *secret*, requests are not signed."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One notification. *id* stays the same whenever it is sent again. *application* is "" if the notification is not about an
    application.
    """

    id: str
    kind: str
    application: str
    subject: str
    text: str
    written_at: datetime


async def call(client: HttpClient, webhook: Webhook, message: WebhookMessage, *, now: datetime) -> int:
    """Send *message* and return the HTTP status. Raises MailFailure if no response arrives, or if the status is not 2xx."""
    body = body_of(message)
    stamp = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", "webhook-id": message.id, "webhook-timestamp": stamp}
    if webhook.secret:
        headers["webhook-signature"] = signature_of(webhook.secret, message.id, stamp, body)
    deadline = asyncio.get_running_loop().time() + CALL_SECONDS
    try:
        answer = await client.send("POST", webhook.url, headers=headers, body=body, deadline=deadline)
    except WireError as failed:
        step = (
            WebhookStep.ADDRESS if failed.trouble in _ADDRESS
            else WebhookStep.CONNECTION if failed.trouble in _CONNECTION
            else WebhookStep.ANSWER
        )  # fmt: skip
        raise MailFailure(step, failed.sentence, failed.next_step or "Check the address of the webhook") from None
    if not 200 <= answer.status < 300:
        raise MailFailure(WebhookStep.ANSWER, f"The webhook answered with HTTP {answer.status}", _remedy(answer.status))
    return answer.status


def body_of(message: WebhookMessage) -> bytes:
    """Return *message* as JSON."""
    return json.dumps(
        {
            "formatVersion": "1.0",
            "id": message.id,
            "kind": message.kind,
            "application": message.application or None,
            "writtenAt": message.written_at.isoformat(),
            "subject": message.subject,
            "text": f"{message.subject}\n\n{message.text}".strip(),
        },
        ensure_ascii=False,
    ).encode()


def signature_of(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`. The key for HMAC is `key_of(secret)`."""
    signed = f"{message_id}.{stamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


def key_of(secret: str) -> bytes:
    """Return the key for HMAC. If *secret* begins with `whsec_`, the key is the decoded base64 after this prefix; otherwise it is *secret*
    itself, as bytes.

    Raises ValueError if the part after the prefix is not base64.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _remedy(status: int) -> str:
    if 300 <= status < 400:
        return "Redirects are not followed. Enter the address that it redirects to"
    if status in (401, 403):
        return "Check the address and the signing secret: the receiver does not accept them"
    if status in (404, 410):
        return "Check the address: the receiver does not know it"
    return "Look into the log of the receiver. Lockstep tries again"
