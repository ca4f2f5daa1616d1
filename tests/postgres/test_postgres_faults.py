"""Kills, leftovers and unrelated processes: committed data stays, and the next start succeeds."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from lockstep.postgres.caretaker import CARETAKER
from lockstep.postgres.cluster import find_postmaster
from lockstep.postgres.embedded import Options, attach
from lockstep.postgres.locks import FileLock
from lockstep.postgres.pool import open_pool, transaction
from lockstep.postgres.processes import arguments_of, is_running
from lockstep.postgres.server import running, start_or_attach
from tests.postgres.postgres_processes import Holder
from tests.support.waiting import wait_until


def caretakers_of(data: Path) -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if {"lockstep.postgres.caretaker", str(data)} <= set(arguments_of(int(entry.name)))
    ]


async def test_killed_postgresql_comes_back_with_its_data_and_the_pool_reconnects(
    made_folder: Path, fast: Options
) -> None:
    said: list[str] = []
    async with running(
        start_or_attach(made_folder, main=True, say=said.append, options=Options(programs=fast.programs))
    ) as server:
        async with await open_pool(server.database("lockstep"), min_size=2) as pool:
            async with transaction(pool) as connection:
                await connection.execute("create table kept as select 7 as id")
            assert server.embedded is not None
            killed = server.embedded.postmaster.pid

            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not is_running(killed))
            seen = None
            while seen is None:
                try:
                    async with transaction(pool) as connection:
                        seen = await (await connection.execute("select id from kept")).fetchone()
                except psycopg.OperationalError:
                    continue

            assert seen == (7,)
            assert server.embedded.postmaster.pid != killed
    assert said == ["PostgreSQL had stopped and was restarted"]


def test_server_of_a_killed_lockstep_is_stopped_by_its_caretaker(
    made_folder: Path, hold: Callable[..., Holder]
) -> None:
    holder = hold(made_folder)
    facts = holder.facts()

    holder.process.kill()

    wait_until(lambda: not is_running(facts["postmaster"]))
    assert "database system is shut down" in (made_folder / "postgres.log").read_text()
    wait_until(lambda: caretakers_of(made_folder) == [])


def test_caretaker_keeps_the_server_while_anybody_uses_it(made_folder: Path, hold: Callable[..., Holder]) -> None:
    first, second = hold(made_folder), hold(made_folder)
    postmaster = first.facts()["postmaster"]
    conninfo = second.facts()["conninfo"]

    first.process.kill()
    first.process.wait()
    third = hold(made_folder)

    assert third.facts()["postmaster"] == postmaster
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert second.leave() == third.leave() == 0
    assert not is_running(postmaster)


def test_next_start_adopts_a_server_that_everybody_left_by_kill(
    made_folder: Path, hold: Callable[..., Holder], fast: Options
) -> None:
    holder = hold(made_folder)
    facts = holder.facts()
    wait_until(lambda: len(caretakers_of(made_folder)) == 1)
    os.kill(caretakers_of(made_folder)[0], signal.SIGKILL)
    holder.process.kill()
    holder.process.wait()
    office = FileLock(made_folder / CARETAKER)
    wait_until(office.try_alone)
    office.close()

    server = attach(made_folder, options=fast)

    assert server.postmaster.pid == facts["postmaster"]
    wait_until(lambda: len(caretakers_of(made_folder)) == 1)
    server.leave()
    assert not is_running(facts["postmaster"])


def test_pid_file_that_names_a_stranger_does_not_keep_the_server_from_starting(
    made_folder: Path, fast: Options
) -> None:
    server = attach(made_folder, options=fast)
    cluster = server.cluster
    file = (cluster / "postmaster.pid").read_text().splitlines()
    server.leave()
    (cluster / "postmaster.pid").write_text("\n".join([str(os.getpid()), *file[1:]]) + "\n")

    assert find_postmaster(cluster) is None
    again = attach(made_folder, options=fast)
    again.leave()

    assert again.postmaster.pid != os.getpid()


def test_killed_server_that_nobody_has_reaped_does_not_keep_the_next_from_starting(
    made_folder: Path, hold: Callable[..., Holder], fast: Options
) -> None:
    server = attach(made_folder, options=fast)  # PostgreSQL is our child: dead, it stays a zombie until we ask for it
    killed = server.postmaster.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed))
    os.kill(killed, 0)

    holder = hold(made_folder)
    conninfo = holder.facts()["conninfo"]

    with psycopg.connect(conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert holder.leave() == 0
    server.leave()


@pytest.mark.parametrize("written_bytes", [0, 40, 200])
def test_start_that_is_killed_half_way_leaves_a_folder_that_starts(
    data_folder: Path, hold: Callable[..., Holder], written_bytes: int, fast: Options
) -> None:
    """The moments: before anything, while the cluster is being created, and after it was recorded."""
    holder = hold(data_folder)
    wait_until(lambda: sum(file.stat().st_size for file in data_folder.glob("postgres.*")) >= written_bytes)
    holder.process.kill()
    holder.process.wait()

    server = attach(data_folder, options=fast)
    with psycopg.connect(server.database("documo").conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    server.leave()


async def test_start_that_is_cancelled_leaves_no_server_and_no_main_process(data_folder: Path, fast: Options) -> None:
    start = asyncio.create_task(start_or_attach(data_folder, main=True, options=fast))
    while not (data_folder / "postgres.json").exists():
        await asyncio.sleep(0.001)

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert find_postmaster(data_folder / "postgres") is None
    again = await start_or_attach(data_folder, main=True, options=fast)
    await again.leave()
