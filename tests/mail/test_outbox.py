"""The outbox: each message is sent once by any number of workers, again after a failure or a crash, and given up at the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lockstep.actions import mail_server, outgoing_mail
from lockstep.actions.audit import AuditFilter, list_entries
from lockstep.actions.context import Context
from lockstep.actions.health import Level
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.outgoing_mail import MailRow, MailState
from lockstep.actions.restore import enter_restore_mode
from lockstep.errors import LockstepError
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.mail.delivery import DELIVERY_SECONDS, MailSecurity
from lockstep.storage.outgoing_mail import NewMail, write
from lockstep.vault import Secret, Vault, VaultKey
from tests.support.hub import Hub
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.reused_databases import ReusedDatabase

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def context(hub: Hub) -> AsyncIterator[Context]:
    client = HttpClient(OutboundRules(["127.0.0.0/8"]))
    yield replace(hub.context, http=lambda: client)
    await client.close()


async def use(context: Context, sink: MailSink) -> None:
    change = MailServerChange("127.0.0.1", "lockstep@contoso.test", MailSecurity.NONE, sink.port)
    await mail_server.set_mail_server(context, change)


async def put(context: Context, event: str = "e1", recipient: str = "it@contoso.test") -> bool:
    async with context.recording() as connection:
        return await write(
            connection,
            NewMail(kind="failures", event=event, recipient=recipient, subject=event, text="t", html="<p>t", facts={}),
        )


async def only(context: Context) -> MailRow:
    [row] = await outgoing_mail.list_outgoing_mail(context)
    return row


async def make_due(hub: Hub) -> None:
    await hub.fetch("update outgoing_mail set due_at = now() where state = 'waiting'")


async def test_event_is_written_once_and_sent_once_by_workers_that_run_together(context: Context) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
        assert [await put(context), await put(context)] == [True, False]
        for number in range(12):
            await put(context, f"more {number}")

        while any(await asyncio.gather(*(outgoing_mail.send_due_mail(context) for _ in range(4)))):
            pass

    assert len(sink.messages) == 13
    assert len({mail["Message-ID"] for mail in sink.messages}) == 13
    assert {row.state for row in await outgoing_mail.list_outgoing_mail(context)} == {MailState.SENT}


async def test_message_of_a_transaction_that_fails_is_never_sent(context: Context) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
        with pytest.raises(ZeroDivisionError):
            async with context.together() as together:
                await put(together)
                raise ZeroDivisionError
        assert await outgoing_mail.send_due_mail(context) == 0

    assert sink.messages == []


async def test_slow_server_gets_no_message_twice_while_it_is_slow(context: Context) -> None:
    async with mail_sink() as sink:
        sink.wait = asyncio.Event()
        await use(context, sink)
        await put(context)
        first = asyncio.create_task(outgoing_mail.send_due_mail(context))
        await sink.reached.wait()

        assert await outgoing_mail.send_due_mail(context) == 0
        sink.wait.set()
        await first

    assert len(sink.messages) == 1
    assert (await only(context)).attempts == 1


async def test_process_killed_after_the_server_accepted_sends_the_same_message_id_again(
    context: Context, hub: Hub, reused_lockstep_database: ReusedDatabase
) -> None:
    async with mail_sink() as sink:
        sink.wait = asyncio.Event()
        await use(context, sink)
        await put(context)
        command = [sys.executable, "-m", "tests.mail.sender_to_kill", reused_lockstep_database.database.conninfo]
        killed = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        await sink.reached.wait()
        killed.kill()
        await killed.wait()
        sink.wait.set()
        assert await outgoing_mail.send_due_mail(context) == 0  # the lease of the killed one is in force

        await make_due(hub)
        await outgoing_mail.send_due_mail(context)
        assert await outgoing_mail.send_due_mail(context) == 0

    assert len(sink.messages) == 2
    assert len({mail["Message-ID"] for mail in sink.messages}) == 1
    assert (await only(context)).state == MailState.SENT


async def test_worker_that_lost_its_lease_records_nothing(context: Context, hub: Hub) -> None:
    async with mail_sink() as sink:
        sink.wait = asyncio.Event()
        sink.refuses = lambda stage, address: "550 No" if stage == "DATA" else ""
        await use(context, sink)
        await put(context)
        slow = asyncio.create_task(outgoing_mail.send_due_mail(context))
        await sink.reached.wait()
        await hub.fetch("update outgoing_mail set attempts = attempts + 1")
        sink.wait.set()
        await slow

    row = await only(context)
    assert (row.state, row.problem) == (MailState.WAITING, "")


async def test_refused_recipient_is_given_up_at_once_and_others_still_get_theirs(context: Context, hub: Hub) -> None:
    async with mail_sink() as sink:
        sink.refuses = lambda stage, address: "550 No such user" if address.startswith("gone") else ""
        await use(context, sink)
        await put(context, "e1", "gone@contoso.test")
        await put(context, "e2", "it@contoso.test")
        await put(context, "e3", "it@contoso.test\r\nBcc: eve@evil.test")
        await outgoing_mail.send_due_mail(context)
        await put(context, "e4")
        await hub.fetch("update outgoing_mail set problem = 'Greylisted' where state = 'waiting'")

    rows = {row.subject: row for row in await outgoing_mail.list_outgoing_mail(context)}
    assert sink.recipients == ["it@contoso.test"]
    assert [rows[one].state for one in ("e1", "e2", "e3")] == [MailState.FAILED, MailState.SENT, MailState.FAILED]
    assert rows["e1"].problem == "127.0.0.1 answered 550: No such user"
    [finding] = await outgoing_mail.examine_mail(context)
    assert "Greylisted" not in finding.text
    assert (finding.level, "2 messages could not be delivered" in finding.text) == (Level.FAIL, True)


async def test_unreachable_server_is_tried_again_with_growing_pauses_and_given_up_after_two_days(
    context: Context, hub: Hub
) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
    await put(context)
    pauses = []
    for _ in range(3):
        await make_due(hub)
        await outgoing_mail.send_due_mail(context)
        [(pause,)] = await hub.fetch(
            "select round(extract(epoch from due_at - clock_timestamp()) / 60)::int from outgoing_mail"
        )
        pauses.append(pause)
    assert pauses == [1, 2, 4]
    assert (await outgoing_mail.examine_mail(context))[0].level is Level.WARN

    await hub.fetch("update outgoing_mail set written_at = now() - interval '2 days'")
    await make_due(hub)
    await outgoing_mail.send_due_mail(context)

    row = await only(context)
    assert (row.state, row.attempts) == (MailState.FAILED, 4)
    assert "refuses connections" in row.problem


async def test_message_that_was_given_up_is_sent_again_on_request(context: Context) -> None:
    async with mail_sink() as sink:
        sink.refuses = lambda stage, address: "550 No" if stage == "RCPT" else ""
        await use(context, sink)
        await put(context)
        await outgoing_mail.send_due_mail(context)
        sink.refuses = lambda stage, address: ""

        await outgoing_mail.retry_mail(context, (await only(context)).id)
        await outgoing_mail.send_due_mail(context)

    assert (await only(context)).state == MailState.SENT
    with pytest.raises(LockstepError):
        await outgoing_mail.retry_mail(context, "no such id")
    with pytest.raises(LockstepError, match="failed for good can be sent again; this one is sent"):
        await outgoing_mail.retry_mail(context, (await only(context)).id)


async def test_without_a_server_nothing_is_claimed(context: Context) -> None:
    await put(context)

    assert await outgoing_mail.send_due_mail(context) == 0
    assert (await only(context)).attempts == 0


async def test_password_is_stored_sealed_and_goes_to_no_other_server(context: Context, hub: Hub) -> None:
    change = MailServerChange("smtp.contoso.test", "l@contoso.test", user="ada")
    await mail_server.set_mail_server(context, change, password=Secret("correct horse"))

    [(secret,)] = await hub.fetch("select secret from mail_server")
    assert isinstance(secret, bytes)
    assert b"correct horse" not in secret
    assert "correct horse" not in repr(await list_entries(context, AuditFilter()))
    await mail_server.set_mail_server(context, replace(change, sender="other@contoso.test"))
    for elsewhere in (replace(change, host="evil.test"), replace(change, user="eve"), replace(change, port=2525)):
        with pytest.raises(LockstepError, match="is missing"):
            await mail_server.set_mail_server(context, elsewhere)


async def test_password_that_another_key_sealed_is_reported_and_nothing_is_sent(context: Context) -> None:
    change = MailServerChange("localhost", "l@contoso.test", MailSecurity.NONE, user="ada")
    await mail_server.set_mail_server(context, change, password=Secret("x"))
    await put(context)
    other = replace(context, vault=Vault(VaultKey(b"x" * 32, b"j" * 8)))

    await outgoing_mail.send_due_mail(other)

    [finding] = await outgoing_mail.examine_mail(other)
    assert (finding.level, finding.remedy) == (Level.FAIL, "Enter it again: lockstep mail set --password-stdin")
    assert (await only(context)).problem == "The password for the mail server cannot be decrypted"


async def test_mail_that_waited_in_a_backup_is_not_sent_after_a_restore(context: Context) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
        await put(context)
        await enter_restore_mode(context, "backup.tar")
        assert await outgoing_mail.send_due_mail(context) == 0

    assert sink.messages == []


async def test_bug_while_sending_is_recorded_and_the_message_waits(context: Context, hub: Hub) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
    await put(context)
    await hub.fetch("update mail_server set host = 'a..b'")  # a name that cannot even be looked up

    assert await outgoing_mail.send_due_mail(context) == 1

    row = await only(context)
    assert row.state == MailState.WAITING
    assert "because of a bug (UnicodeError)" in row.problem


@pytest.mark.parametrize(("user", "password"), [("ada", ""), ("", "x")])
async def test_password_that_cannot_be_used_is_refused(context: Context, user: str, password: str) -> None:
    change = MailServerChange("localhost", "l@contoso.test", MailSecurity.NONE, user=user)

    with pytest.raises(LockstepError, match="password"):
        await mail_server.set_mail_server(context, change, password=Secret(password))


async def test_password_is_refused_for_an_unencrypted_connection_to_another_machine(context: Context) -> None:
    change = MailServerChange("smtp.contoso.test", "l@contoso.test", MailSecurity.NONE, user="a")

    with pytest.raises(LockstepError, match="unencrypted"):
        await mail_server.set_mail_server(context, change, password=Secret("x"))


async def test_test_mail_shows_every_step_up_to_the_one_that_failed(context: Context) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
        passed = await mail_server.send_test_mail(context, "it@contoso.test")
        sink.refuses = lambda stage, address: "550 Relaying denied" if stage == "RCPT" else ""
        failed = await mail_server.send_test_mail(context, "it@elsewhere.test")

    assert all(one.passed for one in passed)
    assert [one.name for one in failed if not one.passed] == ["Recipient", "Message"]
    assert [one.tried for one in failed][-2:] == [True, False]
    assert "Relaying denied" in failed[-2].sentence
    assert "the server may require a sign-in" in failed[-2].remedy
    with pytest.raises(LockstepError):
        await mail_server.send_test_mail(context, "it@contoso.test, eve@evil.test")


async def test_private_address_that_is_not_listed_is_not_connected_to(hub: Hub) -> None:
    async with mail_sink() as sink:
        await use(hub.context, sink)
        probes = await mail_server.send_test_mail(hub.context, "it@contoso.test")

    assert sink.messages == []
    assert "lockstep outbound add smtp://127.0.0.1" in probes[0].remedy


async def test_removed_server_sends_nothing_that_waited(context: Context) -> None:
    async with mail_sink() as sink:
        await use(context, sink)
        await put(context)
        await mail_server.remove_mail_server(context)
        await use(context, sink)
        assert await outgoing_mail.send_due_mail(context) == 0

    assert (await only(context)).problem == "The mail server was removed"


def test_lease_outlasts_the_longest_delivery() -> None:
    assert timedelta(seconds=DELIVERY_SECONDS) < outgoing_mail.LEASE
