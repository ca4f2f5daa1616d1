"""A real PostgreSQL for every suite: one server for each test process, a fresh database for each test that asks.

`LOCKSTEP_TEST_POSTGRES=debian15` runs the same tests on Debian's PostgreSQL 15.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer, Options, attach, remove
from lockstep.postgres.migrate import migrate
from lockstep.postgres.programs import Programs

DatabaseFactory = Callable[..., Database]
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def new_folder() -> Iterator[Callable[[], Path]]:
    """Make a temporary folder that PostgreSQL's user can pass through; in memory where there is plenty, clusters being many files."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2_000_000_000
    made: list[Path] = []

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(prefix="lockstep-test-", dir=MEMORY if roomy else None))
        folder.chmod(0o711)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        remove(folder)


@pytest.fixture(scope="session")
def postgres_programs() -> Programs | None:
    """The PostgreSQL to test on; None means the one that the installation brings."""
    debian = Path("/usr/lib/postgresql/15")
    return {"": None, "debian15": Programs(debian / "bin", debian)}[os.environ.get("LOCKSTEP_TEST_POSTGRES", "")]


@pytest.fixture
def data_folder(new_folder: Callable[[], Path]) -> Iterator[Path]:
    """An empty data folder that PostgreSQL's user can pass through; what a test leaves in it is removed."""
    folder = new_folder()
    yield folder
    remove(folder)


@pytest.fixture(scope="session")
def postgres_server(postgres_programs: Programs | None, new_folder: Callable[[], Path]) -> Iterator[EmbeddedServer]:
    """One server for this test process; not durable, for speed."""
    server = attach(new_folder(), options=Options(programs=postgres_programs, durable=False))
    yield server
    server.leave()


@pytest.fixture(scope="session")
def _administrator(postgres_server: EmbeddedServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_server.administration().conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def _templates() -> dict[str, str]:
    return {}


_numbers = count(1)


@pytest.fixture
def database_factory(
    postgres_server: EmbeddedServer,
    _administrator: psycopg.Connection[tuple[object, ...]],
    _templates: dict[str, str],
) -> Iterator[DatabaseFactory]:
    """Call it for a fresh database, dropped after the test.

    `database_factory()` is empty; `database_factory("lockstep.storage.migrations")` has the tables of that package,
    migrated once for the session and then copied. *role* owns it.
    """
    made: list[str] = []

    def make(package: str = "", *, role: str = "") -> Database:
        owner = role or ("documo" if package.startswith("documo") else "lockstep")
        if package and package not in _templates:
            template = _create(_administrator, owner, "template0")
            with ThreadPoolExecutor(1) as thread:  # an async test that calls us has a running loop in this one
                thread.submit(asyncio.run, migrate(postgres_server.database(template, role=owner), package)).result()
            _templates[package] = template
        name = _create(_administrator, owner, _templates[package] if package else "template0")
        made.append(name)
        return postgres_server.database(name, role=owner)

    yield make
    for name in made:
        _administrator.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(database_factory: DatabaseFactory) -> Database:
    """A fresh, empty database."""
    return database_factory()


@pytest.fixture
def lockstep_database(database_factory: DatabaseFactory) -> Database:
    """A fresh database with Lockstep's tables."""
    return database_factory("lockstep.storage.migrations")


@pytest.fixture
def documo_database(database_factory: DatabaseFactory) -> Database:
    """A fresh database with Documo's tables."""
    return database_factory("documo.migrations")


def _create(administrator: psycopg.Connection[tuple[object, ...]], owner: str, template: str) -> str:
    name = f"test_{next(_numbers)}"
    administrator.execute(
        sql.SQL("create database {} owner {} template {}").format(*map(sql.Identifier, (name, owner, template)))
    )
    return name


# The same examples every time, so that a change is judged by what it changed; `make soak` draws new ones.
hypothesis.settings.register_profile("steady", derandomize=True, database=None)
hypothesis.settings.register_profile("soak", database=None)
hypothesis.settings.load_profile(os.environ.get("LOCKSTEP_TEST_EXAMPLES", "steady"))
