"""`lockstep mail`: set up, test step by step, list and send again, on a server and on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from email.message import Message as Arrived

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn
from tests.support.serving_process import GIVE_UP_SECONDS, free_port, process
from tests.support.thread_server import served_in_a_thread
from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver


class Mailbox(Message):
    """Keeps the subjects of the messages that arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[str] = []

    def handle_message(self, message: Arrived) -> None:
        self.subjects.append(str(message["Subject"]))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def hooks() -> Iterator[WebhookReceiver]:
    async def serve(ready: Callable[[WebhookReceiver], None], stop: asyncio.Event) -> None:
        async with webhook_receiver() as receiver:
            ready(receiver)
            await stop.wait()

    with served_in_a_thread(serve) as receiver:
        yield receiver


def test_mail_server_is_set_up_and_tested_step_by_step(contoso: Lockstep, port: int) -> None:
    assert contoso("mail", "show").code == 5
    assert contoso("mail", "set", "--host", "127.0.0.1").code == 64

    made = contoso(
        "mail", "set", "--host", "127.0.0.1", "--from", "l@contoso.test", "--security", "none", "--port", str(port)
    )
    blocked = contoso("mail", "test", "it@contoso.test")
    contoso("outbound", "add", f"smtp://127.0.0.1:{port}")
    tested = contoso("mail", "test", "it@contoso.test", "-o", "json")

    assert made.code == 0 and f"127.0.0.1:{port}" in made.out
    assert blocked.code == 69 and f"lockstep outbound add smtp://127.0.0.1:{port}" in blocked.err
    assert tested.code == 0
    assert [one["name"] for one in tested.json["items"]] == [
        "Address of the server", "Connection", "Greeting", "Sender", "Recipient", "Message",
    ]  # fmt: skip
    assert "note:" not in contoso("settings", "documo", "--notification-email", "it@contoso.test").err


def test_webhook_is_set_tested_changed_and_removed_without_showing_its_address(
    contoso: Lockstep, hooks: WebhookReceiver
) -> None:
    origin = hooks.url.partition("/hooks")[0]
    contoso("outbound", "add", origin)

    made = contoso("webhook", "set", "--url-stdin", stdin=f"{hooks.url}\n")
    signed = contoso("webhook", "set", "--secret-stdin", stdin="a secret of five words\n")
    tested = contoso("webhook", "test", "-o", "json")
    removed = contoso("webhook", "remove", "--yes")

    assert made.code == 0 and f"Address   {origin}/..." in made.out and "Signed    no" in made.out
    assert "lockstep webhook test" in made.err
    assert "Signed    yes" in signed.out
    assert tested.code == 0 and len(hooks.received) == 1 and "webhook-signature" in hooks.received[0].headers
    assert removed.code == 0 and contoso("webhook", "show").code == 5
    assert "very-secret" not in "".join(said.out + said.err for said in (made, signed, tested))


def test_running_server_mails_once_when_an_application_enters_quarantine(
    connected: Lockstep, documo: DocumoThere, mailbox: Mailbox, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKSTEP_OUTBOUND_ALLOW")  # so that Documo cannot be reached
    connected("outbound", "add", f"smtp://127.0.0.1:{port}")
    connected(
        "mail", "set", "--host", "127.0.0.1", "--from", "l@contoso.test", "--security", "none", "--port", str(port)
    )
    connected("settings", "documo", "--notification-email", "it@contoso.test", "--email-on-failure")
    with process("lockstep", "serve", "--port", str(free_port()), ready="Lockstep is listening"):
        connected("start", "documo")
        until(lambda: mailbox.subjects == ["Documo: provisioning is in quarantine"])
        connected("outbound", "add", documo.origin)
        until(lambda: len(mailbox.subjects) == 2)

    assert mailbox.subjects[1] == "Documo: provisioning left quarantine"
    assert [row["state"] for row in connected("mail", "list", "-o", "json").json["items"]] == ["sent", "sent"]


def test_running_server_sends_what_waits_in_a_last_digest_once_notifications_are_immediate(
    started: Lockstep, mailbox: Mailbox, port: int
) -> None:
    started("outbound", "add", f"smtp://127.0.0.1:{port}")
    started("mail", "set", "--host", "127.0.0.1", "--from", "l@contoso.test", "--security", "none", "--port", str(port))
    started("settings", "documo", "--notification-email", "it@contoso.test", "--email-on-failure",
            "--notification-delivery", "digest", "--deletion-threshold", "1")  # fmt: skip
    with process("lockstep", "serve", "--port", str(free_port()), ready="Lockstep is listening"):
        started("people", "disable", upn("anna"), upn("bo"))
        until(lambda: len(started("deletes", "list", "documo", "-o", "json").json["items"]) == 2)
        until(lambda: all(one["endedDateTime"] for one in started("cycles", "documo", "-o", "json").json["items"]))
        assert mailbox.subjects == []

        started("settings", "documo", "--notification-delivery", "immediate")
        until(lambda: mailbox.subjects == ["Documo: daily digest: 2 changes wait for approval"])


def until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_password_comes_from_stdin_and_is_never_printed(contoso: Lockstep) -> None:
    given = (
        "mail",
        "set",
        "--host",
        "smtp.contoso.test",
        "--from",
        "l@contoso.test",
        "--user",
        "ada",
        "--password-stdin",
    )
    made = contoso(*given, stdin="top secret\n")
    changed = contoso("mail", "set", "--from", "other@contoso.test")
    elsewhere = contoso("mail", "set", "--host", "other.test")

    assert (made.code, changed.code, elsewhere.code) == (0, 0, 64)
    assert "Password  stored" in changed.out
    assert "top secret" not in made.out + made.err + changed.out
    assert "The password of ada is missing" in elsewhere.err


def test_removing_asks_and_lists_are_empty_before_the_first_message(contoso: Lockstep) -> None:
    contoso("mail", "set", "--host", "smtp.contoso.test", "--from", "l@contoso.test")

    assert "No messages." in contoso("mail", "list").out + contoso("mail", "list").err
    assert contoso("mail", "retry", "nothing").code == 5
    assert contoso("mail", "remove", "--yes").code == 0
    assert contoso("mail", "show").code == 5
