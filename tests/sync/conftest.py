"""The world of these tests, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.actions.context import Actor, Context
from lockstep.gallery.loader import load_gallery
from lockstep.postgres.pool import Pool
from lockstep.sources.registry import open_source
from tests.support.model_target import ModelTarget
from tests.support.reused_databases import ReusedDatabase
from tests.support.scripted_scim import ScriptedScim, scripted_scim
from tests.support.sync_world import World, make_world


@pytest.fixture
async def pool(reused_lockstep_database: ReusedDatabase) -> Pool:
    return await reused_lockstep_database.pool(max_size=8)


@pytest.fixture
def target() -> ModelTarget:
    return ModelTarget()


@pytest.fixture
async def world(pool: Pool, target: ModelTarget) -> World:
    return await make_world(pool, target)


@pytest.fixture
async def application() -> AsyncIterator[ScriptedScim]:
    """An application whose answers the test decides."""
    async with scripted_scim() as application:
        yield application


@pytest.fixture
def context(world: World) -> Context:
    """Anna, an administrator of the application of these tests."""
    return Context(
        pool=world.pool,
        actor=Actor("anna"),
        vault=world.services.vault,
        gallery=load_gallery(),
        open_source=open_source,
        opener=world.services.opener,
        after_commit=world.drive.wake,
    )
