"""Rows of older versions keep their meaning: standing rejections, the files of sources, settings and messages that are older than the
webhook.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import lockstep.storage.migrations as migrations
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import config_versions, digest_notices, jobs, rejections, sources
from lockstep.storage.outgoing_mail import Audience, last_mail
from lockstep.sync.notifying import has_digest

JOB = "scim.t.a"
ANNA, BO = str(UUID(int=1)), str(UUID(int=2))


@pytest.fixture
async def connection(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A connection to a database with one job, of the newest version."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (JOB,),
        )
        yield connection
    await pool.close()


async def migrate(connection: Connection, script: str) -> None:
    text = (Path(migrations.__path__[0]) / "versions" / f"{script}.sql").read_text(encoding="utf-8")
    await connection.execute(text.encode())


async def rejected(connection: Connection, person: str) -> None:
    """Store a rejected write as it was before rejections could end."""
    await connection.execute(
        """insert into operation (id, job, kind, source_id, action, state, attempt, error, decision, decided_by, settled_at)
        values (%s, %s, 'User', %s, 'disable', 'dropped', 1, '{"guard": "TooManyDeletes"}', 'rejected', 'eva',
            now() - interval '2 days')""",
        (uuid4(), JOB, person),
    )


async def changed(connection: Connection, person: str, *, days_ago: int) -> None:
    await connection.execute(
        """insert into change (at, kind, object_id, what) values (now() - make_interval(days => %s), 'User', %s, 'updated')""",
        (days_ago, person),
    )


async def test_rejection_stands_until_the_person_has_changed_since(connection: Connection) -> None:
    await connection.execute("drop index operation_rejected")
    await connection.execute("alter table operation drop column rejection_ended_at")
    await connection.execute(
        "create index operation_rejected on operation (job, kind, source_id) where decision = 'rejected'"
    )
    for person, days_ago in ((ANNA, 3), (BO, 1)):
        await rejected(connection, person)
        await changed(connection, person, days_ago=days_ago)

    await migrate(connection, "0015_standing_rejections")

    assert set(await rejections.rejections_among(connection, JOB, "User", [ANNA, BO])) == {ANNA}


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ({"files": [{"path": "/srv/people.csv", "contains": "people"}, {"path": "groups.csv"}]}, ["/srv/people.csv", "groups.csv"]),
        ({"files": [{"upload": "people.csv"}]}, []),
        ({"files": None}, []),
        ({}, []),
    ],
)  # fmt: skip
async def test_files_of_a_source_are_still_read_as_files_of_the_operator(
    connection: Connection, config: Mapping[str, Any], files: list[str]
) -> None:
    await connection.execute("alter table source drop column operator_files")
    await connection.execute(
        "insert into source (name, kind, display_name, config) values ('hr', 'csv', 'HR', %s)", (json.dumps(config),)
    )

    await migrate(connection, "0042_files_of_sources")

    source = await sources.read_source(connection, "hr")
    assert source is not None and list(source.operator_files) == files


async def before_the_webhook(connection: Connection, settings: Mapping[str, Any]) -> None:
    await connection.execute("drop table webhook")
    await connection.execute("alter table outgoing_mail drop column audience")
    await connection.execute("update instance set settings = %s", (json.dumps(settings),))


async def test_message_from_before_the_webhook_was_for_the_people_of_its_application(connection: Connection) -> None:
    await before_the_webhook(connection, {})
    await connection.execute(
        """insert into outgoing_mail (kind, job, event, recipient, subject, body_text, body_html)
        values ('quarantine', %s, 'e1', 'eva@contoso.test', 's', 't', 'h')""",
        (JOB,),
    )

    await migrate(connection, "0051_webhook")

    assert await last_mail(connection, JOB, "quarantine", Audience.APPLICATION) is not None
    assert await last_mail(connection, JOB, "quarantine", Audience.WEBHOOK) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"notifications": {"webhook": "https://hooks.test/x", "emails": ["eva@contoso.test"]}, "note": "x"},
         {"notifications": {"emails": ["eva@contoso.test"]}, "note": "x"}),
        ({"note": "x"}, {"note": "x"}),
        ({}, {}),
    ],
)  # fmt: skip
async def test_webhook_of_a_file_is_removed_from_the_settings_and_nothing_else(
    connection: Connection, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    await before_the_webhook(connection, before)

    await migrate(connection, "0051_webhook")

    cursor = await connection.execute("select settings from instance")
    assert await cursor.fetchall() == [(after,)]


async def test_activity_of_an_older_version_of_a_configuration_is_not_taken_for_a_comment(
    connection: Connection,
) -> None:
    await connection.execute("alter table config_version drop column comment")
    await connection.execute("alter table config_version rename column activity to comment")
    await connection.execute(
        "insert into config_version (job, version, config, author, comment) values (%s, 1, '{}', 'eva', 'Update settings')",
        (JOB,),
    )

    await migrate(connection, "0061_comments_of_versions")

    [version] = await config_versions.list_versions(connection, JOB, below=None, limit=1)
    assert (version.activity, version.comment) == ("Update settings", "")


async def test_application_from_before_digests_keeps_its_address_and_gets_each_mail_at_once(
    connection: Connection,
) -> None:
    config = {"notificationEmail": "eva@contoso.test", "emailOnFailure": True}
    await connection.execute("drop table digest_notice")
    await connection.execute(
        "insert into config_version (job, version, config, author, activity) values (%s, 1, %s, 'eva', 'x')",
        (JOB, json.dumps(config)),
    )
    await connection.execute("update job set config_version = 1")
    await connection.execute(
        """insert into outgoing_mail (kind, job, event, recipient, subject, body_text, body_html, facts)
        values ('failures', %s, 'e1', 'eva@contoso.test', 's', 't', 'h', '{"failing": 2}')""",
        (JOB,),
    )

    await migrate(connection, "0062_daily_digests")

    job = await jobs.read_job(connection, JOB)
    last = await last_mail(connection, JOB, "failures", Audience.APPLICATION)
    assert job is not None and (job.config, has_digest(job.config)) == (config, False)
    assert last is not None and last.facts == {"failing": 2}
    assert await digest_notices.jobs_with_waiting(connection) == []
