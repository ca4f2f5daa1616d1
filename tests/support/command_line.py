"""Run commands in this process, against a Documo over HTTP. They start from stages, which are prepared once per test process and then
copied.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from documo.access.api_keys import create_key
from documo.accounts import create_account
from documo.server import serving
from documo.settings import DocumoSettings
from documo.store.database import open_store
from lockstep.cli import run
from lockstep.postgres.database import Database
from tests.support.databases import Databases
from tests.support.hub import person, upn, write_csv
from tests.support.thread_server import served_in_a_thread

PEOPLE = ("anna", "bo", "kim.berg")
CREW = tuple(f"crew{number:02}" for number in range(12))
ALLOWED = "LOCKSTEP_OUTBOUND_ALLOW"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found = orjson.loads(self.out)
        assert isinstance(found, dict)
        return found


Lockstep = Callable[..., Said]


@dataclass(frozen=True)
class DocumoThere:
    """A Documo with one account."""

    url: str
    key: str

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/scim/v2")

    def users(self) -> dict[str, dict[str, Any]]:
        """All accounts by user name, without its own administrator."""
        request = urllib.request.Request(f"{self.url}/Users?count=200", headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            found = orjson.loads(reply.read())["Resources"]
        return {one["userName"]: one for one in found if not one["userName"].startswith("admin@")}


@dataclass(frozen=True)
class Installation:
    """The databases of both products, their folders, and the key of Documo's account."""

    lockstep: Database
    folder: Path  # the temporary folder of the test
    key: str
    _new_documo: Callable[[], Database]

    @cached_property
    def documo(self) -> Database:
        """Made when it is asked for, because most tests use Lockstep alone."""
        return self._new_documo()

    def use(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("DATABASE_URL", self.lockstep.conninfo)
        environment.setenv("LOCKSTEP_DATA", str(self.folder / "data"))
        environment.setenv("NO_COLOR", "1")

    def connect_to(self, there: DocumoThere) -> None:
        """Replace the stored port by the port on which Documo answers now; nothing else changes."""
        with psycopg.connect(self.lockstep.conninfo, autocommit=True) as connection:
            connection.execute("alter table credential disable trigger retry_with_new_credentials")
            connection.execute("update credential set tenant_url = %s", (there.url,))
            connection.execute("alter table credential enable trigger retry_with_new_credentials")


class Stages:
    """Creates installations; a stage is built once, with the commands that an administrator types, and then copied."""

    def __init__(self, databases: Databases, new_folder: Callable[[], Path]) -> None:
        self._databases, self._new_folder = databases, new_folder
        self._built: dict[str, Installation] = {}

    def installation(self, stage: str, folder: Path, databases: Databases) -> Installation:
        """Return a fresh copy of *stage*. Its files are in *folder*, and its databases are created with *databases*."""
        built = self._stage(stage)
        shutil.copytree(built.folder, folder, dirs_exist_ok=True)
        lockstep = databases.copy(built.lockstep, role="lockstep")
        return Installation(lockstep, folder, built.key, lambda: databases.copy(built.documo, role="documo"))

    def _stage(self, name: str) -> Installation:
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Installation:
        if name == "nothing":
            lockstep, documo = self._databases("lockstep.storage.migrations"), self._databases("documo.migrations")
            return Installation(lockstep, self._new_folder(), asyncio.run(_account(documo)), lambda: documo)
        before, steps = STAGES[name]
        made = self.installation(before, self._new_folder(), self._databases)
        with pytest.MonkeyPatch.context() as environment, serving_documo(made.documo, made.key) as there:
            made.use(environment)
            environment.setenv(ALLOWED, there.origin)
            if before in AFTER_CONNECTING:
                made.connect_to(there)
            for arguments, stdin in steps(made.folder, there):
                said = said_by(arguments, stdin)
                assert said.code == 0, (arguments, said)
        return made


Step = tuple[Sequence[str], str]  # a command, and what it reads


def unassigned(folder: Path, there: DocumoThere) -> Iterator[Step]:
    """Three people, and Documo without credentials."""
    file = write_csv(folder / "people.csv", [person(name) for name in PEOPLE])
    yield ("sources", "import", str(file)), ""
    yield ("apps", "add", "documo"), ""


def contoso(folder: Path, there: DocumoThere) -> Iterator[Step]:
    """Anna and Bo are assigned."""
    yield ("assign", "documo", "--user", upn("anna"), "--user", upn("bo"), "--role", "Member"), ""


def connected(folder: Path, there: DocumoThere) -> Iterator[Step]:
    """Contoso, with Documo's URL and key stored. Provisioning is off."""
    yield ("creds", "set", "documo", "--tenant-url", there.url, "--token-stdin"), f"{there.key}\n"


def started(folder: Path, there: DocumoThere) -> Iterator[Step]:
    """Connected, provisioning on, the initial cycle done."""
    yield ("start", "documo"), ""
    yield ("run", "documo", "--wait"), ""


def crew(folder: Path, there: DocumoThere) -> Iterator[Step]:
    """Anna and Bo are assigned directly, twelve others through the group crew. All have accounts."""
    file = write_csv(folder / "more.csv", [person(name) for name in (*PEOPLE, *CREW)])
    yield ("sources", "import", str(file)), ""
    yield ("groups", "create", "crew"), ""
    yield ("groups", "add-member", "crew", *map(upn, CREW)), ""
    yield ("assign", "documo", "--group", "crew", "--role", "Member"), ""
    yield ("run", "documo", "--wait"), ""


# Each stage: the one before it, and the commands that it adds.
STAGES = {
    "unassigned": ("nothing", unassigned),
    "contoso": ("unassigned", contoso),
    "connected": ("contoso", connected),
    "started": ("connected", started),
    "crew": ("started", crew),
}
AFTER_CONNECTING = ("connected", "started", "crew")


def said_by(arguments: Sequence[str], stdin: str) -> Said:
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run(list(arguments))
    out.seek(0)
    err.seek(0)
    return Said(code, out.read(), err.read())


async def _account(database: Database) -> str:
    async with open_store(database) as store:
        account = await create_account(store, "Contoso", admin="admin@contoso.test", settings={"rate_per_second": 0})
        return (await create_key(store, account.id, scopes=("admin",))).secret


@contextmanager
def serving_documo(database: Database, key: str) -> Iterator[DocumoThere]:
    """Serve from a thread until the end of the block."""

    async def serve(ready: Callable[[DocumoThere], None], stop: asyncio.Event) -> None:
        async with open_store(database) as store, serving(store, DocumoSettings(Path(), port=0)) as running:
            ready(DocumoThere(running.scim_url, key))
            await stop.wait()

    with served_in_a_thread(serve) as there:
        yield there
