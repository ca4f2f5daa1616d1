"""People from a CSV file in Entra's download format end up right in Documo and in a strict SCIM server that is not ours.

Same code, one gallery entry each. The expected accounts are computed here, from the CSV file, without the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lockstep.actions import applications, assignments, credentials, following, people, provisioning, sources, status
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.cli.up.expectations import rows
from lockstep.postgres import embedded
from lockstep.settings import load_settings
from lockstep.sources import demo
from lockstep.storage.cycles import Cycle
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.support.target_servers import TOKEN_FOR_SCIM2, scim2_server

PEOPLE = 60
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True)
class Stage:
    """Both applications with everybody provisioned, and clients to read them."""

    context: Context
    people: Mapping[str, Mapping[str, str]]
    urls: Mapping[str, tuple[str, str]]

    async def accounts(self, app: str) -> dict[str, Any]:
        """Every account by user name, as the application returns it."""
        url, token = self.urls[app]
        found: dict[str, Any] = {}
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            while True:
                query = {"startIndex": str(len(found) + 1), "count": "50"}
                async with session.get(f"{url}/Users", params=query) as response:
                    page = await response.json(content_type=None)
                names = [account["userName"] for account in page["Resources"]]
                assert not found.keys() & set(names), "listed twice"
                found |= dict(zip(names, page["Resources"], strict=True))
                if len(found) >= page["totalResults"]:
                    return found

    async def cycle(self, app: str) -> Cycle:
        """Run a cycle; returns it once it has ended."""
        states = [state async for state in following.follow(self.context, await provisioning.run(self.context, app))]
        return states[-1]

    async def settle(self) -> None:
        for app in self.urls:
            cycle = await self.cycle(app)
            now = await status.show_status(self.context, app)
            assert (cycle.counts.get("failed", 0), now.escrowed, now.waiting) == (0, 0, 0), (app, dict(cycle.counts))


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="l2"))
    folder.chmod(0o711)
    sandbox = subprocess.Popen(
        [Path(sys.executable).with_name("documo"), "sandbox", "--rate", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert sandbox.stdout is not None
        documo = json.loads(await asyncio.to_thread(sandbox.stdout.readline))
        async with scim2_server() as strict:
            urls = {"documo": (documo["base_url"], documo["token"]), "custom-scim": (strict, TOKEN_FOR_SCIM2)}
            origins = tuple(url.removesuffix("/scim/v2") for url, _ in urls.values())
            settings = replace(load_settings({}, {"data": folder / "data"}), outbound_allow=origins)
            async with open_house(settings, main=True) as house:
                yield await filled(house.context(Actor("test", is_operator=True)), folder, urls)
    finally:
        sandbox.terminate()
        sandbox.wait(timeout=30)
        embedded.remove(folder / "data")
        with contextlib.suppress(OSError):
            folder.rmdir()


async def filled(context: Context, folder: Path, urls: Mapping[str, tuple[str, str]]) -> Stage:
    files = demo.generate(folder / "data" / "csv", people=PEOPLE, seed=11)
    await sources.save_source(context, "hr", kind="csv", config={"files": [{"path": str(files.people)}]})
    await sources.import_source(context, "hr")
    for app, (url, token) in urls.items():
        await applications.add_application(context, app)
        await credentials.set_credentials(context, app, tenant_url=url, secret_token=Secret(token))
        await settings_actions.change_settings(context, app, scope="all", status="on")
    stage = Stage(context, {row["userPrincipalName"]: row for row in rows(files.people)}, urls)
    await stage.settle()
    return stage


def enabled(stage: Stage) -> dict[str, Mapping[str, str]]:
    return {name: row for name, row in stage.people.items() if row["accountEnabled"] == "True"}


async def test_documo_holds_exactly_the_enabled_people_of_the_file(stage: Stage) -> None:
    accounts = await stage.accounts("documo")

    ours = {name: account for name, account in accounts.items() if not name.endswith("@sandbox.example")}
    assert ours.keys() == enabled(stage).keys()
    for name, row in enabled(stage).items():
        held = ours[name]
        assert (held["active"], held["name"]) == (True, {"givenName": row["givenName"], "familyName": row["surname"]})


async def test_strict_server_holds_the_default_mapping_of_every_enabled_person(stage: Stage) -> None:
    accounts = await stage.accounts("custom-scim")

    assert accounts.keys() == enabled(stage).keys()
    for name, row in enabled(stage).items():
        held = accounts[name]
        assert held["active"] is True
        assert held["displayName"] == row["displayName"]
        assert held["title"] == row["jobTitle"]
        assert held["name"]["givenName"] == row["givenName"]
        assert held["name"]["familyName"] == row["surname"]
        assert held["name"]["formatted"] == f"{row['givenName']} {row['surname']}"
        assert [(one["type"], one["value"]) for one in held["emails"]] == [("work", row["mail"])]
        assert {one["type"]: one["value"] for one in held["phoneNumbers"]} == {
            "work": row["telephoneNumber"],
            "mobile": row["mobile"],
        }
        assert held[ENTERPRISE]["department"] == row["department"]
        assert held[ENTERPRISE]["employeeNumber"] == row["employeeId"]


async def test_managers_are_the_accounts_of_the_managers(stage: Stage) -> None:
    accounts = await stage.accounts("custom-scim")

    for name, row in enabled(stage).items():
        boss = accounts.get(row.get("manager", ""))
        held = accounts[name][ENTERPRISE].get("manager")
        assert (held or {}).get("value") == (boss["id"] if boss else None), name


async def test_changes_reach_both_and_touch_nothing_else(stage: Stage) -> None:
    renamed, left = list(enabled(stage))[1:3]
    before = {app: await stage.accounts(app) for app in stage.urls}

    await people.set_person(stage.context, renamed, {"surname": "O'Neill", "mail": "new@contoso.test"})
    await people.set_enabled(stage.context, [left], is_enabled=False)
    await stage.settle()

    for app in stage.urls:
        now = await stage.accounts(app)
        assert now[renamed]["name"]["familyName"] == "O'Neill"
        assert now[left]["active"] is False
        same = now.keys() - {renamed, left}
        assert {name: now[name]["meta"] for name in same} == {name: before[app][name]["meta"] for name in same}
    strict = (await stage.accounts("custom-scim"))[renamed]
    assert [(one["type"], one["value"]) for one in strict["emails"]] == [("work", "new@contoso.test")]


async def test_role_is_added_to_an_account_that_has_none(stage: Stage) -> None:
    somebody = list(enabled(stage))[5]

    await assignments.assign(stage.context, "documo", users=[somebody], role="Editor")
    await stage.settle()

    held = (await stage.accounts("documo"))[somebody]["roles"]
    assert [(role["value"], role["primary"]) for role in held] == [("Editor", True)]


async def test_second_cycle_writes_nothing(stage: Stage) -> None:
    for app in stage.urls:
        assert (await stage.cycle(app)).requests == 0


async def test_role_that_is_taken_and_replaced_leaves_the_account(stage: Stage) -> None:
    somebody = list(enabled(stage))[6]
    await assignments.assign(stage.context, "documo", users=[somebody], role="Editor")
    await stage.settle()

    await assignments.unassign(stage.context, "documo", users=[somebody], role="Editor")
    await assignments.assign(stage.context, "documo", users=[somebody], role="Viewer")
    await stage.settle()

    held = (await stage.accounts("documo"))[somebody]["roles"]
    assert [(role["value"], role["primary"]) for role in held] == [("Viewer", True)]


async def test_emptied_attribute_is_cleared_where_the_mapping_says_so(stage: Stage) -> None:
    somebody, other = list(enabled(stage))[7:9]
    await settings_actions.set_mapping(stage.context, "custom-scim", "title", {"clearWhenEmpty": True})

    await people.set_person(stage.context, somebody, {"jobTitle": ""})
    await stage.settle()

    accounts = await stage.accounts("custom-scim")
    assert not accounts[somebody].get("title")
    assert accounts[other]["title"] == stage.people[other]["jobTitle"]


async def test_from_all_to_assigned_costs_nothing_for_the_assigned_and_unassigning_disables(stage: Stage) -> None:
    somebody, *others = enabled(stage)
    for app in stage.urls:
        await assignments.assign(stage.context, app, users=[somebody, *others])
    await stage.settle()
    for app in stage.urls:
        await settings_actions.change_settings(stage.context, app, scope="assigned")
        assert (await stage.cycle(app)).requests == 0
    before = {app: await stage.accounts(app) for app in stage.urls}

    for app in stage.urls:
        await assignments.unassign(stage.context, app, users=[somebody])
    await stage.settle()

    for app in stage.urls:
        now = await stage.accounts(app)
        assert (before[app][somebody]["active"], now[somebody]["active"]) == (True, False)
        assert {name: now[name]["meta"] for name in now if name != somebody} == {
            name: before[app][name]["meta"] for name in before[app] if name != somebody
        }
