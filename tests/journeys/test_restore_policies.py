"""A leaver who returns has exactly one account afterwards, or a failure that says why, whatever Documo does with a known name.

A setting of Documo's account decides what POST does with a leaver's name: restore the old account, refuse with 409, or create a new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from documo import members
from documo.store.database import open_store
from lockstep.actions import applications, assignments, credentials, following, people, provisioning, sources, status
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.logs import list_log
from lockstep.postgres.database import Database
from lockstep.settings import load_settings
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.support.documo_client import Client, documo_on
from tests.support.hub import guid, person, upn, write_csv

POLICIES = ("restore", "conflict", "new")


@dataclass
class Stage:
    context: Context
    accounts: dict[str, Client]  # by restore policy, which is the application's name too
    file: Path

    async def comes(self, name: str, id: str) -> None:
        """The file contains only *name*, who is assigned everywhere."""
        write_csv(self.file, [person(name, id=id)])
        await sources.import_source(self.context, "hr")
        for app in self.accounts:
            await assignments.assign(self.context, app, users=[upn(name)])

    async def settle(self) -> None:
        for app in self.accounts:
            async for _ in following.follow(self.context, await provisioning.run(self.context, app)):
                pass

    async def found(self, policy: str, name: str) -> list[dict[str, Any]]:
        """The accounts with this name, as Documo returns them."""
        reply = await self.accounts[policy].find(f'userName eq "{upn(name)}"')
        return list(reply.body.get("Resources", []))


@pytest.fixture
async def stage(documo_database: Database, lockstep_database: Database, data_folder: Path) -> AsyncIterator[Stage]:
    async with open_store(documo_database) as store, documo_on(store) as documo:
        accounts = {policy: await documo.client(policy, restore_policy=policy) for policy in POLICIES}
        origin = documo.running.scim_url.removesuffix("/scim/v2")
        environment = {"DATABASE_URL": lockstep_database.conninfo}
        settings = replace(load_settings(environment, {"data": data_folder}), outbound_allow=(origin,))
        async with open_house(settings, main=True) as house:
            context = house.context(Actor("test", is_operator=True))
            file = write_csv(data_folder / "people.csv", [])
            await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(file)}]})
            for app, account in accounts.items():
                await applications.add_application(context, "documo", name=app)
                await credentials.set_credentials(
                    context, app, tenant_url=account.url, secret_token=Secret(account.token)
                )
                await settings_actions.change_settings(context, app, status="on")
            yield Stage(context, accounts, file)


async def test_disabled_leaver_who_returns_gets_his_account_back(stage: Stage) -> None:
    await stage.comes("anna", guid("anna"))
    await stage.settle()
    before = {policy: (await stage.found(policy, "anna"))[0]["id"] for policy in POLICIES}
    await people.delete(stage.context, [upn("anna")])
    await stage.settle()
    assert [(await stage.found(policy, "anna"))[0]["active"] for policy in POLICIES] == [False] * 3

    await stage.comes("anna", guid("anna, the second time"))
    await stage.settle()

    for policy in POLICIES:
        held = [(one["id"], one["active"]) for one in await stage.found(policy, "anna")]
        assert held == [(before[policy], True)], policy


async def test_hard_deleted_leaver_who_returns_gets_what_the_policy_gives(stage: Stage) -> None:
    await stage.comes("ben", guid("ben"))
    await stage.settle()
    before = {policy: (await stage.found(policy, "ben"))[0]["id"] for policy in POLICIES}
    await people.delete(stage.context, [upn("ben")])
    await people.purge(stage.context, [upn("ben")])
    await stage.settle()
    assert [await stage.found(policy, "ben") for policy in POLICIES] == [[], [], []]

    await stage.comes("ben", guid("ben, the second time"))
    await stage.settle()

    held = {policy: [(one["id"], one["active"]) for one in await stage.found(policy, "ben")] for policy in POLICIES}
    assert held["restore"] == [(before["restore"], True)]
    assert [active for _, active in held["new"]] == [True]
    assert held["new"][0][0] != before["new"]
    assert held["conflict"] == []
    (record, *_) = await list_log(stage.context, app="conflict", limit=1)
    assert (record.action, record.status, record.error_code) == ("create", "failure", "Conflict")
    assert upn("ben") in record.reason and "already used" in record.reason
    assert (await status.show_status(stage.context, "conflict")).escrowed == 1


async def test_leaver_whose_account_documo_gives_back_is_linked_to_it_at_the_next_try(stage: Stage) -> None:
    await stage.comes("cleo", guid("cleo"))
    await stage.settle()
    (before,) = await stage.found("conflict", "cleo")
    await people.delete(stage.context, [upn("cleo")])
    await people.purge(stage.context, [upn("cleo")])
    await stage.settle()
    await stage.comes("cleo", guid("cleo, the second time"))
    await stage.settle()
    account = stage.accounts["conflict"]

    await members.undelete(account.store, account.account.id, upn("cleo"), window_days=30)
    assert await provisioning.retry(stage.context, "conflict") == 1
    await stage.settle()

    assert [(one["id"], one["active"]) for one in await stage.found("conflict", "cleo")] == [(before["id"], True)]
    assert (await status.show_status(stage.context, "conflict")).escrowed == 0
