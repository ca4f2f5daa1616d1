"""A server that the administrator named."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from lockstep.errors import Kind, LockstepError
from lockstep.postgres.database import Database, from_url, urls_from
from lockstep.postgres.embedded import EmbeddedServer
from lockstep.postgres.server import start_or_attach

CANARY = "canary-7f3a"


@pytest.fixture
def old_server_port() -> Iterator[int]:
    """A server that claims to be PostgreSQL 14."""
    listener = socket.create_server(("127.0.0.1", 0))

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while True:
                    (length,) = struct.unpack("!i", client.recv(4))
                    (code,) = struct.unpack("!i", client.recv(length - 4)[:4])
                    if code == 196608:  # protocol 3.0; anything before asks for encryption
                        break
                    client.sendall(b"N")
                settings = (b"server_version\x0014.9\0", b"client_encoding\0UTF8\0")
                client.sendall(message(b"R", bytes(4)) + b"".join(message(b"S", one) for one in settings))
                client.sendall(message(b"K", bytes(8)) + message(b"Z", b"I"))
                client.recv(100)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def url_of(database: Database, name: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(database.conninfo)
    return f"postgresql://{parts['user']}@/{name}?host={parts['host']}&port={parts['port']}"


async def test_named_server_is_used_and_none_is_started(postgres_server: EmbeddedServer, tmp_path: Path) -> None:
    urls = {"lockstep": url_of(postgres_server.database("lockstep"), "lockstep")}

    server = await start_or_attach(tmp_path, main=True, urls=urls)
    with psycopg.connect(server.database("lockstep").conninfo) as connection:
        assert connection.info.dbname == "lockstep"
    await server.leave()

    assert server.embedded is None
    assert not (tmp_path / "postgres.json").exists()


async def test_documo_gets_a_database_beside_the_named_one(postgres_server: EmbeddedServer, tmp_path: Path) -> None:
    administration = postgres_server.administration()
    with psycopg.connect(administration.conninfo, autocommit=True) as connection:
        connection.execute("create role manager login createdb")
        connection.execute("create database documo_test_keep")
    try:
        server = await start_or_attach(
            tmp_path,
            main=False,
            databases=("lockstep", "documo"),
            urls={"lockstep": url_of(administration, "lockstep")},
        )
        with psycopg.connect(server.database("documo").conninfo) as connection:
            assert connection.info.dbname == "documo"
        await server.leave()
    finally:
        with psycopg.connect(administration.conninfo, autocommit=True) as connection:
            connection.execute("drop database documo_test_keep")
            connection.execute("drop role manager")


async def test_server_older_than_15_is_refused(old_server_port: int, tmp_path: Path) -> None:
    url = f"postgresql://u:{CANARY}@127.0.0.1:{old_server_port}/d?sslmode=disable"

    with pytest.raises(LockstepError, match="PostgreSQL 14; Lockstep needs 15 or newer") as refused:
        await start_or_attach(tmp_path, main=False, urls={"lockstep": url})

    assert CANARY not in repr(refused.value)


async def test_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://u:{CANARY}@127.0.0.1:9/d"

    with pytest.raises(LockstepError) as refused:
        await start_or_attach(tmp_path, main=False, urls={"lockstep": url})

    assert refused.value.kind is Kind.UNREACHABLE
    assert "127.0.0.1" in refused.value.detail
    assert CANARY not in repr(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("url", [f"postgresql://u:{CANARY}@h:x/d", f"{CANARY}", f"postgresql://u:{CANARY}%zz@h/d"])
async def test_malformed_url_is_refused_without_being_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(LockstepError, match="DATABASE_URL") as refused:
        await start_or_attach(tmp_path, main=False, urls={"lockstep": url})

    assert CANARY not in repr(refused.value)


async def test_missing_database_is_said_plainly(postgres_server: EmbeddedServer, tmp_path: Path) -> None:
    urls = {"lockstep": url_of(postgres_server.database("lockstep"), "absent")}

    with pytest.raises(LockstepError, match="There is no database absent"):
        await start_or_attach(tmp_path, main=False, urls=urls)


async def test_failed_start_gives_the_main_place_back(tmp_path: Path, postgres_server: EmbeddedServer) -> None:
    with pytest.raises(LockstepError):
        await start_or_attach(tmp_path, main=True, urls={"lockstep": "postgresql://u@127.0.0.1:9/d"})

    good = {"lockstep": url_of(postgres_server.database("lockstep"), "lockstep")}
    server = await start_or_attach(tmp_path, main=True, urls=good)
    await server.leave()


def test_database_does_not_show_its_password() -> None:
    database = from_url(f"postgresql://u:{CANARY}@h/d", variable="DATABASE_URL")

    assert CANARY not in f"{database} {database!r} {database.place}"
    assert CANARY in database.conninfo


def test_urls_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://h/documo\n")

    found = urls_from({"DATABASE_URL": "postgresql://h/d", "DOCUMO_DATABASE_URL_FILE": str(tmp_path / "url")})

    assert found == {"lockstep": "postgresql://h/d", "documo": "postgresql://h/documo"}
