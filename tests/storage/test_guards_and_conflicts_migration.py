"""Operations that were written without the columns for guard and conflict keep their meaning."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import lockstep.storage.migrations as migrations
from lockstep.engine.plans import GuardCode
from lockstep.postgres.database import Database
from lockstep.postgres.pool import Connection, open_pool
from lockstep.storage import operations, rejections, value_claims

JOB = "scim.t.a"
PERSON = str(UUID(int=1))


@pytest.fixture
async def connection(lockstep_database: Database) -> AsyncIterator[Connection]:
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        yield connection
    await pool.close()


async def carry_over(
    connection: Connection,
    error: Mapping[str, Any] | None,
    *,
    action: str = "disable",
    state: str = "dropped",
    decision: str | None = None,
    age: timedelta = timedelta(0),
) -> None:
    """Write one operation as the version before the migration did, then migrate."""
    await connection.execute(
        """insert into operation (id, job, kind, source_id, action, state, attempt, after, error, decision, decided_by,
            planned_at, settled_at)
        values (%s, %s, 'User', %s, %s, %s, 1, '{"userName": "anna"}', %s, %s, %s, now() - %s, now())""",
        (
            uuid4(), JOB, PERSON, action, state, None if error is None else json.dumps(error), decision,
            "eva" if decision else None, age,
        ),
    )  # fmt: skip
    script = Path(migrations.__path__[0]) / "versions" / "0034_guards_and_conflicts.sql"
    await connection.execute(script.read_text(encoding="utf-8").encode())


# The codes of that time: the migration knows no later one.
CODES = (
    "TooManyDeletes",
    "TooManyGrants",
    "TooManyEmptied",
    "TooManyRenames",
    "PrivilegedMatch",
    "AnothersAccount",
)


@pytest.mark.parametrize("guard", [GuardCode(code) for code in CODES], ids=CODES)
async def test_held_write_is_still_held_by_its_guard(connection: Connection, guard: GuardCode) -> None:
    await carry_over(connection, {"code": guard.value, "reason": "Held for approval", "details": {}}, state="held")

    held = await operations.held_among(connection, JOB, "User", [PERSON])

    assert held[PERSON].guard is guard


async def test_approval_still_covers_what_its_guard_held(connection: Connection) -> None:
    effects = [["TooManyDeletes", "switch off"]]
    error = {"code": "TooManyDeletes", "reason": "Held for approval", "details": {}, "effects": effects}
    await carry_over(connection, error, decision="approved")

    approved = await operations.approved_among(connection, JOB, "User", [PERSON])

    assert approved[PERSON].guard is GuardCode.LOSSES
    assert approved[PERSON].effects == {(GuardCode.LOSSES, "switch off")}


async def test_rejection_without_effects_still_stands_for_its_guard(connection: Connection) -> None:
    await carry_over(connection, {"code": "TooManyGrants", "reason": "Held for approval"}, decision="rejected")

    rejected = await rejections.rejections_among(connection, JOB, "User", [PERSON])

    assert rejected[PERSON].effects == frozenset({(GuardCode.GRANTS, "")})


@pytest.mark.parametrize(
    ("code", "state", "action", "age", "is_conflict"),
    [
        ("Conflict", "refused", "create", timedelta(hours=1), True),
        ("Conflict", "refused", "create", timedelta(hours=23), True),
        ("InvalidValue", "refused", "create", timedelta(hours=1), False),
        ("Conflict", "refused", "update", timedelta(hours=1), False),
        ("Conflict", "ambiguous", "create", timedelta(hours=1), False),
    ],
)
async def test_value_that_was_refused_as_taken_is_still_known_to_be_taken(
    connection: Connection, code: str, state: str, action: str, age: timedelta, is_conflict: bool
) -> None:
    await carry_over(connection, {"code": code, "detail": "x", "status": 409}, state=state, action=action, age=age)

    found = await value_claims.refused_lately(connection, JOB, "User", [PERSON])

    assert bool(found) is is_conflict


async def test_operation_without_an_error_stays_as_it_is(connection: Connection) -> None:
    await carry_over(connection, None, state="confirmed", action="create")

    cursor = await connection.execute("select error from operation")
    assert await cursor.fetchall() == [(None,)]
