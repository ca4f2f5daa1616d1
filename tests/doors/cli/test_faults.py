"""A bug of ours is reported as one sentence, without the values that the exception quotes."""

from __future__ import annotations

import stat
from collections.abc import Awaitable
from pathlib import Path

import pytest

from lockstep.errors import Kind
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from lockstep.process.bug_report import as_error


def test_fault_is_told_in_a_sentence_and_its_trace_is_in_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        raise ZeroDivisionError("canary-7f3a \udcff")
    except ZeroDivisionError as fault:
        told = as_error(fault)

    [file] = tmp_path.iterdir()
    assert (told.kind, told.why) == (Kind.INTERNAL, "ZeroDivisionError")
    assert "canary" not in f"{told.detail}{told.next_step}"
    assert str(file) in told.next_step
    assert "canary-7f3a" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_database_that_went_away_is_told_as_such(lockstep_database: Database, tmp_path: Path) -> None:
    pool = await open_pool(lockstep_database, max_size=2)
    async with pool.connection() as doomed, pool.connection() as other:
        await other.execute("select pg_terminate_backend(%s)", (doomed.info.backend_pid,))
        lost = await fault_of(doomed.execute("select 1"))
        closed = await fault_of(doomed.execute("select 1"))
        ours = await fault_of(other.execute("select 1 / 0"))
    await pool.close()

    for fault in (lost, closed, ExceptionGroup("several", [lost, closed])):
        told = as_error(fault)
        assert (told.exit_code, told.detail) == (
            69,
            "The connection to the database was lost while the command was running",
        )
    assert as_error(ours).kind is Kind.INTERNAL
    assert as_error(ExceptionGroup("several", [lost, ours])).kind is Kind.INTERNAL


async def fault_of(work: Awaitable[object]) -> Exception:
    try:
        await work
    except Exception as fault:
        return fault
    raise AssertionError("it worked")
