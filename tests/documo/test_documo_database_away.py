"""While PostgreSQL is away, every endpoint reports it in the form of its protocol, with the time to retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from documo.store.database import open_store
from lockstep.postgres.database import Database
from lockstep.postgres.embedded import EmbeddedServer
from tests.support.documo_client import Documo, Reply, documo_on

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
STREAM = "/events/0190a0b0-0000-7000-8000-000000000000"


@contextmanager
def away(server: EmbeddedServer, database: str) -> Iterator[None]:
    """Cut all connections to *database* and refuse new ones."""
    with psycopg.connect(server.administration().conninfo, autocommit=True) as administrator:
        allow = SQL("alter database {} allow_connections {}")
        administrator.execute(allow.format(Identifier(database), SQL("false")))
        administrator.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database,))
        try:
            yield
        finally:
            administrator.execute(allow.format(Identifier(database), SQL("true")))


async def token(documo: Documo, key: str) -> Reply:
    form: dict[str, Any] = {"grant_type": "client_credentials", "client_id": "x", "client_secret": key}
    async with documo.session.post(documo.running.api_url + "/oauth/token", data=form) as response:
        return Reply(response.status, response.headers, await response.read())


@pytest.mark.parametrize("key", ["known", "unknown"])
async def test_every_door_says_that_the_database_is_away(
    documo_database: Database, postgres_server: EmbeddedServer, key: str
) -> None:
    async with open_store(documo_database) as store, documo_on(store) as documo:
        api = await documo.client()
        store.pool.timeout = 0.2  # seconds that a request waits for a connection
        assert (await api.get("/Users")).status == 200
        headers = {"Authorization": f"Bearer {api.token}"} if key == "known" else {"Authorization": "Bearer other"}
        async with store.control() as connection:
            name = connection.info.dbname

        with away(postgres_server, name):
            scim = await api.send("GET", "/Users", headers=headers)
            events = await api.send("POST", documo.running.api_url + STREAM, {}, headers=headers)
            oauth = await token(documo, api.token if key == "known" else "other")

        for reply in (scim, events):
            assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
            assert (reply.body["schemas"], reply.body["status"]) == ([ERROR], "503")
            assert reply.body["detail"]
        assert (oauth.status, oauth.headers["Retry-After"], oauth.headers["Cache-Control"]) == (503, "1", "no-store")
        assert oauth.body["error"] == "temporarily_unavailable"
        assert "connection" in oauth.body["error_description"] or "database" in oauth.body["error_description"]
        store.pool.timeout = 30
        assert (await api.get("/Users")).status == 200
