"""Dirty rows written before the resume state had its own column continue where they were."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import lockstep.storage.migrations as migrations
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import dirty
from lockstep.storage.dirty import Claim
from lockstep.storage.resume import Resume, ShownError, Stage

JOB = "scim.t.a"
MEMBER = "00000000-0000-0000-0000-000000000007"
REFUSAL = {"code": "InvalidValue", "reason": "no such member", "nextStep": "Correct it"}


@pytest.fixture
async def before(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A database before the migration, with one job."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await connection.execute("alter table dirty drop column resume")
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (JOB,),
        )
        yield connection
    await pool.close()


async def carried_over(connection: Connection, last_error: Mapping[str, Any] | None) -> Claim:
    """The claim of an object with *last_error*, after the migration."""
    await connection.execute(
        "insert into dirty (job, kind, source_id, lane, reasons, last_error) values (%s, 'User', %s, 4, '{changed}', %s)",
        (JOB, UUID(int=1), None if last_error is None else json.dumps(last_error)),
    )
    script = Path(migrations.__path__[0]) / "versions" / "0021_resume.sql"
    await connection.execute(script.read_text(encoding="utf-8").encode())
    (claim,) = await dirty.claim(connection, JOB, owner="me", limit=1, lease_seconds=60)
    return claim


@pytest.mark.parametrize(
    ("last_error", "resume"),
    [
        (None, Resume()),
        ({"code": "LookAgain", "reason": "x", "look": True, "looks": 3, "did": "created"},
         Resume(Stage.LOOK_AGAIN, looks=3, did="created")),
        ({"code": "LookAgain", "reason": "x", "looks": 2}, Resume(Stage.UNANSWERED, looks=2)),
        ({"code": "Settled", "reason": "x", "looks": 0, "did": "", "members": True},
         Resume(Stage.SETTLED, members_due=True)),
        ({"code": "MembersDue", "reason": "x", "members": True, "looks": 0}, Resume(Stage.MEMBERS_DUE, members_due=True)),
        ({"code": "NamesDue", "reason": "x"}, Resume(Stage.NAMES_DUE)),
        ({"code": "Scheduled", "reason": "x", "isScheduled": True}, Resume(Stage.SCHEDULED)),
        ({"code": "TooManyDeletes", "reason": "x", "held": True}, Resume(Stage.HELD)),
        ({"code": "Quarantine", "reason": "x", "isSlowed": True}, Resume(is_slowed=True)),
        ({**REFUSAL, "isReference": True, "refusedMembers": [MEMBER]},
         Resume(Stage.FAILED, is_about_references=True, refused_members=(MEMBER,))),
        ({**REFUSAL, "account": "u-1", "isSlowed": True}, Resume(Stage.FAILED, account="u-1", is_slowed=True)),
    ],
)  # fmt: skip
async def test_object_goes_on_where_it_was_before_the_migration(
    before: Connection, last_error: Mapping[str, Any] | None, resume: Resume
) -> None:
    claim = await carried_over(before, last_error)

    assert claim.resume == resume


async def test_what_a_person_reads_of_a_failure_stays(before: Connection) -> None:
    claim = await carried_over(before, {**REFUSAL, "isReference": True})

    assert claim.last_error == ShownError("InvalidValue", "no such member", "Correct it")
    cursor = await before.execute("select last_error from dirty")
    assert await cursor.fetchone() == (REFUSAL,)


@pytest.mark.parametrize("stage", Stage)
def test_resume_state_reads_back_as_it_was_written(stage: Stage) -> None:
    resume = Resume(stage, 2, 1, "created", True, (MEMBER,), 7, 7, True, "u-1", True)

    assert Resume.from_json(json.loads(json.dumps(resume.as_json()))) == resume
    assert Resume.from_json(Resume(stage).as_json()) == Resume(stage)
