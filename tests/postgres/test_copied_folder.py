"""A copy of a data folder is independent: the places and processes that it records never lead to the original."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from lockstep.errors import LockstepError
from lockstep.postgres import places
from lockstep.postgres.embedded import EmbeddedServer, Options, attach, remove


@pytest.mark.parametrize("product", ["lockstep", "documo"])
def test_copy_of_a_running_folder_starts_and_leaves_the_original_alone(
    made_folder: Path, fast: Options, product: str
) -> None:
    durable = replace(fast, durable=True)  # what was committed stands in the files that are copied
    original = attach(made_folder, options=durable)
    copied = places.make_data_folder(made_folder.with_name(f"{made_folder.name}-copy"))
    try:
        _run(original, product, "create table kept (n int)")
        subprocess.run(["cp", "-a", f"{made_folder}/.", str(copied)], check=True)

        copy = attach(copied, options=durable)
        assert copy.postmaster.socket_folder != original.postmaster.socket_folder
        assert copy.postmaster.pid != original.postmaster.pid
        _run(copy, product, "select * from kept")
        copy.leave()

        _run(original, product, "insert into kept values (2)")
    finally:
        original.leave()
        remove(copied)


def test_removing_a_copy_leaves_the_original_s_socket(made_folder: Path, fast: Options) -> None:
    original = attach(made_folder, options=fast)
    copied = places.make_data_folder(made_folder.with_name(f"{made_folder.name}-copy"))
    try:
        subprocess.run(["cp", "-a", f"{made_folder}/.", str(copied)], check=True)
        remove(copied)

        _run(original, "lockstep", "select 1")
    finally:
        original.leave()


def test_copy_that_names_the_original_s_database_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "cluster"
    original, copied = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    places.write_record(original, places.ClusterRecord(elsewhere))
    subprocess.run(["cp", "-a", str(original), str(copied)], check=True)
    record = places.read_record(copied)
    assert record is not None

    with pytest.raises(LockstepError, match="is a copy of"):
        places.refuse_shared_cluster(record, copied)

    original.rename(tmp_path / "gone")  # moved, and not copied
    places.refuse_shared_cluster(record, copied)


def test_server_whose_socket_was_removed_is_started_again_at_the_same_path(made_folder: Path, fast: Options) -> None:
    server = attach(made_folder, options=fast)
    try:
        before = server.postmaster
        subprocess.run(["rm", "-r", str(before.socket_folder)], check=True)

        assert not server.is_up()
        assert server.ensure_up()
        assert server.postmaster.socket_folder == before.socket_folder
        _run(server, "lockstep", "select 1")
    finally:
        server.leave()


def _run(server: EmbeddedServer, product: str, statement: str) -> None:
    with psycopg.connect(server.database(product).conninfo, autocommit=True) as connection:
        connection.execute(statement.encode())
