"""The embedded PostgreSQL. Many processes use one server, and the last one to leave stops it.

Each user holds a shared lock on `postgres.users`; starting, attaching and stopping are serialized by `postgres.start`. The server has no
owner: any process that finds it down starts it. The server therefore survives the death of the process that started it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from lockstep.errors import Kind, LockstepError, invalid, not_found
from lockstep.postgres import caretaker, places
from lockstep.postgres.cluster import (
    ROLES,
    SUPERUSER,
    Postmaster,
    check_version,
    find_postmaster,
    make_cluster,
    start,
    stop,
    sweep_halves,
    write_access_rules,
)
from lockstep.postgres.database import Database, on_socket
from lockstep.postgres.identity import ServerUser, choose_user
from lockstep.postgres.locks import FileLock, held_alone
from lockstep.postgres.processes import is_running
from lockstep.postgres.programs import Programs, reachable_programs, wheel_programs

Say = Callable[[str], None]
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def quietly(message: str) -> None:
    """Discard messages."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options for the embedded server. *programs*, if given, replace the programs of the wheel, and *user* replaces the default system
    user. If *durable* is false, a crash may destroy the data; this is only for temporary servers.
    """

    programs: Programs | None = None
    user: str | None = None
    durable: bool = True


class EmbeddedServer:
    """This process's use of the PostgreSQL server of one data folder. The use begins with `attach` and ends with `leave`."""

    def __init__(self, data: Path, options: Options, say: Say) -> None:
        self.data = data
        self._options = options
        self._say = say
        self._share = FileLock(data / caretaker.USERS)
        self._child: subprocess.Popen[bytes] | None = None
        self._caretaker: subprocess.Popen[bytes] | None = None
        self._postmaster: Postmaster | None = None
        self._cluster = data / "postgres"
        self._thread_lock = threading.Lock()
        self._has_left = False
        self._is_new = False

    @property
    def postmaster(self) -> Postmaster:
        if self._postmaster is None:
            raise LockstepError(Kind.INTERNAL, "PostgreSQL was used before it was started")
        return self._postmaster

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory, which may be outside the data folder."""
        return self._cluster

    def is_up(self) -> bool:
        if self._child is not None:
            self._child.poll()
        return self._postmaster is not None and is_running(self._postmaster.pid) and self._postmaster.is_reachable()

    def ensure_up(self) -> bool:
        """Start the server unless it is running. Returns True if this call started it. Does nothing after `leave`."""
        with self._thread_lock, held_alone(self.data / caretaker.START):
            if self._has_left:
                return False
            self._share.share()
            return self._start()

    def leave(self) -> None:
        """End this process's use of the server. The last process to leave stops the server. A second call does nothing."""
        with self._thread_lock:
            if self._has_left:
                return
            self._has_left = True
            with held_alone(self.data / caretaker.START):
                if self._is_last():
                    self._stop()
                self._share.close()

    def database(self, name: str, *, role: str | None = None) -> Database:
        """Return the database *name*, with the role of the same name unless *role* is given. Without *role*, raises LockstepError if *name*
        is not one of our databases.
        """
        if role is None and name not in ROLES:
            raise not_found(
                f"PostgreSQL in {self.data} has no database {name}", next_step=f"Use one of: {', '.join(ROLES)}"
            )
        return on_socket(self.postmaster.socket_folder, self.postmaster.port, name=name, role=role or name)

    def administration(self) -> Database:
        """Return the database `postgres`, with the superuser as its role."""
        return self.database("postgres", role=SUPERUSER)

    def _start(self) -> bool:
        record = places.read_record(self.data)
        cluster = record.cluster if record else self.data / "postgres"
        if record is not None:
            places.refuse_shared_cluster(record, self.data)
        user = choose_user(self._options.user or (record.user if record else "") or None, cluster)
        found = find_postmaster(cluster)
        if found is not None and not found.is_reachable():
            stop(cluster, self._child)  # it cannot be reached without its socket, and does not create a new one
            found = None
        if found is not None and record is not None:
            self._cluster, self._postmaster = cluster, found
            self._make_databases(record)
            self._hire_caretaker()
            return False
        programs = reachable_programs(self._options.programs or wheel_programs(), user, self._say)
        if record is None or not record.databases:
            record = self._make(record, programs, user)
        record = self._launch(record, programs, user)
        self._make_databases(record)
        self._hire_caretaker()
        if self._is_new and self._options.durable:
            # PostgreSQL flushes its own writes from now on; the thousand files of the new cluster can be flushed in the background.
            threading.Thread(target=os.sync, name="flush-new-cluster", daemon=True).start()
            self._is_new = False
        return True

    def _make(self, record: places.ClusterRecord | None, programs: Programs, user: ServerUser) -> places.ClusterRecord:
        """Choose the place of the cluster, record the place, then create the cluster. If this is interrupted, the next start finds the
        recorded place.
        """
        if record is None:
            cluster = self.data / "postgres"
            record = places.ClusterRecord(
                cluster if cluster.is_dir() else places.choose_cluster(self.data, user, self._say)
            )
            places.write_record(self.data, record)
        if not record.cluster.is_dir():
            make_cluster(record.cluster, programs, user)
            self._is_new = True
        return record

    def _launch(self, record: places.ClusterRecord, programs: Programs, user: ServerUser) -> places.ClusterRecord:
        cluster = record.cluster
        self._cluster = cluster
        if not cluster.is_dir():
            raise invalid(
                f"The database named in {self.data / places.RECORD} is missing: {cluster}",
                next_step="Restore it, or delete that file to start with an empty database",
            )
        if not user.reaches(cluster):
            raise invalid(
                f"User {user.name} cannot access {cluster}: it belongs to another user or is unreachable",
                next_step=f"Run as its owner, shown by: ls -ld {cluster}",
            )
        check_version(cluster, programs)
        sweep_halves(cluster)
        write_access_rules(cluster, user)
        sockets = places.socket_folder(record.socket_folder, self.data, user)
        version = (cluster / "PG_VERSION").read_text().strip()
        record = places.ClusterRecord(cluster, sockets, record.databases, user.name, version)
        places.write_record(self.data, record)
        self._postmaster, self._child = start(
            cluster, sockets, programs, user, log=self.data / "postgres.log", say=self._say,
            options=() if self._options.durable else NOT_DURABLE,
        )  # fmt: skip
        return record

    def _make_databases(self, record: places.ClusterRecord) -> None:
        missing = [name for name in ROLES if name not in record.databases]
        if not missing:
            return
        with psycopg.connect(self.administration().conninfo, autocommit=True) as connection:
            for name in missing:
                make_database(connection, name)
        places.write_record(self.data, places.remembering(record, databases=tuple(missing)))

    def _hire_caretaker(self) -> None:
        self._caretaker = caretaker.hire(self.data, self._cluster) or self._caretaker

    def _is_last(self) -> bool:
        """Whether no other process uses the server. The caller holds the start lock."""
        if self._share.try_alone():
            return True
        # Converting the shared lock releases it for a moment, in which the waiting caretaker may take it. That happens at most once,
        # because the caretaker then waits for the start lock.
        self._share.share()
        return self._share.try_alone()

    def _stop(self) -> None:
        if self._caretaker is not None:
            self._caretaker.kill()  # it holds no lock while we hold the start lock
            self._caretaker.wait()
        stop(self._cluster, self._child)


def attach(data: Path, *, options: Options | None = None, say: Say = quietly) -> EmbeddedServer:
    """Use the PostgreSQL server of *data*, starting it if needed. Blocking. Raises LockstepError."""
    server = EmbeddedServer(places.make_data_folder(data), options or Options(), say)
    try:
        server.ensure_up()
    except BaseException:
        server.leave()
        raise
    return server


def remove(data: Path, *, patience_seconds: float = 20.0) -> None:
    """Delete the data folder of a temporary server, and everything that the server stored elsewhere. A server that still runs is stopped.

    A process that was interrupted while starting or stopping may still write files. Deleting is therefore repeated until no files reappear,
    or for at most *patience_seconds*.
    """
    give_up_at = time.monotonic() + patience_seconds
    while True:
        record = places.read_record(data)
        if record is not None:
            if places.is_own_cluster(record, data.resolve()):
                stop(record.cluster, None)
                shutil.rmtree(record.cluster, ignore_errors=True)
            if record.socket_folder is not None and places.is_own_socket_folder(record.socket_folder, data.resolve()):
                shutil.rmtree(record.socket_folder, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)
        if not data.exists() or time.monotonic() > give_up_at:
            return
        time.sleep(0.05)


def make_database(connection: psycopg.Connection[tuple[object, ...]], name: str, *, role: str | None = None) -> None:
    """Create the database *name* unless it exists. Its owner is *role* or, if *role* is None, a role with the name of the database, which
    is created if needed. Other roles may not connect.
    """
    owner = sql.Identifier(role or name)
    if role is None and not connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone():
        connection.execute(sql.SQL("create role {} login").format(owner))
    if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
        database = sql.Identifier(name)
        connection.execute(sql.SQL("create database {} owner {} template template0").format(database, owner))
        connection.execute(sql.SQL("revoke connect, temporary on database {} from public").format(database))
