"""A backup is restored after the application has moved on: no leaver is active again, nobody exists twice, and reading comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest

from documo.server import serving
from documo.settings import DocumoSettings
from documo.store.database import open_store
from lockstep.actions import applications, credentials, following, people, provisioning, sources
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.restore import enter_restore_mode
from lockstep.actions.sources import IntakeGuard, IntakeOptions
from lockstep.errors import Kind, LockstepError
from lockstep.postgres import dump
from lockstep.postgres.database import Database
from lockstep.serving.bodies import App, AsgiScope, AsgiSend, Receive
from lockstep.settings import load_settings
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.support.databases import Databases
from tests.support.documo_client import Client, Documo
from tests.support.hub import guid, person, upn, write_csv

AT_BACKUP = ("anna", "ben", "cleo", "eve", "fay", "gus", "ida", "jon", "kai", "lea")


@dataclass
class World:
    """One application, and Lockstep before and after the restore."""

    account: Client
    folder: Path
    file: Path
    first: Database
    second: Database
    asked: list[tuple[str, str]] = field(
        default_factory=list
    )  # method and path of each request to the application, oldest first

    @asynccontextmanager
    async def lockstep(self, database: Database) -> AsyncIterator[Context]:
        origin = self.account.url.removesuffix("/scim/v2")
        settings = replace(
            load_settings({"DATABASE_URL": database.conninfo}, {"data": self.folder}), outbound_allow=(origin,)
        )
        async with open_house(settings, main=True) as house:
            yield house.context(Actor("test", is_operator=True))

    def write(self, *rows: dict[str, str]) -> None:
        write_csv(self.file, rows)

    async def accounts(self) -> dict[str, tuple[str, bool]]:
        """Id and active state by user name; fails if a name exists twice."""
        found = (await self.account.get("/Users", count="200")).body["Resources"]
        mine = [one for one in found if not one["userName"].startswith("admin@")]
        assert len({one["userName"] for one in mine}) == len(mine)
        return {one["userName"].partition("@")[0]: (one["id"], one["active"]) for one in mine}


def noting(app: App, asked: list[tuple[str, str]]) -> App:
    async def noted(scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        asked.append((scope["method"], f"{scope['path']}?{scope['query_string'].decode()}"))
        await app(scope, receive, send)

    return noted


async def settle(context: Context, *, full: bool = False) -> None:
    async for _ in following.follow(context, await provisioning.run(context, "documo", full=full)):
        pass


def rows(*names: str, **changed: dict[str, str]) -> list[dict[str, str]]:
    return [person(name, **changed.get(name, {})) for name in names]


@pytest.fixture
async def world(
    documo_database: Database, lockstep_database: Database, database_factory: Databases, data_folder: Path
) -> AsyncIterator[World]:
    """Ten people are provisioned, a backup is made, and then everything goes on; the backup is in the second database."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(documo_database))
        asked: list[tuple[str, str]] = []
        running = await stack.enter_async_context(
            serving(store, DocumoSettings(Path(), port=0), wrap=lambda app: noting(app, asked))
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        account = await Documo(store, running, session).client("contoso")
        second = database_factory(role="lockstep")
        made = World(account, data_folder, data_folder / "people.csv", lockstep_database, second, asked)
        async with made.lockstep(made.first) as context:
            made.write(*rows(*AT_BACKUP, gus={"accountEnabled": "False"}))
            await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(made.file)}]})
            await sources.import_source(context, "hr")
            await applications.add_application(context, "documo")
            await credentials.set_credentials(
                context, "documo", tenant_url=account.url, secret_token=Secret(account.token)
            )
            await settings_actions.change_settings(context, "documo", scope="all", status="on", deletion_threshold=0)
            await settle(context)

            made.write(*rows(*AT_BACKUP, "vic", gus={"accountEnabled": "False"}))
            await sources.import_source(context, "hr")  # and Vic has not been planned yet
            saved = made.folder / "saved.dump"
            await asyncio.to_thread(dump.dump, made.first, saved)
            await asyncio.to_thread(dump.load, second, saved)

            await moves_on(made, context)
        async with made.lockstep(made.second) as context:
            await enter_restore_mode(context, saved.name)
        yield made


async def moves_on(world: World, context: Context) -> None:
    """Change the directory, and the application itself, after the backup.

    Ben leaves. Eve leaves and is deleted. Fay marries. Gus comes back. Dan joins. Hal joins and leaves. Vic, whose account was not made
    yet when the backup was, gets it and leaves. An administrator of the application disables Ida and deletes Jon.
    """
    before = await world.accounts()
    world.write(*rows(*AT_BACKUP, "vic", "hal", gus={"accountEnabled": "False"}))
    await sources.import_source(context, "hr")
    await settle(context)
    stay = [name for name in AT_BACKUP if name not in ("ben", "eve")]
    world.write(*rows(*stay, "dan", fay={"userPrincipalName": upn("fay.married"), "surname": "Married"}))
    await sources.import_source(context, "hr")
    await settle(context)
    await people.purge(context, [upn("eve")])
    await settle(context)
    await world.account.patch(f"/Users/{before['ida'][0]}", {"op": "replace", "path": "active", "value": False})
    await world.account.send("DELETE", f"/Users/{before['jon'][0]}")


async def test_nobody_who_left_is_active_again_and_nobody_exists_twice(world: World) -> None:
    held = await world.accounts()
    assert {name for name, (_, active) in held.items() if not active} == {"ben", "hal", "ida", "vic"}
    assert "eve" not in held and "jon" not in held

    async with world.lockstep(world.second) as context:
        await sources.import_source(context, "hr")
        await provisioning.start(context, "documo")
        await settle(context)
        await settle(context, full=True)

    assert await world.accounts() == held


async def test_first_cycle_after_a_restore_looks_before_it_writes(world: World) -> None:
    world.asked.clear()
    async with world.lockstep(world.second) as context:
        stay = [name for name in AT_BACKUP if name not in ("ben", "eve")]
        married = {"userPrincipalName": upn("fay.married"), "surname": "Married"}
        world.write(*rows(*stay, "dan", "nia", fay=married))
        await sources.import_source(context, "hr")
        assert world.asked == []

        await provisioning.start(context, "documo")
        await settle(context)

    asked = world.asked
    listing = next(place for place, (method, path) in enumerate(asked) if method == "GET" and "startIndex" in path)
    accounts = await world.accounts()
    stayed = {f"/scim/v2/Users/{account}?" for name, (account, _) in accounts.items() if name != "ben"}
    # Leavers go first; nobody gets an account or a change before all accounts were listed.
    early = [one for one in asked[:listing] if one[0] != "GET"]
    assert all(method == "PATCH" and path not in stayed for method, path in early)
    assert [path for method, path in asked if method == "POST"] == ["/scim/v2/Users?"]  # Nia alone is new
    assert accounts["nia"][1] is True


async def by_start(context: Context) -> object:
    return await provisioning.start(context, "documo")


async def by_restart(context: Context) -> object:
    return await provisioning.restart(context, "documo")


async def by_settings(context: Context) -> object:
    return await settings_actions.change_settings(context, "documo", status="on")


async def by_push(context: Context) -> object:
    return await provisioning.push(context, "documo", users=[upn("vic")])


async def test_nothing_is_written_by_any_door_before_the_sources_were_read_again(world: World) -> None:
    held = await world.accounts()
    world.asked.clear()
    async with world.lockstep(world.second) as context:
        for door in (by_start, by_restart, by_settings, by_push):
            with pytest.raises(LockstepError) as refused:
                await door(context)
            assert refused.value.kind is Kind.CONFLICT
            assert "lockstep sources import hr" in refused.value.next_step
        assert world.asked == []
        assert await world.accounts() == held

        world.file.rename(world.folder / "away.csv")
        with pytest.raises(LockstepError):
            await sources.import_source(context, "hr")
        with pytest.raises(LockstepError, match="come from the backup"):
            await by_start(context)

        await provisioning.start(context, "documo", as_of_backup=True)


async def test_leavers_that_are_held_at_the_first_reading_have_to_be_decided_before_a_start(world: World) -> None:
    async with world.lockstep(world.second) as context:
        world.write(*rows("anna", "dan"))
        guard = IntakeOptions(guard=IntakeGuard(percent=10, least=2))
        await sources.import_source(context, "hr", options=guard)
        assert (await sources.show_source(context, "hr")).holds

        with pytest.raises(LockstepError, match="A decision is needed on people"):
            await by_start(context)


async def test_create_that_was_under_way_at_the_backup_makes_no_second_account(world: World) -> None:
    """The backup was made between the journal entry and the response: it contains the create, but no account."""
    held = await world.accounts()
    async with world.lockstep(world.second) as context:
        async with context.pool.connection() as connection:
            await connection.execute("delete from link where source_id = %s", (guid("kai"),))
            await connection.execute(
                "update operation set state = 'planned', settled_at = null, target_id = '' where source_id = %s",
                (guid("kai"),),
            )
        await sources.import_source(context, "hr")
        await provisioning.start(context, "documo")
        await settle(context)
        async with context.pool.connection() as connection:
            cursor = await connection.execute("select target_id from link where source_id = %s", (guid("kai"),))
            linked = await cursor.fetchone()

    assert await world.accounts() == held
    assert linked == (held["kai"][0],)
