"""The daily digest: what waits for it, when it is written, and that each notice is in exactly one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from lockstep.actions import mail_server, outgoing_mail, settings
from lockstep.actions.context import Context
from lockstep.actions.digests import write_due_digests
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.restore import enter_restore_mode
from lockstep.engine.decisions.digest_time import latest_digest_time
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.mail.delivery import MailSecurity
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage.webhook import WebhookRow, save_webhook
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.model_target import ModelTarget, answered
from tests.support.reused_databases import ReusedDatabase
from tests.support.sync_world import CONFIG, World

ROOT = Path(__file__).resolve().parents[2]
WANTED = {
    "notificationEmail": "it@contoso.test", "emailOnFailure": True, "notificationDelivery": "digest", "deletions": {"threshold": 2},
}  # fmt: skip
UNAUTHORIZED = answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized", detail="Documo refused the credentials")
REFUSED = answered(Verdict.REFUSED, status=400, code="Bad", detail="A department is missing", next_step="Give one")
ADDRESS = "https://id.contoso.test"


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with mail_sink() as sink:
        yield sink


@pytest.fixture
async def context(context: Context, world: World, sink: MailSink) -> AsyncIterator[Context]:
    """Anna, with a mail server; the application of these tests gets a daily digest."""
    client = HttpClient(OutboundRules(["127.0.0.0/8"]))
    context = replace(context, http=lambda: client)
    await mail_server.set_mail_server(
        context, MailServerChange("127.0.0.1", "lockstep@contoso.test", MailSecurity.NONE, sink.port)
    )
    await world.rows(
        "update instance set settings = settings || %s::jsonb returning 1", f'{{"publicAddress": "{ADDRESS}"}}'
    )
    await world.configure({**CONFIG, **WANTED})
    yield context
    await client.close()


def refuse(verb: str, key: str) -> Answer | None:
    return REFUSED if verb == "create" else None


async def let_fail(world: World, target: ModelTarget, numbers: range) -> None:
    """Let these people fail for an hour, so that they are reported."""
    target.before = refuse
    await world.add_people(numbers)
    await world.sync()
    await try_again(world)


async def try_again(world: World) -> None:
    """Let an hour pass for the people who fail, and try them again."""
    await world.rows("update dirty set first_failed_at = now() - interval '61 minutes', not_before = now() returning 1")
    await world.drain()


async def notice(world: World, *, hours_ago: float) -> None:
    """Let everything that was noted or mailed until now be older by *hours_ago*."""
    for table in ("digest_notice", "outgoing_mail"):
        await world.rows(f"update {table} set written_at = written_at - interval '{hours_ago} hours' returning 1")


def tomorrow(context: Context, *, days: int = 1) -> Context:
    """The same, a minute after a digest time that is in the future."""
    at = latest_digest_time(datetime.now(UTC)) + timedelta(days=days, minutes=1)
    return replace(context, now=lambda: at)


async def send(context: Context, sink: MailSink) -> list[EmailMessage]:
    """Send the messages that are due; return those that arrived since the last time."""
    before = len(sink.messages)
    while await outgoing_mail.send_due_mail(context):
        pass
    return sink.messages[before:]


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


async def subjects(world: World) -> list[str]:
    return [str(row[0]) for row in await world.rows("select subject from outgoing_mail order by written_at, subject")]


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2026-12-01T07:00:00+00:00", "2026-12-01T07:00:00+00:00"),
        ("2026-12-01T06:59:59+00:00", "2026-11-30T07:00:00+00:00"),
        ("2026-12-01T23:59:59+00:00", "2026-12-01T07:00:00+00:00"),
        ("2026-12-01T01:30:00-08:00", "2026-12-01T07:00:00+00:00"),
        ("2026-12-01T09:30:00+09:00", "2026-11-30T07:00:00+00:00"),
    ],
)
def test_digests_are_due_at_seven_utc(now: str, latest: str) -> None:
    assert latest_digest_time(datetime.fromisoformat(now)) == datetime.fromisoformat(latest)


async def test_one_mail_lists_by_kind_and_newest_first_what_was_noted(
    world: World, target: ModelTarget, context: Context, sink: MailSink
) -> None:
    await world.add_people(range(10, 60))
    await world.sync()
    await let_fail(world, target, range(2))
    await notice(world, hours_ago=2)
    await let_fail(world, target, range(2, 4))
    await world.unassign(range(10, 15))
    await world.drain()
    assert await send(context, sink) == []

    assert await write_due_digests(tomorrow(context)) == 1
    [mail] = await send(context, sink)

    assert mail["To"] == "it@contoso.test"
    assert str(mail["Subject"]).endswith(": daily digest: 5 changes wait for approval; 4 objects fail")
    for kind in ("plain", "html"):
        text = text_of(mail, kind)
        places = [
            text.index(words)
            for words in (
                "Changes that wait for approval", f"{ADDRESS}/apps/model/provisioning/held", "Objects that fail",
                "4 objects could not be provisioned", "4 objects: A department is missing. Next: Give one.",
                f"{ADDRESS}/logs/provisioning/failures", "Earlier:", "2 objects fail", "07:00 UTC if there is something to report",
            )
        ]  # fmt: skip
        assert places == sorted(places)


async def test_digest_is_written_at_its_time_and_not_before_and_without_news_none(
    world: World, target: ModelTarget, context: Context
) -> None:
    at = latest_digest_time(datetime.now(UTC)) + timedelta(days=1)
    await let_fail(world, target, range(2))

    assert await write_due_digests(replace(context, now=lambda: at - timedelta(seconds=1))) == 0
    assert await write_due_digests(replace(context, now=lambda: at)) == 1
    for days in range(2, 5):
        assert await write_due_digests(tomorrow(context, days=days)) == 0


async def test_notice_that_comes_after_a_digest_waits_for_the_next_one(
    world: World, target: ModelTarget, context: Context, sink: MailSink
) -> None:
    await let_fail(world, target, range(2))
    await notice(world, hours_ago=30)
    assert await write_due_digests(context) == 1
    [first] = await send(context, sink)

    await let_fail(world, target, range(2, 4))

    assert await write_due_digests(replace(context, now=lambda: latest_digest_time(datetime.now(UTC)))) == 0
    assert await write_due_digests(tomorrow(context)) == 1
    [second] = await send(context, sink)
    assert "2 objects fail" in first["Subject"] and "4 objects fail" in second["Subject"]
    assert "Earlier" not in text_of(second)


async def test_news_is_noted_at_most_once_an_hour_and_only_if_something_is_new(
    world: World, target: ModelTarget, context: Context
) -> None:
    count = "select count(*) from digest_notice"
    await let_fail(world, target, range(2))
    await let_fail(world, target, range(2, 3))
    assert await world.value(count) == 1

    await notice(world, hours_ago=2)
    await try_again(world)
    assert await world.value(count) == 2  # a third object fails

    await notice(world, hours_ago=2)
    assert await write_due_digests(tomorrow(context)) == 1
    await try_again(world)
    assert await world.value(count) == 2  # the digest has reported the same before


async def test_quarantine_and_its_end_are_mailed_at_once_even_with_a_digest(
    world: World, target: ModelTarget, context: Context, sink: MailSink
) -> None:
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()
    [began] = await send(context, sink)
    target.before = lambda verb, key: None
    await world.rows("update job set quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now())) returning 1")
    await world.drain()
    [ended] = await send(context, sink)

    assert str(began["Subject"]).endswith("provisioning is in quarantine")
    assert str(ended["Subject"]).endswith("provisioning left quarantine")
    assert await write_due_digests(tomorrow(context)) == 0


async def test_organisation_and_webhook_get_every_notification_at_once(
    world: World, target: ModelTarget, context: Context
) -> None:
    await world.rows(
        """update instance set settings = settings || '{"notifications": {"email": ["a@contoso.test"]}}' returning 1"""
    )
    async with transaction(world.pool) as connection:
        await save_webhook(connection, WebhookRow("https://hooks.test:443", b"sealed"), actor="test")

    await let_fail(world, target, range(2))

    assert await world.rows("select audience, kind from outgoing_mail order by audience") == [
        ("organisation", "failures"), ("webhook", "failures"),
    ]  # fmt: skip


async def test_change_to_immediate_sends_what_waited_in_a_last_digest(
    world: World, target: ModelTarget, context: Context, sink: MailSink
) -> None:
    await let_fail(world, target, range(2))
    await settings.change_settings(context, "model", notification_delivery="immediate")

    assert await write_due_digests(context) == 1
    [mail] = await send(context, sink)
    assert "2 objects fail" in mail["Subject"]
    assert "are sent at once from now on. This digest contains those that waited." in text_of(mail)

    await notice(world, hours_ago=25)
    await try_again(world)
    assert await send(context, sink) == []  # the digest has reported the same before
    await let_fail(world, target, range(2, 3))
    [single] = await send(context, sink)
    assert str(single["Subject"]).endswith(": 3 objects fail")


async def test_notices_of_an_application_that_wants_no_mail_any_more_are_discarded(
    world: World, target: ModelTarget, context: Context
) -> None:
    await let_fail(world, target, range(2))
    await settings.change_settings(context, "model", email_on_failure=False)

    assert await write_due_digests(tomorrow(context)) == 0
    await settings.change_settings(context, "model", email_on_failure=True)

    assert await write_due_digests(tomorrow(context, days=2)) == 0


async def test_change_of_the_delivery_evaluates_nobody_again(world: World, context: Context) -> None:
    await world.add_people(range(2))
    await world.sync()

    await settings.change_settings(context, "model", notification_delivery="immediate")

    assert await world.value("select count(*) from dirty") == 0


async def test_digest_goes_to_the_address_of_its_day(
    world: World, target: ModelTarget, context: Context, sink: MailSink
) -> None:
    await let_fail(world, target, range(2))
    await settings.change_settings(context, "model", notification_email="new@contoso.test")
    await write_due_digests(tomorrow(context))

    [mail] = await send(context, sink)

    assert mail["To"] == "new@contoso.test"


async def test_workers_that_run_together_write_one_digest(world: World, target: ModelTarget, context: Context) -> None:
    await let_fail(world, target, range(2))

    written = await asyncio.gather(*(write_due_digests(tomorrow(context)) for _ in range(5)))

    assert sum(written) == 1
    assert len(await subjects(world)) == 1


async def test_process_killed_while_it_writes_a_digest_loses_and_repeats_nothing(
    world: World, target: ModelTarget, context: Context, reused_lockstep_database: ReusedDatabase
) -> None:
    await let_fail(world, target, range(2))
    then = tomorrow(context)
    async with transaction(world.pool) as connection:
        await connection.execute("lock table outgoing_mail in exclusive mode")
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.sync.digest_to_kill", reused_lockstep_database.database.conninfo,
            then.now().isoformat(), cwd=ROOT,
        )  # fmt: skip
        waits = "select count(*) from pg_locks where relation = 'outgoing_mail'::regclass and not granted"
        while not await world.value(waits):
            assert killed.returncode is None
        killed.kill()
        await killed.wait()

    assert (await write_due_digests(then), await write_due_digests(then)) == (1, 0)
    assert len(await subjects(world)) == 1


async def test_without_a_mail_server_nothing_is_noted_and_what_waits_keeps_waiting(
    world: World, target: ModelTarget, context: Context
) -> None:
    await let_fail(world, target, range(2))
    [server] = await world.rows("select to_jsonb(mail_server)::text from mail_server")
    await world.rows("delete from mail_server returning 1")
    await notice(world, hours_ago=2)
    await let_fail(world, target, range(2, 4))
    assert await write_due_digests(tomorrow(context)) == 0
    assert await world.value("select count(*) from digest_notice where mail is null") == 1

    await world.rows(
        "insert into mail_server select * from jsonb_populate_record(null::mail_server, %s::jsonb) returning 1",
        server[0],
    )

    assert await write_due_digests(tomorrow(context)) == 1


async def test_removing_the_mail_server_gives_up_what_waits_for_a_digest_where_it_is_seen(
    world: World, target: ModelTarget, context: Context
) -> None:
    await let_fail(world, target, range(2))

    await mail_server.remove_mail_server(context)

    assert await world.rows("select kind, state, problem from outgoing_mail") == [
        ("digest", "failed", "The mail server was removed")
    ]


async def test_restoring_a_backup_sends_no_digest_of_before(
    world: World, target: ModelTarget, context: Context
) -> None:
    await let_fail(world, target, range(2))

    await enter_restore_mode(context, "backup.tar")

    assert await world.rows("select kind, state from outgoing_mail") == [("digest", "failed")]
    assert await write_due_digests(tomorrow(context)) == 0


async def test_notices_are_removed_with_the_mail_of_their_digest(
    world: World, target: ModelTarget, context: Context
) -> None:
    await let_fail(world, target, range(2))
    await write_due_digests(tomorrow(context))

    await world.rows("delete from outgoing_mail returning 1")

    assert await world.value("select count(*) from digest_notice") == 0
