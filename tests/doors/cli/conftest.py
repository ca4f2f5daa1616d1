"""Commands in this process on a fresh database, and a Documo that answers over HTTP from another thread."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import orjson
import pytest
from tests.hub import person, upn, write_csv

from documo.access.api_keys import create_key
from documo.accounts import create_account
from documo.server import serving
from documo.settings import Settings
from documo.store.database import open_store
from lockstep.cli import run
from lockstep.postgres.database import Database

PEOPLE = ("anna", "bo", "kim.berg")


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
        """Every account that it holds, by user name, but its own administrator."""
        request = urllib.request.Request(f"{self.url}/Users?count=200", headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            found = orjson.loads(reply.read())["Resources"]
        return {one["userName"]: one for one in found if not one["userName"].startswith("admin@")}


@pytest.fixture
def documo(documo_database: Database) -> Iterator[DocumoThere]:
    ready: Queue[DocumoThere | BaseException] = Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with open_store(documo_database) as store, serving(store, Settings(Path(), port=0)) as running:
            account = await create_account(
                store, "Contoso", admin="admin@contoso.test", settings={"rate_per_second": 0}
            )
            key = await create_key(store, account.id, scopes=("admin",))
            ready.put(DocumoThere(running.scim_url, key.secret))
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as failed:
            ready.put(failed)

    thread = threading.Thread(target=work)
    thread.start()
    there = ready.get(timeout=30)
    if isinstance(there, BaseException):
        raise there
    yield there
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def lockstep(
    lockstep_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lockstep:
    """Run a command in this process, on a fresh database."""
    monkeypatch.setenv("DATABASE_URL", lockstep_database.conninfo)
    monkeypatch.setenv("LOCKSTEP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")

    def say(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return say


@pytest.fixture
def contoso(lockstep: Lockstep, tmp_path: Path) -> Lockstep:
    """Three people, of whom Anna and Bo are assigned, and Documo without credentials."""
    file = write_csv(tmp_path / "people.csv", [person(name) for name in PEOPLE])
    assert lockstep("sources", "import", str(file)).code == 0
    assert lockstep("apps", "add", "documo").code == 0
    assert lockstep("assign", "documo", "--user", upn("anna"), "--user", upn("bo"), "--role", "Member").code == 0
    return lockstep


@pytest.fixture
def connected(contoso: Lockstep, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch) -> Lockstep:
    """Contoso, with Documo's URL and key given. Provisioning is off."""
    monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", documo.origin)
    said = contoso("creds", "set", "documo", "--tenant-url", documo.url, "--token-stdin", stdin=f"{documo.key}\n")
    assert said.code == 0, said.err
    return contoso


@pytest.fixture
def started(connected: Lockstep) -> Lockstep:
    """Connected, provisioning on, the initial cycle done."""
    assert connected("start", "documo").code == 0
    said = connected("run", "documo", "--wait")
    assert said.code == 0, said.err
    return connected
