"""`documo sandbox`: starts with one line and leaves no trace; injects faults by rule; passes third-party SCIM checks."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support.documo_client import USER
from tests.support.waiting import wait_until

BIN = Path(sys.executable).parent


def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    process = subprocess.Popen(
        [str(BIN / "documo"), "sandbox", *arguments], stdout=subprocess.PIPE, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, orjson.loads(line)


@pytest.fixture
def sandbox() -> Iterator[dict[str, Any]]:
    process, ready = start("--users", "3", "--tenants", "2", "--seed", "7")
    yield ready
    process.terminate()
    assert process.wait(timeout=10) == 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


async def test_each_tenant_has_its_people_and_its_key(sandbox: dict[str, Any]) -> None:
    first, second = sandbox["tenants"]

    totals = []
    async with aiohttp.ClientSession() as session:
        for tenant in (first, second):
            headers = {"Authorization": f"Bearer {tenant['token']}"}
            async with session.get(tenant["base_url"] + "/Users", headers=headers) as response:
                totals.append((await response.json(content_type=None))["totalResults"])

    assert totals == [3, 3], "the owners of the keys are no users"
    assert first["token"] != second["token"]
    assert (sandbox["base_url"], sandbox["token"], sandbox["profile"]) == (first["base_url"], first["token"], "lenient")


def test_a_client_finds_an_empty_tenant_and_its_requests_in_the_log() -> None:
    process, ready = start()
    with_admin, shown = start("--with-admin")
    try:
        keys = [(one["base_url"], one["token"]) for one in (ready, shown)]
        found = [asyncio.run(user_names(url, token)) for url, token in keys]
        command = [BIN / "documo", "requests", "--data", ready["data"], "--account", ready["account"], "-o", "json"]
        logged: list[Any] = []

        def is_logged() -> bool:
            logged[:] = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)["requests"]
            return bool(logged)

        wait_until(is_logged, seconds=30)
    finally:
        for one in (process, with_admin):
            one.terminate()
            one.wait(timeout=10)

    assert found == [[], ["admin1@sandbox.example"]]
    assert [(entry["method"], entry["path"], entry["status"]) for entry in logged] == [("GET", "/scim/v2/Users", 200)]


async def user_names(url: str, token: str) -> list[str]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        async with session.get(f"{url}/Users") as response:
            return [user["userName"] for user in (await response.json(content_type=None))["Resources"]]


def test_sigterm_ends_it_with_0_and_nothing_stays(data_folder: Path) -> None:
    process, ready = start(TMPDIR=str(data_folder))
    (made,) = data_folder.glob("documo-sandbox-*")
    postgres = (
        int((made / "postgres" / "postmaster.pid").read_text().splitlines()[0]) if (made / "postgres").is_dir() else 0
    )

    os.kill(ready["pid"], signal.SIGTERM)

    assert process.wait(timeout=5) == 0
    wait_until(lambda: not made.exists() and (not postgres or not is_alive(postgres)), seconds=5)


def test_it_ends_when_its_parent_is_killed(data_folder: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([{str(BIN / 'documo')!r}, 'sandbox'], stdout=subprocess.PIPE)\n"
        "sys.stdout.buffer.write(p.stdout.readline()); sys.stdout.flush(); time.sleep(100)\n"
    )
    environment = {**os.environ, "TMPDIR": str(data_folder)}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    ready = orjson.loads(parent.stdout.readline())
    (made,) = data_folder.glob("documo-sandbox-*")

    parent.kill()
    parent.wait()

    wait_until(lambda: not is_alive(ready["pid"]) and not made.exists(), seconds=8)


@pytest.fixture
async def faulty(tmp_path: Path) -> AsyncIterator[Any]:
    processes = []

    def run(rules: str) -> dict[str, Any]:
        file = tmp_path / "faults.yaml"
        file.write_text(rules)
        process, ready = start("--faults", str(file))
        processes.append(process)
        return ready

    yield run
    for process in processes:
        process.terminate()
        process.wait(timeout=10)


async def test_faults_follow_their_rules(faulty: Any) -> None:
    ready = await asyncio.to_thread(
        faulty,
        """
faults:
  - {method: GET, path: /Users$, nth: 1, do: status, status: 429, headers: {Retry-After: "2"}}
  - {method: GET, path: /Users$, nth: 1, do: html, status: 502}
  - {method: POST, path: /Users, nth: 1, do: drop_before}
  - {method: POST, path: /Users, nth: 1, do: drop_after}
  - {method: POST, path: /Users, nth: 1, do: duplicate}
  - {method: GET, path: /Groups, nth: 1, do: truncate}
  - {method: GET, path: /Groups, nth: 1, do: content_type, value: text/plain}
""",
    )
    headers = {"Authorization": f"Bearer {ready['token']}", "Content-Type": "application/scim+json"}

    async with aiohttp.ClientSession(headers=headers) as session:

        async def get(path: str) -> tuple[int, str, bytes]:
            async with session.get(ready["base_url"] + path) as response:
                return response.status, response.headers["Content-Type"], await response.read()

        async def post(name: str) -> int:
            body = orjson.dumps({"schemas": [USER], "userName": name})
            async with session.post(ready["base_url"] + "/Users", data=body) as response:
                return response.status

        assert (await get("/Users"))[0] == 429
        assert (await get("/Users"))[:2] == (502, "text/html")
        assert (await get("/Users"))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await post("never@x.org")
        with pytest.raises(aiohttp.ClientError):
            await post("made@x.org")
        assert await post("twice@x.org") == 409
        with pytest.raises(aiohttp.ClientError):
            await get("/Groups")
        assert (await get("/Groups"))[:2] == (200, "text/plain")
        listed = (await get("/Users"))[2]

    assert b"made@x.org" in listed and b"twice@x.org" in listed and b"never@x.org" not in listed


def test_a_faults_file_that_makes_no_sense_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults: [{do: explode}]")

    ended = subprocess.run([str(BIN / "documo"), "sandbox", "--faults", str(file)], capture_output=True, text=True)

    assert ended.returncode == 64 and ended.stdout == ""
    assert "Fault 1" in ended.stderr


@pytest.mark.full
def test_scim2_tester_finds_no_fault() -> None:
    process, ready = start()
    environment = {**os.environ, "SCIM_CLI_HEADERS": f"Authorization: Bearer {ready['token']}"}

    ended = subprocess.run(
        [str(BIN / "scim2"), "-u", ready["base_url"], "test"], capture_output=True, text=True, env=environment
    )
    process.terminate()
    process.wait(timeout=10)

    verdicts = re.findall(r"^(SUCCESS|ERROR|CRITICAL|SKIPPED|COMPLIANT|ACCEPTABLE|DEVIATION)", ended.stdout, re.M)
    assert verdicts.count("SUCCESS") >= 212 and set(verdicts) == {"SUCCESS"}, ended.stdout[-4000:]


@pytest.mark.full
def test_scim_sanity_passes_every_counted_check() -> None:
    process, ready = start()

    ended = subprocess.run(
        [str(BIN / "scim-sanity"), "probe", ready["base_url"], "--token", ready["token"], "--i-accept-side-effects", "--strict"],
        capture_output=True, text=True,
    )  # fmt: skip
    process.terminate()
    process.wait(timeout=10)

    assert ended.returncode == 0 and "28 passed" in ended.stdout and "[FAIL]" not in ended.stdout, ended.stdout[-4000:]
