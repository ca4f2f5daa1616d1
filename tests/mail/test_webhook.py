"""The webhook: its requests and their signatures, the addresses that are refused, and the settings that can be read back."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lockstep.actions import outgoing_mail, webhook
from lockstep.actions.audit import AuditFilter, list_entries
from lockstep.actions.context import Context
from lockstep.actions.outgoing_mail import MailRow, MailState
from lockstep.errors import LockstepError
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.storage.outgoing_mail import Audience, NewMail, write
from lockstep.vault import Secret
from tests.support.hub import Hub
from tests.support.webhook_receiver import WebhookReceiver

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
async def context(hub: Hub, receiver: WebhookReceiver) -> AsyncIterator[Context]:
    client = HttpClient(OutboundRules(["127.0.0.0/8", receiver.url.rpartition("/hooks")[0]]))
    yield replace(hub.context, http=lambda: client)
    await client.close()


async def put(context: Context, event: str = "e1") -> None:
    async with context.recording() as connection:
        mail = NewMail(
            kind="quarantine", event=event, audience=Audience.WEBHOOK, recipient="https://hooks.test", subject="Documo is in quarantine",
            text="The credentials were refused.\n", html="", facts={},
        )  # fmt: skip
        await write(connection, mail)


async def only(context: Context) -> MailRow:
    [row] = await outgoing_mail.list_outgoing_mail(context)
    return row


async def test_a_notification_is_sent_once_as_json_with_the_text_that_slack_shows(
    context: Context, receiver: WebhookReceiver
) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url))
    await put(context)

    assert await outgoing_mail.send_due_mail(context) == 1
    assert await outgoing_mail.send_due_mail(context) == 0

    [got] = receiver.received
    assert got.headers["content-type"] == "application/json" and "webhook-signature" not in got.headers
    assert got.json["kind"] == "quarantine" and got.json["application"] is None
    assert got.json["text"] == "Documo is in quarantine\n\nThe credentials were refused."
    assert got.json["id"] == got.headers["webhook-id"] == (await only(context)).id
    assert (await only(context)).state == MailState.SENT


async def test_a_request_is_signed_over_id_time_and_body(context: Context, receiver: WebhookReceiver) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url), secret=Secret(SECRET))
    await put(context)

    await outgoing_mail.send_due_mail(context)

    [got] = receiver.received
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(got.headers["webhook-timestamp"]) - context.now().timestamp()) < 300


async def test_a_refused_notification_is_tried_again_with_the_same_id(
    context: Context, hub: Hub, receiver: WebhookReceiver
) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url))
    await put(context)
    receiver.status = 500

    await outgoing_mail.send_due_mail(context)
    row = await only(context)
    receiver.status = 200
    await hub.fetch("update outgoing_mail set due_at = now()")
    await outgoing_mail.send_due_mail(context)

    assert row.state == MailState.WAITING and row.problem == "The webhook answered with HTTP 500"
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (await only(context)).state == MailState.SENT


async def test_a_redirect_is_not_followed(context: Context, receiver: WebhookReceiver) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url))
    receiver.status, receiver.location = 307, receiver.url + "/elsewhere"

    probes = await webhook.send_test_webhook(context)

    assert len(receiver.received) == 1
    assert [one.passed for one in probes] == [True, True, False]
    assert "Redirects are not followed" in probes[-1].remedy


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x", "https://169.254.169.254/latest/meta-data", "https://10.1.2.3/x", "https://user:word@hooks.example.com/x",
        "https://localhost:1/x", "file:///etc/passwd", "https://[::ffff:169.254.169.254]/x", "not an address",
    ],
)  # fmt: skip
async def test_an_address_that_the_outbound_rules_refuse_is_not_stored(hub: Hub, url: str) -> None:
    client = HttpClient(OutboundRules())
    context = replace(hub.context, http=lambda: client)

    with pytest.raises(LockstepError, match="cannot be used"):
        await webhook.set_webhook(context, url=Secret(url))

    assert await webhook.show_webhook(context) is None
    await client.close()


async def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_called(hub: Hub) -> None:
    async def lookup(host: str, port: int) -> object:
        import socket

        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))]

    client = HttpClient(OutboundRules(), lookup=lookup)
    context = replace(hub.context, http=lambda: client)
    await webhook.set_webhook(context, url=Secret("https://hooks.example.com/x"))

    address, connection, answer = await webhook.send_test_webhook(context)

    assert not address.passed and "10.0.0.7" in address.sentence
    assert not connection.tried and not answer.tried
    await client.close()


async def test_address_and_secret_are_stored_encrypted_and_shown_nowhere(
    context: Context, hub: Hub, receiver: WebhookReceiver
) -> None:
    view = await webhook.set_webhook(context, url=Secret(receiver.url), secret=Secret(SECRET))

    [(address, secret)] = await hub.fetch("select address, secret from webhook")
    entries = str(await list_entries(context, AuditFilter(), limit=10))
    assert view.origin == receiver.url.rpartition("/hooks")[0] and view.is_signed
    assert isinstance(address, bytes) and isinstance(secret, bytes)
    assert b"very-secret" not in address and SECRET.encode() not in secret
    assert "Set webhook" in entries and "very-secret" not in entries and SECRET not in entries


async def test_the_signing_secret_is_not_used_for_another_receiver(context: Context, receiver: WebhookReceiver) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url), secret=Secret(SECRET))

    kept = await webhook.set_webhook(context, url=Secret(receiver.url + "/other"))
    with pytest.raises(LockstepError, match="signing secret is missing"):
        await webhook.set_webhook(context, url=Secret("https://hooks.example.com/x"))

    assert kept.is_signed


@pytest.mark.parametrize("secret", ["short", "whsec_!!!not base64!!!", "whsec_" + base64.b64encode(b"short").decode()])
async def test_a_weak_signing_secret_is_refused(context: Context, receiver: WebhookReceiver, secret: str) -> None:
    with pytest.raises(LockstepError, match="signing secret"):
        await webhook.set_webhook(context, url=Secret(receiver.url), secret=Secret(secret))


async def test_a_removed_webhook_gives_up_only_what_waits_for_it(
    context: Context, hub: Hub, receiver: WebhookReceiver
) -> None:
    await webhook.set_webhook(context, url=Secret(receiver.url))
    await put(context)
    async with context.recording() as connection:
        await write(
            connection,
            NewMail(kind="held", event="e2", recipient="it@contoso.test", subject="s", text="t", html="t", facts={}),
        )

    await webhook.remove_webhook(context)

    assert await hub.fetch("select audience, state from outgoing_mail order by audience") == [
        ("application", "waiting"),
        ("webhook", "failed"),
    ]
