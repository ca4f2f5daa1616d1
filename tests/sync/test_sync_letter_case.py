"""An application that ignores case where it matters returns accounts of other people: none of them is linked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from lockstep.postgres.pool import Pool
from tests.support.scripted_scim import ScriptedScim, saying, scripted_world
from tests.support.sync_world import CONFIG, USERS, World, upn

BY_EMPLOYEE = {
    **CONFIG,
    "mappings": [
        {
            **USERS,
            "attributes": [
                *({**one, "match": 0} if one["target"] == "userName" else one for one in USERS["attributes"]),
                {"target": "externalId", "source": "employeeId", "match": 1},
            ],
        }
    ],
}
OTHERS = {"id": "x", "kind": "Users", "userName": "other@contoso.com", "externalId": "abC=", "active": True}


@pytest.fixture
async def world(pool: Pool, application: ScriptedScim) -> AsyncIterator[World]:
    async with scripted_world(pool, application, BY_EMPLOYEE) as world:
        await world.sync()
        application.resources["x"] = dict(OTHERS)
        yield world


async def test_account_whose_external_id_differs_in_case_is_neither_linked_nor_made_again(
    world: World, application: ScriptedScim
) -> None:
    await world.add_people([1], employeeId="aBc=")

    await world.drain()

    assert application.resources == {"x": OTHERS}
    assert await world.rows("select target_id from link") == []
    ((code, reason),) = await world.rows("select last_error ->> 'code', last_error ->> 'reason' from dirty")
    assert code == "DuplicateTargetEntries"
    assert "except for upper and lower case" in reason


async def test_account_whose_external_id_differs_in_case_was_not_made_by_an_unanswered_create(
    world: World, application: ScriptedScim
) -> None:
    application.resources.clear()

    async def somebody_else_is_faster(request: web.Request) -> web.StreamResponse:
        application.resources["x"] = dict(OTHERS)
        return await saying(500, "broken")(request)

    application.answers["create"] = somebody_else_is_faster
    await world.add_people([1], employeeId="aBc=")

    await world.drain()

    assert application.resources == {"x": OTHERS}
    assert await world.rows("select target_id from link") == []


async def test_account_that_spells_the_external_id_of_its_create_differently_is_still_theirs(
    world: World, application: ScriptedScim
) -> None:
    del application.resources["x"]

    async def lower(request: web.Request) -> web.StreamResponse:
        del application.answers["create"]
        await application._answer("create", request)
        (account,) = application.resources.values()
        account["externalId"] = account["externalId"].lower()
        return await saying(500, "broken")(request)

    application.answers["create"] = lower
    await world.add_people([1], employeeId="aBc=")

    await world.drain()

    assert len(application.resources) == 1
    assert await world.value("select count(*) from link") == 1
    assert application.user_names == {upn(1)}
