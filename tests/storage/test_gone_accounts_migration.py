"""If an earlier version ended a link because its account was not found, the account is searched for again; after a confirmed deletion it is
not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import lockstep.storage.migrations as migrations
from lockstep.engine.records import ObjectKind
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import links

JOB = "scim.t.a"
PERSON = str(UUID(int=1))
ACCOUNT = "u-1"


@pytest.fixture
async def before(lockstep_database: Database) -> AsyncIterator[Connection]:
    """A database before the migration, with one job."""
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        await connection.execute("alter table link drop column gone_at")
        await connection.execute(
            """with app as (insert into application (name, display_name, template) values ('a', 'A', 'x') returning id)
            insert into job (id, app, status, started) select %s, id, 'on', true from app""",
            (JOB,),
        )
        yield connection
    await pool.close()


async def ended(connection: Connection, *, state: str = "tombstone", cause: str = "disabled") -> None:
    await connection.execute(
        """insert into link (job, kind, source_id, target_id, state, cause, updated_at)
        values (%s, 'User', %s, %s, %s, %s, now() - interval '3 days')""",
        (JOB, PERSON, ACCOUNT, state, cause),
    )


async def sent(
    connection: Connection,
    *,
    action: str = "delete",
    state: str = "confirmed",
    person: str = PERSON,
    account: str = ACCOUNT,
) -> None:
    await connection.execute(
        """insert into operation (id, job, kind, source_id, target_id, action, state, attempt)
        values (%s, %s, 'User', %s, %s, %s, %s, 1)""",
        (uuid4(), JOB, person, account, action, state),
    )


async def migrate(connection: Connection) -> None:
    script = Path(migrations.__path__[0]) / "versions" / "0049_gone_accounts.sql"
    await connection.execute(script.read_text(encoding="utf-8").encode())


async def is_sought(connection: Connection) -> bool:
    return (await links.read_links(connection, JOB, ObjectKind.USER, [PERSON]))[PERSON].is_sought


async def test_account_that_was_not_found_is_looked_for_within_a_day(before: Connection) -> None:
    await ended(before)

    await migrate(before)

    assert await is_sought(before)
    cursor = await before.execute(
        "select gone_at = updated_at, review_at between now() and now() + interval '1 day' from link"
    )
    assert await cursor.fetchall() == [(True, True)]


async def test_account_that_was_not_found_becomes_due(before: Connection) -> None:
    await ended(before)
    await migrate(before)

    await before.execute("update link set review_at = now()")
    await links.mark_reviews_due(before)

    cursor = await before.execute("select source_id::text, lane from dirty")
    assert [row[0] for row in await cursor.fetchall()] == [PERSON]


async def test_account_whose_deletion_was_confirmed_is_not_looked_for(before: Connection) -> None:
    await ended(before)
    await sent(before)

    await migrate(before)

    assert not await is_sought(before)


@pytest.mark.parametrize("state", ["ambiguous", "refused", "dropped"])
async def test_account_whose_deletion_was_not_confirmed_is_looked_for(before: Connection, state: str) -> None:
    await ended(before)
    await sent(before, state=state)

    await migrate(before)

    assert await is_sought(before)


async def test_deletions_of_other_accounts_and_other_writes_prove_nothing(before: Connection) -> None:
    await ended(before)
    await sent(before, account="u-2")
    await sent(before, person=str(UUID(int=2)))
    await sent(before, action="disable")

    await migrate(before)

    assert await is_sought(before)


@pytest.mark.parametrize(
    ("state", "cause"), [("tombstone", "takenOver"), ("live", ""), ("disabled", "disabled"), ("released", "unassigned")]
)
async def test_account_that_somebody_else_has_or_that_is_there_is_not_looked_for(
    before: Connection, state: str, cause: str
) -> None:
    await ended(before, state=state, cause=cause)

    await migrate(before)

    assert not await is_sought(before)
    cursor = await before.execute("select gone_at, review_at from link")
    assert await cursor.fetchall() == [(None, None)]
