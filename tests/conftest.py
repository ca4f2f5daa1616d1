"""A real PostgreSQL for every suite: one server for each test process, an empty database for each test that asks.

`LOCKSTEP_TEST_POSTGRES=debian15` runs the same tests on Debian's PostgreSQL 15.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from documo.access.member_passwords import OF_MEMBERS
from lockstep.actions.single_sign_on import openid_keys
from lockstep.credentials import passwords
from lockstep.directory.edit import Touched
from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer, Options, attach, remove
from lockstep.postgres.programs import Programs
from lockstep.process.garbage_collection import settle_garbage
from lockstep.saml import certificates
from tests.support.databases import Databases
from tests.support.hub import Hub, make_context
from tests.support.reused_databases import ReusedDatabase, ReusedDatabases
from tests.support.set_clock import SetClock
from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver

MEMORY = Path("/dev/shm")
# The files that take longest begin first, so that no process works on one of them alone at the end.
LONGEST = (  # the longest first
    "test_sync_histories.py",
    "test_postgres_15.py",
    "test_statements.py",
    "test_left_out_sign_on_checks.py",
    "test_documo_scale.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_collection_finish() -> None:
    """Collect garbage as rarely as the products do: looking at all tests and modules again and again takes a tenth of the time."""
    settle_garbage()


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """The least that argon2id may cost: with real costs, passwords take a tenth of the time of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        for one in (passwords.OF_ADMINISTRATORS, passwords.OF_PEOPLE, OF_MEMBERS):
            patch.setattr(one, "_hasher", PasswordHasher.from_parameters(CHEAPEST))
        yield


@pytest.fixture(scope="session", autouse=True)
def short_keys() -> Iterator[None]:
    """The shortest RSA keys that are accepted: making them takes a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for one in (certificates, openid_keys):
            patch.setattr(one, "KEY_BITS", certificates.MIN_RSA_BITS)
        yield


@pytest.fixture(scope="session")
def new_folder() -> Iterator[Callable[[], Path]]:
    """Make a temporary folder that PostgreSQL's user can enter; in memory if there is enough, because a cluster is many files."""
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
    """The PostgreSQL to test on; None means the one that is installed with Lockstep."""
    debian = Path("/usr/lib/postgresql/15")
    return {"": None, "debian15": Programs(debian / "bin", debian)}[os.environ.get("LOCKSTEP_TEST_POSTGRES", "")]


@pytest.fixture
def data_folder(new_folder: Callable[[], Path]) -> Iterator[Path]:
    """An empty data folder that PostgreSQL's user can enter; removed after the test."""
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
def databases(postgres_server: EmbeddedServer, _administrator: psycopg.Connection[tuple[object, ...]]) -> Databases:
    """Databases that are kept for the whole test process."""
    return Databases(postgres_server, _administrator)


@pytest.fixture
def database_factory(databases: Databases) -> Iterator[Databases]:
    """Call it for a fresh database, dropped after the test; `database_factory("lockstep.storage.migrations")` has tables."""
    with databases.for_a_while() as factory:
        yield factory


@pytest.fixture
def database(database_factory: Databases) -> Database:
    """A fresh, empty database."""
    return database_factory()


@pytest.fixture
def lockstep_database(database_factory: Databases) -> Database:
    """A fresh database with Lockstep's tables."""
    return database_factory("lockstep.storage.migrations")


@pytest.fixture
def documo_database(database_factory: Databases) -> Database:
    """A fresh database with Documo's tables."""
    return database_factory("documo.migrations")


@pytest.fixture(scope="session")
async def reused_databases(postgres_server: EmbeddedServer, databases: Databases) -> AsyncIterator[ReusedDatabases]:
    reused = ReusedDatabases(postgres_server, databases)
    yield reused
    await reused.close()


@pytest.fixture
async def reused_lockstep_database(reused_databases: ReusedDatabases) -> AsyncIterator[ReusedDatabase]:
    """An empty database with Lockstep's tables, which other tests have used."""
    async with reused_databases.lend("lockstep.storage.migrations") as lent:
        yield lent


@pytest.fixture
async def reused_documo_database(reused_databases: ReusedDatabases) -> AsyncIterator[ReusedDatabase]:
    """An empty database with Documo's tables, which other tests have used."""
    async with reused_databases.lend("documo.migrations") as lent:
        yield lent


@pytest.fixture
async def hub(reused_lockstep_database: ReusedDatabase) -> Hub:
    """A hub with one source, `hr`."""
    pool = await reused_lockstep_database.pool(max_size=4)
    woken: list[Touched] = []
    made = Hub(pool, make_context(pool, woken), woken)
    await made.add_source()
    return made


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """A receiver of webhooks."""
    async with webhook_receiver() as one:
        yield one


# The same examples every time, so that a failure is due to the change under test; `make soak` draws new ones.
hypothesis.settings.register_profile("steady", derandomize=True, database=None)
hypothesis.settings.register_profile("soak", database=None)
hypothesis.settings.load_profile(os.environ.get("LOCKSTEP_TEST_EXAMPLES", "steady"))
