"""Previews and cycles of the version before previews could be applied stay what they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

import lockstep.storage.migrations as migrations
from lockstep.actions.applied_previews import why_not_applied
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import cycles, dirty, preview_objects, previews
from lockstep.storage.preview_objects import PreviewFilter

JOB = "scim.t.a"
PERSON = str(UUID(int=1))


@pytest.fixture
async def before(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A database before the migration: a complete preview of one person, a running preview, and a running cycle with that person."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        for statement in (
            "drop table preview_left",
            "alter table cycle drop column preview",
            "alter table preview_object drop column fingerprint",
            "drop index preview_object_by_id",
            "alter table preview drop column has_fingerprints",
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select 'scim.t.a', id, 'on', true from app""",
            """insert into preview (job, state, started_by, config_version, ended_at) select id, 'done', 'eva', config_version, now()
            from job""",
            """insert into preview_object (preview, rank, sort_name, id, kind, name, display_name, action, is_held, is_due, effects, code,
                reason, next_step, target_id, changes)
            select id, 1, 'anna', '00000000-0000-0000-0000-000000000001', 'User', 'anna', '', 'create', false, true, '{}', 'New', 'x', '',
                '', '[]' from preview""",
            """insert into preview (job, state, started_by, config_version, owner, attempts, beat_at)
            select id, 'running', 'eva', config_version, 'old', 1, now() - interval '1 hour' from job""",
            "insert into cycle (job, kind, phase, config_version) select id, 'initial', 'write', config_version from job",
            """insert into dirty (job, kind, source_id, lane, reasons, cycle)
            select job, 'User', '00000000-0000-0000-0000-000000000001', 4, '{initialCycle}', id from cycle""",
        ):
            await connection.execute(statement.encode())
        yield connection
    await pool.close()


async def migrate(connection: Connection) -> None:
    script = Path(migrations.__path__[0]) / "versions" / "0060_applied_previews.sql"
    await connection.execute(script.read_text(encoding="utf-8").encode())


async def test_preview_of_an_older_version_is_still_shown_but_not_applied(before: Connection) -> None:
    await migrate(before)

    done = (await previews.list_previews(before, JOB, limit=9))[-1]
    shown = await preview_objects.read_page(before, done.id, PreviewFilter(), after="", limit=9)
    refused = why_not_applied(done, "a", datetime.now(UTC))

    assert (done.has_fingerprints, done.applied_by, done.is_being_applied, done.left) == (False, None, False, 0)
    assert [(one.id, one.action, one.fingerprint) for one in shown] == [(PERSON, "create", "")]
    assert refused is not None and refused.code == "PreviewTooOld"


async def test_preview_that_an_older_version_had_begun_is_made_again_with_fingerprints(before: Connection) -> None:
    await migrate(before)

    claimed = await previews.claim_due(before, owner="new", lost_after=timedelta(minutes=5))

    assert claimed is not None
    taken = await previews.read(before, JOB, claimed.id)
    assert taken is not None and (taken.state, taken.has_fingerprints) == ("running", True)


async def test_cycle_of_an_older_version_continues_as_an_ordinary_one(before: Connection) -> None:
    await migrate(before)

    cycle = await cycles.running_cycle(before, JOB)
    (claim,) = await dirty.claim(before, JOB, owner="me", limit=9, lease_seconds=60)

    assert cycle is not None and (cycle.preview, claim.cycle, claim.pin) == (None, cycle.id, None)
