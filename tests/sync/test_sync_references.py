"""References between people: if an attribute refers to a person who has no account yet, it is written once that account exists."""

from __future__ import annotations

from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
WITH_MANAGER = {
    **CONFIG,
    "mappings": [{**USERS, "attributes": [*USERS["attributes"], {"target": MANAGER, "source": "manager"}]}],
}


async def set_manager(world: World, number: int, manager: int) -> None:
    await world.rows(
        "update person set manager_id = %s where id = %s returning 1", person_id(manager), person_id(number)
    )


async def account_of(world: World, number: int) -> str:
    return str(await world.value("select target_id from link where source_id = %s", person_id(number)))


async def test_managers_are_set_whatever_the_order_of_creation(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_MANAGER)
    await world.add_people(range(40))
    for number in range(1, 40):
        await set_manager(world, number, number - 1)

    cycle = await world.sync()

    people = target.people()
    for number in range(1, 40):
        assert people[upn(number)][MANAGER] == await account_of(world, number - 1)
    assert cycle.counts["created"] == 40
    assert await world.value("select count(*) from waiting_reference") == 0


async def test_manager_who_is_provisioned_later_completes_those_who_wait(world: World, target: ModelTarget) -> None:
    await world.configure(WITH_MANAGER)
    await world.add_people([1])
    await world.add_people([2], assigned=False)
    await set_manager(world, 1, 2)
    await world.sync()
    assert MANAGER not in target.people()[upn(1)]
    assert await world.value("select count(*) from waiting_reference") == 1

    await world.assign([2])
    await world.drain()

    assert target.people()[upn(1)][MANAGER] == await account_of(world, 2)
    assert await world.value("select count(*) from waiting_reference") == 0
