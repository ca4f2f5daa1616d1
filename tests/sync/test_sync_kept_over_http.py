"""Full cycles against a SCIM server over HTTP that drops `costCenter` and stores e-mail addresses in lower case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from lockstep.postgres.pool import Pool
from lockstep.targets.opener import ScimTargets
from tests.support.scripted_scim import ScriptedScim, scim, scripted_scim
from tests.support.sync_world import CONFIG, FAST, USERS, World, make_world

EMAIL = 'emails[type eq "work"].value'
MAPPED = [{"target": "costCenter", "source": "costCenter"}, {"target": EMAIL, "source": "mail"}]
WITH_MAPPED = CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *MAPPED]}]}


class Lossy(ScriptedScim):
    """*answers_changes*: changes are answered with the account; otherwise with 204."""

    answers_changes = True

    async def _answer(self, kind: str, request: web.BaseRequest) -> web.StreamResponse:
        if kind == "update":
            held = self.resources[request.path.rpartition("/")[2]]
            for operation in (await request.json())["Operations"]:
                self._write(held, operation)
            self._lose(held)
            return scim(held) if self.answers_changes else web.Response(status=204)
        answer = await super()._answer(kind, request)
        if kind != "create":
            return answer
        made = list(self.resources.values())[-1]
        self._lose(made)
        return scim(made, status=201)

    def _write(self, held: dict[str, Any], operation: dict[str, Any]) -> None:
        path, value = operation.get("path", ""), operation.get("value")
        if path.startswith("emails"):
            address = value[0]["value"] if isinstance(value, list) else value
            held["emails"] = [{"type": "work", "value": address}]
        elif path:
            held[path] = value
        else:
            held |= value or {}

    def _lose(self, held: dict[str, Any]) -> None:
        held.pop("costCenter", None)
        held["emails"] = [{**one, "value": one["value"].lower()} for one in held.get("emails", [])]


@pytest.fixture
async def application() -> AsyncIterator[Lossy]:
    application = Lossy()
    async with scripted_scim(application):
        yield application


@pytest.fixture
async def world(pool: Pool, application: Lossy) -> AsyncIterator[World]:
    world = await make_world(pool, None, times=FAST)  # type: ignore[arg-type]
    await world.rows("update credential set tenant_url = %s returning 1", f"{application.origin}/scim/v2")
    await world.configure(WITH_MAPPED)
    targets = ScimTargets([application.origin])
    world.services.opener = targets
    yield world
    await targets.close()


async def writes(world: World, application: Lossy) -> dict[str, int]:
    """The writes of one full cycle, by kind."""
    application.asked.clear()
    await world.sync()
    return {kind: application.asked[kind] for kind in ("create", "update") if application.asked[kind]}


@pytest.mark.parametrize("answers_changes", [True, False])
async def test_third_full_cycle_writes_nothing(world: World, application: Lossy, answers_changes: bool) -> None:
    application.answers_changes = answers_changes
    for number in (1, 2):
        await world.add_people([number], costCenter="KST-119", mail=f"Person{number}@Contoso.com")

    cycles = [await writes(world, application) for _ in range(3)]

    assert cycles == [{"create": 2}, {}, {}]
    assert await world.rows("select path, answers from unkept_attribute") == [("costCenter", 2)]


@pytest.mark.parametrize("answers_changes", [True, False])
async def test_accounts_that_were_made_before_are_written_once_more_at_most(
    world: World, application: Lossy, answers_changes: bool
) -> None:
    application.answers_changes = answers_changes
    for number in (1, 2):
        await world.add_people([number], costCenter="KST-119", mail=f"Person{number}@Contoso.com")
    await world.sync()
    await world.rows(
        "update link set answers = '{}', base = base || jsonb_build_object(%s::text, 'Old@Contoso.com') returning 1",
        EMAIL,
    )
    await world.rows("delete from unkept_attribute returning 1")

    cycles = [await writes(world, application) for _ in range(3)]

    assert cycles[2] == {}
    assert sum(one.get("update", 0) for one in cycles) <= 4


async def test_new_address_at_the_source_is_sent(world: World, application: Lossy) -> None:
    await world.add_people([1], mail="Person1@Contoso.com")
    await world.sync()
    application.asked.clear()

    await world.change([1], mail="New.Name@Contoso.com")
    await world.drain()

    assert application.asked["update"] == 1
    assert [one["emails"][0]["value"] for one in application.resources.values()] == ["new.name@contoso.com"]
    assert await writes(world, application) == {}
