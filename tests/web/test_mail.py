"""Settings > Mail: the server is entered, tested and removed, and the outbox shows what became of each message."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from lockstep.storage.outgoing_mail import NewMail, write
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub
from tests.support.mail_sink import MailSink, mail_sink

HERE = "/settings/mail"


@pytest.fixture
async def centre(hub: Hub) -> AsyncIterator[Centre]:
    async with serving_centre(hub, allow=["127.0.0.0/8"]) as running:
        yield running


def form(sink: MailSink, **more: str) -> dict[str, str]:
    return {
        "host": "127.0.0.1", "port": str(sink.port), "security": "none", "sender": "lockstep@contoso.test", "user": "", **more
    }  # fmt: skip


async def test_server_is_entered_tested_and_removed(centre: Centre, admin: Browser) -> None:
    async with mail_sink() as sink:
        empty = await admin.get(HERE)
        wrong = await admin.post(HERE, form(sink, sender="nobody"))
        saved = await admin.post(HERE, form(sink))
        tested = await admin.post(f"{HERE}/test", {"address": "it@contoso.test"})
        sink.refuses = lambda stage, address: "550 No such user" if stage == "RCPT" else ""
        refused = await admin.post(f"{HERE}/test", {"address": "it@contoso.test"})
        kept = await admin.post(f"{HERE}/remove", {"confirmation": "no"})
        removed = await admin.post(f"{HERE}/remove", {"confirmation": "remove"})

    assert "No mail server is set up" in empty.text
    assert "lockstep mail show" not in empty.html  # it would fail
    assert (wrong.status, '"nobody" is not a valid from address' in wrong.text) == (400, True)
    assert (saved.status, saved.location) == (303, HERE)
    assert "The server accepted the test mail" in tested.text
    assert len(sink.messages) == 1
    assert "No such user" in refused.text and "Not tried, because of the failure above" in refused.text
    assert (kept.status, removed.status) == (400, 303)


async def test_password_is_never_shown_and_asked_for_again_for_another_server(centre: Centre, admin: Browser) -> None:
    async with mail_sink() as sink:
        await admin.post(HERE, form(sink, user="ada", password="top secret"))
        page = await admin.get(HERE)
        moved = await admin.post(HERE, form(sink, user="ada", host="localhost"))

    assert "stored" in page.html and "top secret" not in page.html
    assert (moved.status, "The password of ada is missing" in moved.text) == (400, True)


async def test_outbox_shows_messages_and_sends_a_failed_one_again(centre: Centre, admin: Browser) -> None:
    assert "No mail yet" in (await admin.get(f"{HERE}/outbox")).text
    async with centre.hub.pool.connection() as connection:
        mail = NewMail(
            kind="held", event="e", recipient="it@contoso.test", subject="<b>Documo</b>", text="t", html="h", facts={}
        )
        await write(connection, mail)
    await centre.hub.fetch("update outgoing_mail set state = 'failed', problem = 'No such user', ended_at = now()")
    async with mail_sink() as sink:
        await admin.post(HERE, form(sink))
    [(message,)] = await centre.hub.fetch("select id::text from outgoing_mail")

    page = await admin.get(f"{HERE}/outbox?state=failed")
    await applications.add_application(centre.hub.context, "documo")
    home = await admin.get("/")
    again = await admin.post(f"{HERE}/outbox/retry", {"message": str(message)})

    assert "<b>Documo</b>" in page.text and "No such user" in page.text
    assert again.status == 303
    assert "1 message could not be delivered in the last 7 days: No such user" in home.text
    assert "No message is in this state" in (await admin.get(f"{HERE}/outbox?state=failed")).text
    assert await centre.hub.fetch("select state from outgoing_mail") == [("waiting",)]


async def test_operator_sees_mail_and_changes_nothing(centre: Centre) -> None:
    operator = await centre.signed_in(Role.OPERATOR)
    page = await operator.get(HERE)

    assert page.status == 200 and "Save" not in page.text
    assert (await operator.post(HERE, {"host": "x.test", "sender": "a@x.test"})).status == 403
    assert (await (await centre.signed_in(Role.HELP_DESK)).get(HERE)).status == 403


async def test_pages_say_that_no_mail_is_sent_only_while_no_server_is_set_up(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    before = await admin.get("/apps/documo/provisioning/settings")
    async with mail_sink() as sink:
        await admin.post(HERE, form(sink))
    await centre.hub.fetch(
        'update config_version set config = config || \'{"notificationEmail": "it+1@contoso.test"}\''
    )
    after = await admin.get("/apps/documo/provisioning/settings")
    test = await admin.get("/settings/mail?to=it%2B1%40contoso.test")

    assert "No mail server is set up" in before.text
    assert "No mail server is set up" not in after.text and "enters or leaves quarantine" in after.text
    assert "/settings/mail" not in before.html.split("Notification Email")[1].split("Accidental")[0]
    assert 'href="/settings/mail?to=it%2B1%40contoso.test"' in after.html
    assert 'value="it+1@contoso.test"' in test.html
