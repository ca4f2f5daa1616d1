"""The directory decides who has a name: a leaver's account does not block the name for the next person, and is not given to them."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.ports import Answer, Verdict
from lockstep.sync.planning.ownership import StoredOwnership
from lockstep.sync.planning.planner import Owners
from tests.support.crashes import mark, rename, set_enabled
from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until

LEAVER, JOINER, NAME, LATER = 1, 2, upn(1), "former.person@contoso.com"


def active(target: ModelTarget) -> dict[str, bool]:
    return {name: bool(values["active"]) for name, values in target.people().items()}


async def account_of(world: World, number: int) -> Any:
    return await world.value("select target_id from link where source_id = %s", person_id(number))


async def join(world: World) -> None:
    """A person with the leaver's old name joins."""
    await world.add_people([JOINER], assigned=False)
    await rename(world, {JOINER: NAME})
    await world.assign([JOINER])


async def join_before_the_name_is_free(world: World) -> None:
    """The joiner is refused first; the leaver's account is dealt with afterwards."""
    async with world.pool.connection() as connection:
        await connection.execute("delete from dirty")
    await join(world)
    await world.drain()
    reason = await world.value("select last_error ->> 'reason' from dirty where source_id = %s", person_id(JOINER))
    assert f'belongs to "{LATER}"' in reason, "by the name that they have now"
    async with world.pool.connection() as connection:
        await mark(world, connection, [LEAVER])


@pytest.fixture
async def employed(world: World) -> World:
    await world.add_people([LEAVER])
    await world.sync()
    return world


@pytest.mark.parametrize("order", ["at once", "disabled first", "joiner first", "unassigned"])
async def test_joiner_gets_an_account_of_their_own_under_the_name_that_a_leaver_had(
    employed: World, target: ModelTarget, order: str
) -> None:
    world = employed
    before = await account_of(world, LEAVER)
    if order == "unassigned":
        await world.unassign([LEAVER])
    else:
        await set_enabled(world, [LEAVER], enabled=False)
    if order in ("disabled first", "unassigned"):
        await world.drain()

    await rename(world, {LEAVER: LATER})
    if order == "joiner first":
        await join_before_the_name_is_free(world)
    else:
        await join(world)
    await world.drain()

    assert active(target) == {LATER: False, NAME: True}
    assert await account_of(world, LEAVER) == before
    assert await account_of(world, JOINER) != before
    assert await world.rows("select last_error from dirty") == []


async def test_joiner_who_is_refused_while_the_name_becomes_free_is_tried_again_at_once(
    employed: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoredOwnership.owners

    async def is_renamed() -> bool:
        return bool(
            await employed.value("select base ->> 'userName' from link where source_id = %s", person_id(LEAVER))
            == LATER
        )

    async def owners(self: StoredOwnership, prepared: Any, accounts: Any) -> Owners:
        found = await real(self, prepared, accounts)
        if prepared.obj.id == person_id(JOINER):
            await until(is_renamed)  # the joiner's refusal is recorded after the write that frees the name
        return found

    monkeypatch.setattr(StoredOwnership, "owners", owners)
    await set_enabled(employed, [LEAVER], enabled=False)
    await employed.drain()
    await rename(employed, {LEAVER: LATER})
    await join(employed)

    await employed.drain()

    assert active(target) == {LATER: False, NAME: True}
    assert await employed.rows("select last_error from dirty") == []


async def test_name_of_an_active_person_is_free_once_they_are_renamed(employed: World, target: ModelTarget) -> None:
    await rename(employed, {LEAVER: LATER})
    await join_before_the_name_is_free(employed)

    await employed.drain()

    assert active(target) == {LATER: True, NAME: True}


async def test_name_that_the_application_refuses_does_not_keep_access_from_ending(
    employed: World, target: ModelTarget
) -> None:
    def refuse(verb: str, key: str) -> Answer | None:
        is_name = verb == "update" and target.accounts and not active(target)[NAME]
        return Answer(Verdict.REFUSED, code="Conflict", detail="The name is taken") if is_name else None

    target.before = refuse
    await set_enabled(employed, [LEAVER], enabled=False)
    await rename(employed, {LEAVER: LATER})
    await employed.drain()

    assert active(target) == {NAME: False}
    assert await employed.value("select last_error ->> 'code' from dirty") == "Conflict"


async def test_name_that_cannot_be_evaluated_does_not_keep_access_from_ending(
    employed: World, target: ModelTarget
) -> None:
    fails = {"target": "userName", "expression": "CDate([userPrincipalName])", "match": 1}
    kept = [one for one in USERS["attributes"] if one["target"] != "userName"]
    await employed.configure({**CONFIG, "mappings": [{**USERS, "attributes": [fails, *kept]}]})

    await set_enabled(employed, [LEAVER], enabled=False)
    await employed.drain()

    assert active(target) == {NAME: False}


async def test_leaver_who_keeps_the_name_costs_one_write(employed: World, target: ModelTarget) -> None:
    writes = target.writes

    await set_enabled(employed, [LEAVER], enabled=False)
    await employed.drain()
    async with employed.pool.connection() as connection:
        await mark(employed, connection, [LEAVER])
    await employed.drain()

    assert target.writes == writes + 1


async def test_disable_and_the_name_after_it_count_as_one_object(employed: World, target: ModelTarget) -> None:
    await set_enabled(employed, [LEAVER], enabled=False)
    await rename(employed, {LEAVER: LATER})
    await employed.drain()

    cycle = await employed.cycle()
    assert cycle.counts == {"disabled": 1, "updated": 1}
    assert cycle.done == 1
