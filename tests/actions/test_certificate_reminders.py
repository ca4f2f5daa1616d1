"""Reminders that a signing certificate expires: one for each threshold, however many processes run and however often they restart."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from lockstep.actions import applications, audit, mail_server, outgoing_mail
from lockstep.actions.context import Context
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.single_sign_on import certificates, settings
from lockstep.actions.single_sign_on.reminders import remind_of_certificates
from lockstep.mail.delivery import MailSecurity
from lockstep.postgres.database import Database
from lockstep.storage.audit_log import AuditFilter
from tests.support.hub import Hub
from tests.support.reminding_process import DATABASE
from tests.support.reused_databases import ReusedDatabase

ROOT = Path(__file__).resolve().parents[2]
ACTIVITY = "Remind of signing certificate"


@pytest.fixture
async def context(hub: Hub) -> Context:
    await applications.add_application(hub.context, "documo")
    await settings.change_sign_on(hub.context, "documo", {"mode": "saml"})
    return hub.context


async def end_of(context: Context) -> datetime:
    view = await settings.show_sign_on(context, "documo")
    return next(one.not_after for one in view.certificates if one.is_active)


def before(context: Context, end: datetime, days: float) -> Context:
    return replace(context, now=lambda: end - timedelta(days=days))


async def recorded(context: Context) -> list[int]:
    """The days of the reminders in the audit log, from the first to the last."""
    entries = await audit.list_entries(context, AuditFilter())
    return [after_of(one.after)["days"] for one in reversed(entries) if one.activity == ACTIVITY]


def after_of(after: Mapping[str, Any] | None) -> Mapping[str, Any]:
    assert after is not None
    return after


async def test_each_threshold_reminds_once_in_the_audit_log_and_in_the_log(context: Context) -> None:
    end = await end_of(context)

    with structlog.testing.capture_logs() as lines:
        for days in (61, 60, 59, 31, 30, 29.9, 8, 7, 6, 0.5, -3):
            await remind_of_certificates(before(context, end, days))

    assert await recorded(context) == [60, 30, 7]
    events = [line for line in lines if line["event"] == "signing_certificate_ends"]
    assert [(line["application"], line["reminder_days"]) for line in events] == [
        ("documo", 60), ("documo", 30), ("documo", 7)
    ]  # fmt: skip


async def use_mail(context: Context) -> None:
    await mail_server.set_mail_server(context, MailServerChange("mail.test", "l@contoso.test"))
    await settings.change_sign_on(context, "documo", {"notificationEmail": "it@contoso.test"})


async def test_each_reminder_mails_the_notification_email_once(context: Context, hub: Hub) -> None:
    await use_mail(context)
    end = await end_of(context)

    for days in (61, 60, 59, 30, 7, 6, -3):
        await asyncio.gather(*(remind_of_certificates(before(context, end, days)) for _ in range(3)))

    mails = await hub.fetch("select kind, recipient, subject, body_text from outgoing_mail order by written_at")
    assert [mail[:2] for mail in mails] == [("certificate", "it@contoso.test")] * 3
    assert {str(mail[2]).split(": ")[1] for mail in mails} == {"a signing certificate expires soon"}
    assert f"Expiration: {end:%H:%M UTC on %-d %B %Y}." in str(mails[0][3])


async def test_reminder_mails_nobody_without_a_notification_email_or_a_mail_server(context: Context, hub: Hub) -> None:
    end = await end_of(context)
    await settings.change_sign_on(context, "documo", {"notificationEmail": "it@contoso.test"})
    await remind_of_certificates(before(context, end, 45))
    await use_mail(context)
    await settings.change_sign_on(context, "documo", {"notificationEmail": ""})
    await remind_of_certificates(before(context, end, 20))

    assert await recorded(context) == [60, 30]
    assert await hub.fetch("select event from outgoing_mail") == []


async def test_processes_that_remind_at_once_give_one_reminder_between_them(context: Context) -> None:
    then = before(context, await end_of(context), 45)

    given = await asyncio.gather(*(remind_of_certificates(then) for _ in range(6)))

    assert sum(map(len, given)) == 1
    assert await recorded(context) == [60]


async def reminding(database: Database, now: datetime) -> asyncio.subprocess.Process:
    """A process that has its database open and waits for a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.reminding_process", now.isoformat(), cwd=ROOT,
        env={**os.environ, DATABASE: database.conninfo}, stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None and await process.stdout.readuntil(b"ready\n")
    return process


async def test_two_processes_at_once_record_one_reminder_and_write_one_mail(
    context: Context, reused_lockstep_database: ReusedDatabase
) -> None:
    await mail_server.set_mail_server(
        context, MailServerChange("127.0.0.1", "lockstep@contoso.test", MailSecurity.NONE, 25)
    )
    await settings.change_sign_on(context, "documo", {"notificationEmail": "idm@contoso.test"})
    now = await end_of(context) - timedelta(days=45)
    processes = [await reminding(reused_lockstep_database.database, now) for _ in range(2)]

    answers = await asyncio.gather(*(one.communicate(b"\n") for one in processes))
    lines = [line for output, _ in answers for line in output.splitlines()]

    assert sorted(line for line in lines if line.isdigit()) == [b"0", b"1"]
    assert len([line for line in lines if b"signing_certificate_ends" in line]) == 1
    assert await recorded(context) == [60]
    assert [row.recipient for row in await outgoing_mail.list_outgoing_mail(context)] == ["idm@contoso.test"]


async def test_thresholds_that_passed_while_nothing_ran_give_one_reminder(context: Context) -> None:
    [given] = await remind_of_certificates(before(context, await end_of(context), 5))

    assert (given.days, given.ending.app_name, given.ending.is_urgent) == (7, "documo", True)
    assert await recorded(context) == [7]


async def test_a_new_certificate_is_reminded_of_by_itself_once_it_is_active(context: Context) -> None:
    end = await end_of(context)
    await remind_of_certificates(before(context, end, 5))
    await certificates.add_certificate(context, "documo")

    assert await remind_of_certificates(before(context, end, 5)) == []
    view = await settings.show_sign_on(context, "documo")
    [second] = [one.thumbprint for one in view.certificates if not one.is_active]
    await certificates.activate_certificate(context, "documo", second)

    assert [one.days for one in await remind_of_certificates(before(context, await end_of(context), 20))] == [30]


async def test_an_application_without_saml_is_not_mentioned(context: Context) -> None:
    end = await end_of(context)
    await settings.change_sign_on(context, "documo", {"mode": "disabled"})

    assert await remind_of_certificates(before(context, end, 5)) == []


async def test_a_reminder_whose_record_fails_is_given_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    then = before(context, await end_of(context), 50)

    async def fails(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr("lockstep.storage.audit_log.append", fails)
        with pytest.raises(ConnectionError):
            await remind_of_certificates(then)

    assert len(await remind_of_certificates(then)) == 1
    assert await recorded(context) == [60]
