"""Documo's own database is restored from a backup: the leavers of the time since then lose access again, and nobody exists twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp

from documo.server import serving
from documo.settings import DocumoSettings
from documo.store.database import open_store
from lockstep.actions import applications, credentials, sources
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.jobs import new_services
from lockstep.postgres.database import Database
from lockstep.settings import Settings, load_settings
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drive import Drive
from lockstep.sync.worker.tasks import run_schedule
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.journeys.test_restore_moved_on import rows, settle
from tests.support.databases import Databases
from tests.support.documo_client import Client, Documo
from tests.support.hub import write_csv

STAFF = ("anna", "ben", "cleo", "dan", "eve")


@asynccontextmanager
async def documo(database: Database, port: int = 0) -> AsyncIterator[Documo]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(database))
        running = await stack.enter_async_context(serving(store, DocumoSettings(Path(), port=port)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Documo(store, running, session)


@asynccontextmanager
async def lockstep(settings: Settings) -> AsyncIterator[Context]:
    async with open_house(settings, main=True) as house:
        yield house.context(Actor("test", is_operator=True))


async def inactive(client: Client) -> set[str]:
    found = (await client.get("/Users", count="200")).body["Resources"]
    names = [one["userName"].partition("@")[0] for one in found]
    assert len(set(names)) == len(names)
    return {name for name, one in zip(names, found, strict=True) if not one["active"]}


async def scheduled_cycle(context: Context) -> None:
    async with context.pool.connection() as connection:
        await connection.execute("update job set next_cycle_at = now()")
    services = new_services(context)
    drive = Drive(pool=context.pool)
    for job in await run_schedule(services, drive):
        await drain_job(services, drive, job)


async def test_leavers_lose_access_again_after_documo_was_restored(
    documo_database: Database, lockstep_database: Database, database_factory: Databases, data_folder: Path
) -> None:
    file = data_folder / "people.csv"
    async with documo(documo_database) as first:
        client = await first.client("contoso")
        origin = client.url.removesuffix("/scim/v2")
        port = int(origin.rpartition(":")[2])
        settings = load_settings({"DATABASE_URL": lockstep_database.conninfo}, {"data": data_folder})
        async with lockstep(replace(settings, outbound_allow=(origin,))) as context:
            write_csv(file, rows(*STAFF))
            await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(file)}]})
            await sources.import_source(context, "hr")
            await applications.add_application(context, "documo")
            await credentials.set_credentials(
                context, "documo", tenant_url=client.url, secret_token=Secret(client.token)
            )
            await settings_actions.change_settings(context, "documo", scope="all", status="on")
            await settle(context)
    backup = database_factory.copy(documo_database, role="documo")
    async with (
        documo(documo_database, port) as second,
        lockstep(replace(settings, outbound_allow=(origin,))) as context,
    ):
        write_csv(file, rows(*STAFF[:4], dan={"accountEnabled": "False"}))
        await sources.import_source(context, "hr")
        await settle(context)
        assert await inactive(replace(client, session=second.session)) == {"dan", "eve"}

    async with (
        documo(backup, port) as restored,
        lockstep(replace(settings, outbound_allow=(origin,))) as context,
    ):
        assert await inactive(replace(client, session=restored.session)) == set()
        await scheduled_cycle(context)

        assert await inactive(replace(client, session=restored.session)) == {"dan", "eve"}
