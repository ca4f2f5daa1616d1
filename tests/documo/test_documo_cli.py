"""The `documo` command, as scripts and Lockstep use it."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockstep.postgres.database import Database

DOCUMO = Path(sys.executable).parent / "documo"


@pytest.fixture(autouse=True)
def named_database(documo_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use the tests' PostgreSQL server, so that none of them has to start one."""
    monkeypatch.setenv("DOCUMO_DATABASE_URL", documo_database.conninfo)


@pytest.fixture
def documo_command(data_folder: Path) -> Any:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [str(DOCUMO), *arguments, *(["--data", str(data_folder)] if arguments[0] != "version" else [])],
            capture_output=True,
            text=True,
        )
        assert ended.returncode == code, ended.stderr
        return ended

    return run


@pytest.fixture
def serving(data_folder: Path) -> Iterator[Any]:
    processes = []

    def serve(*arguments: str) -> dict[str, Any]:
        process = subprocess.Popen(
            [str(DOCUMO), "serve", "--port", "0", "--data", str(data_folder), "-o", "json", *arguments],
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        return dict(orjson.loads(process.stdout.readline()))

    yield serve
    for process in processes:
        process.terminate()
        assert process.wait(timeout=15) == 0


async def test_from_an_empty_folder_to_the_first_request(documo_command: Any, serving: Any) -> None:
    account = orjson.loads(
        documo_command("accounts", "create", "Contoso", "--admin", "admin@x.org", "-o", "json").stdout
    )
    made = documo_command("keys", "create", "--account", "contoso", "--role", "Admin", "-o", "json")
    key = orjson.loads(made.stdout)
    ready = serving("--rate", "0")

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key['key']}"}) as session:
        async with session.get(ready["scimUrl"] + "/Me") as response:
            me = await response.json(content_type=None)
        documo_command("members", "add", "second@x.org", "--role", "viewer")
        listed = orjson.loads(documo_command("members", "list", "-o", "json").stdout)["members"]
        documo_command("keys", "revoke", key["id"])
        async with session.get(ready["scimUrl"] + "/Me") as response:
            after = response.status

    assert account["name"] == "Contoso" and account["formatVersion"] == "1.0"
    assert me["userName"] == "admin@x.org"
    assert [(m["user_name"], m["role"]) for m in listed] == [("admin@x.org", "Admin"), ("second@x.org", "Viewer")]
    assert after == 401
    assert key["key"] not in documo_command("keys", "list", "-o", "json").stdout
    assert key["key"] not in made.stderr


def test_mistakes_are_explained_on_stderr_with_their_exit_code(documo_command: Any) -> None:
    usage = documo_command("accounts", "create", code=64)
    missing = documo_command("accounts", "show", "Nobody", code=5)
    documo_command("accounts", "create", "Contoso", "--admin", "a@x.org")
    taken = documo_command("accounts", "create", "CONTOSO", "--admin", "a@x.org", code=7)
    unknown = documo_command("keys", "create", "--scope", "everything", code=64)

    for ended in (usage, missing, taken, unknown):
        assert ended.stdout == "" and ended.stderr.startswith("error: ") and "Traceback" not in ended.stderr
    assert "  next  " in missing.stderr


def test_version_is_printed_for_people_and_for_machines(documo_command: Any) -> None:
    assert (
        documo_command("version").stdout.strip()
        == orjson.loads(documo_command("version", "-o", "json").stdout)["version"]
    )


def test_an_issuer_is_trusted_by_command_and_listed_like_a_key(documo_command: Any, tmp_path: Path) -> None:
    documo_command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    keys = tmp_path / "keys.json"
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    keys.write_text(orjson.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).decode(), encoding="utf-8")
    wanted = ("keys", "trust", "--issuer", "https://sts.example/", "--audience", "documo", "--jwks")

    said = documo_command(*wanted, str(keys)).stdout
    listed = orjson.loads(documo_command("keys", "list", "-o", "json").stdout)["keys"]
    keys.write_text("not json", encoding="utf-8")

    assert said == "Tokens of https://sts.example/ for documo are accepted (1 keys).\n"
    assert [key["key"] for key in listed if key["kind"] == "issuer"] == ["signed tokens"]
    assert "no public keys that can be read" in documo_command(*wanted, str(keys), code=64).stderr


def test_streams_are_added_listed_and_removed_by_command(documo_command: Any) -> None:
    documo_command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    polled = documo_command("events", "add", "--poll", "--audience", "app").stdout.strip()
    secret = documo_command("events", "add", "--webhook", "https://app.example/hook").stdout.strip()
    inside = documo_command("events", "add", "--push", "http://127.0.0.1:9/", code=64).stderr
    documo_command("events", "add", "--poll", "--push", "https://app.example/", code=64)

    streams = orjson.loads(documo_command("events", "list", "-o", "json").stdout)["streams"]
    documo_command("events", "remove", polled)

    assert {one["delivery"]: one["waiting"] for one in streams} == {"poll": 0, "webhook": 0}
    assert secret.startswith("whsec_") and secret not in str(streams)
    assert "is not https" in inside
    assert len(orjson.loads(documo_command("events", "list", "-o", "json").stdout)["streams"]) == 1
    documo_command("events", "remove", polled, code=5)
