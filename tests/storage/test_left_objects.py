"""An object that an applied preview leaves waits for the end of that cycle, and no longer."""

from __future__ import annotations

from uuid import UUID

import pytest

from lockstep.postgres.pool import Connection
from lockstep.storage import cycles, dirty
from lockstep.storage.dirty import Due, Postponement
from lockstep.storage.resume import Pin, Resume

JOB = "scim.t.a"
PERSON = str(UUID(int=1))
PREVIEW = 7


async def is_parked(connection: Connection, resume: Resume, meanwhile: str = "") -> bool:
    """Postpone an object that was claimed in the cycle of a preview. *meanwhile* is what happens between its claim and that."""
    await cycles.open_cycle(connection, JOB, "initial", preview=PREVIEW)
    await connection.execute(
        "insert into dirty (job, kind, source_id, lane, reasons) values (%s, 'User', %s, 4, '{changed}')", (JOB, PERSON)
    )
    (claim,) = await dirty.claim(connection, JOB, owner="me", limit=1, lease_seconds=60)
    assert claim.pin == Pin(PREVIEW), "the preview does not contain the object"
    await connection.execute(meanwhile.encode())
    await dirty.postpone(connection, JOB, [Postponement(claim, Due.NEVER, resume, None)])
    cursor = await connection.execute("select not_before = 'infinity', not_before = '-infinity' from dirty")
    [(never, at_once)] = await cursor.fetchall()
    assert never is not at_once
    return bool(never)


async def test_left_object_waits_while_the_cycle_applies_the_preview(connection: Connection) -> None:
    assert await is_parked(connection, Resume(is_left=True))


@pytest.mark.parametrize(
    "meanwhile", ["update cycle set preview = null", "update cycle set state = 'cancelled', ended_at = now()"]
)
async def test_left_object_is_due_at_once_if_the_cycle_ended_or_became_an_ordinary_one_meanwhile(
    connection: Connection, meanwhile: str
) -> None:
    assert not await is_parked(connection, Resume(is_left=True), meanwhile)


async def test_object_that_waits_for_something_else_is_not_made_due_by_the_end_of_the_cycle(
    connection: Connection,
) -> None:
    assert await is_parked(connection, Resume(), "update cycle set state = 'cancelled', ended_at = now()")
