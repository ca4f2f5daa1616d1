"""A Documo that serves HTTP from an empty database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from documo.store.database import Store
from tests.documo.sso_world import World, sso_world
from tests.support.documo_client import Client, Documo, documo_on
from tests.support.documo_world import Browser
from tests.support.name_server import NameServer, answering
from tests.support.reused_databases import ReusedDatabase


@pytest.fixture
async def store(reused_documo_database: ReusedDatabase) -> Store:
    return Store(await reused_documo_database.pool(max_size=8), reused_documo_database.database)


@pytest.fixture
async def world(store: Store) -> World:
    return await sso_world(store)


@pytest.fixture
async def documo(store: Store) -> AsyncIterator[Documo]:
    async with documo_on(store) as running:
        yield running


@pytest.fixture
async def api(documo: Documo) -> Client:
    """An account with the default profile."""
    return await documo.client()


@pytest.fixture
async def pair(documo: Documo) -> tuple[Client, Client]:
    """Two accounts that know nothing of each other."""
    return await documo.client("Alpha"), await documo.client("Beta")


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    server = NameServer()
    async with answering(server):
        yield server


@pytest.fixture
async def browser(documo: Documo) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Browser(http, documo.running.scim_url.removesuffix("/scim/v2"))
