"""Settings > Webhook: it is entered, tested and removed, and its address is not shown again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.actions.permissions import Role
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub
from tests.support.webhook_receiver import WebhookReceiver

HERE = "/settings/webhook"
SECRET = "a secret of more than sixteen bytes"


@pytest.fixture
async def centre(hub: Hub, receiver: WebhookReceiver) -> AsyncIterator[Centre]:
    async with serving_centre(hub, allow=["127.0.0.0/8", receiver.url.rpartition("/hooks")[0]]) as running:
        yield running


async def test_a_webhook_is_entered_tested_step_by_step_and_removed(
    centre: Centre, admin: Browser, receiver: WebhookReceiver
) -> None:
    empty = await admin.get(HERE)
    wrong = await admin.post(HERE, {"url": "https://169.254.169.254/x"})
    saved = await admin.post(HERE, {"url": receiver.url, "secret": SECRET})
    tested = await admin.post(f"{HERE}/test")
    receiver.status = 404
    refused = await admin.post(f"{HERE}/test")
    kept = await admin.post(f"{HERE}/remove", {"confirmation": "no"})
    removed = await admin.post(f"{HERE}/remove", {"confirmation": "remove"})

    assert "No webhook is set up" in empty.text and "lockstep webhook show" not in empty.html
    assert wrong.status == 400 and "metadata" in wrong.text
    assert (saved.status, saved.location) == (303, HERE)
    assert "The receiver accepted the test notification" in tested.text
    assert "webhook-signature" in receiver.received[0].headers
    assert "HTTP 404" in refused.text and "the receiver does not know it" in refused.text
    assert (kept.status, removed.status) == (400, 303)


async def test_address_and_secret_are_shown_to_nobody_again(
    centre: Centre, admin: Browser, receiver: WebhookReceiver
) -> None:
    await admin.post(HERE, {"url": receiver.url, "secret": SECRET})
    auditor = await centre.signed_in(Role.AUDITOR)

    pages = [await admin.get(HERE), await auditor.get(HERE), await admin.get("/logs/audit")]
    refused = await auditor.post(f"{HERE}/test")

    for page in pages[:2]:
        assert receiver.url.rpartition("/hooks")[0] in page.text
    for page in pages:
        assert "very-secret" not in page.html and SECRET not in page.html
    assert "Save" not in pages[1].text and refused.status == 403


async def test_signing_is_stopped_by_the_check_box_and_else_kept(
    centre: Centre, admin: Browser, receiver: WebhookReceiver
) -> None:
    await admin.post(HERE, {"url": receiver.url, "secret": SECRET})
    await admin.post(HERE, {"url": "", "secret": ""})
    await admin.post(f"{HERE}/test")
    await admin.post(HERE, {"url": "", "secret": "", "unsigned": "on"})
    await admin.post(f"{HERE}/test")

    assert ["webhook-signature" in one.headers for one in receiver.received] == [True, False]
