"""Unique values: checked in the application, claimed, and chosen again if the application refuses them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import Verdict
from lockstep.sync.drain import on_demand
from lockstep.sync.services import Job, Services
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

RULES = 'SelectUniqueValue([givenName], Join(".", [givenName], [surname]), Join(".", [givenName], [surname], "2"))'


def with_unique(**more: Any) -> dict[str, Any]:
    attributes = [*USERS["attributes"], {"target": "nickName", "expression": RULES, **more}]
    return {**CONFIG, "mappings": [{**USERS, "attributes": attributes}]}


@pytest.fixture
async def world(world: World) -> World:
    await world.configure(with_unique())
    return world


def nicknames(target: ModelTarget) -> list[str]:
    return sorted(values.get("nickName", "") for values in target.people().values())


async def job_of(world: World) -> Job:
    async with world.pool.connection() as connection:
        return await world.services.read_job(connection, world.job)


async def steps_of(world: World, number: int) -> list[str]:
    [(record,)] = await world.rows(
        "select record from provisioning_log where source_id = %s and action = 'create'", person_id(number)
    )
    return [step["description"] for step in record["steps"]]


async def test_initial_cycle_asks_the_pages_alone_and_gives_nobody_the_value_of_another(
    world: World, target: ModelTarget
) -> None:
    target.add({"userName": "elsewhere@contoso.com", "nickName": "JO"})
    await world.add_people([1], givenName="Jo", surname="Berg")
    await world.add_people([2, 3, 4], givenName="Ida", surname="Holm")

    cycle = await world.sync()

    assert sorted(v["nickName"] for v in target.people().values() if v.get("nickName") != "JO") == [
        "Ida", "Ida.Holm", "Ida.Holm.2", "Jo.Berg",
    ]  # fmt: skip
    assert target.requests["find"] == 1  # the probe
    assert cycle.counts == {"created": 4}
    assert 'nickName is set to "Jo.Berg": "Jo" is already in use.' in await steps_of(world, 1)


async def test_later_cycles_ask_the_application_until_a_value_is_free(world: World, target: ModelTarget) -> None:
    await world.sync()
    target.add({"userName": "x@contoso.com", "nickName": "Ida"})
    target.add({"userName": "y@contoso.com", "nickName": "ida.holm"})

    await world.add_people([1], givenName="Ida", surname="Holm")
    await world.drain()

    assert target.people()[upn(1)]["nickName"] == "Ida.Holm.2"
    assert 'nickName is set to "Ida.Holm.2": "Ida", "Ida.Holm" are already in use.' in await steps_of(world, 1)


async def test_two_people_of_one_moment_do_not_get_the_same_value(world: World, target: ModelTarget) -> None:
    await world.sync()
    target.seconds = 0.02  # both are asked about before either is made
    await world.add_people([1, 2], givenName="Ida", surname="Holm")

    await world.drain()

    assert nicknames(target) == ["Ida", "Ida.Holm"]


async def test_two_workers_do_not_give_the_same_value(world: World, target: ModelTarget) -> None:
    await world.sync()
    target.seconds = 0.02
    await world.add_people([1, 2, 3], givenName="Ida", surname="Holm")
    mine = world.services
    another = Services(mine.pool, mine.vault, mine.opener, mine.wake, times=mine.times)

    await asyncio.gather(world.drain(), replace(world, services=another).drain())

    assert nicknames(target) == ["Ida", "Ida.Holm", "Ida.Holm.2"]


async def test_value_that_the_application_refuses_gives_way_to_the_next(world: World, target: ModelTarget) -> None:
    """No search shows some accounts: a deleted one may keep its name."""
    await world.sync()
    refused: list[str] = []

    def hidden(verb: str, key: str) -> Any:
        if verb == "create" and len(refused) < 2:
            refused.append(key)
            return answered(Verdict.CONFLICT, status=409, code="Conflict", detail="taken by another account")
        return None

    target.before = hidden
    await world.add_people([1], givenName="Ida", surname="Holm")
    await world.drain()

    assert target.people()[upn(1)]["nickName"] == "Ida.Holm.2"


async def test_conflict_about_another_attribute_ends_with_what_the_application_said(
    world: World, target: ModelTarget
) -> None:
    await world.sync()
    target.before = lambda verb, key: (
        answered(Verdict.CONFLICT, status=409, code="Conflict", detail="the number is taken")
        if verb == "create"
        else None
    )
    await world.add_people([1], givenName="Ida", surname="Holm")
    await world.drain()

    error = await world.value("select last_error from dirty where source_id = %s", person_id(1))
    assert (error["code"], error["reason"]) == ("Conflict", "the number is taken")


async def test_person_for_whom_no_value_is_left_waits_and_is_told_why(world: World, target: ModelTarget) -> None:
    await world.sync()
    for number, name in enumerate(("Ida", "Ida.Holm", "Ida.Holm.2")):
        target.add({"userName": f"x{number}@contoso.com", "nickName": name})
    await world.add_people([1], givenName="Ida", surname="Holm")
    await world.drain()

    error = await world.value("select last_error from dirty where source_id = %s", person_id(1))
    assert error["code"] == "EntryConflict"
    assert error["reason"] == (
        "No unused value is left for nickName: all 3 values of its mapping "
        '("Ida", "Ida.Holm", "Ida.Holm.2") are already in use in the application.'
    )
    assert upn(1) not in target.people()


async def test_account_that_exists_keeps_its_value(world: World, target: ModelTarget) -> None:
    found = target.add({"userName": upn(1), "active": True, "nickName": "Old"})
    await world.add_people([1, 2], givenName="Ida", surname="Holm")
    await world.sync()
    await world.change([1, 2], givenName="Eva")
    await world.drain()

    assert target.accounts[USER][found]["nickName"] == "Old"
    assert target.accounts[USER][found]["name.givenName"] == "Eva"
    assert target.people()[upn(2)]["nickName"] == "Ida"


async def test_preview_shows_the_value_and_claims_nothing(world: World, target: ModelTarget) -> None:
    await world.sync()
    target.add({"userName": "x@contoso.com", "nickName": "Ida"})
    await world.add_people([1, 2], givenName="Ida", surname="Holm", assigned=True)

    planned = await on_demand.preview(
        world.services, await job_of(world), ObjectKind.USER, [person_id(1), person_id(2)], target
    )

    assert [one.plan.mapped.values["nickName"] for one in planned] == ["Ida.Holm", "Ida.Holm.2"]
    assert await world.value("select count(*) from value_claim") == 0
    assert target.writes == 0


async def test_push_chooses_like_the_cycle(world: World, target: ModelTarget) -> None:
    target.add({"userName": "x@contoso.com", "nickName": "Ida"})
    await world.add_people([1], givenName="Ida", surname="Holm")

    [pushed] = await on_demand.push(
        world.services, await job_of(world), ObjectKind.USER, [person_id(1)], initiated_by="anna"
    )

    assert pushed.counted == "created"
    assert target.people()[upn(1)]["nickName"] == "Ida.Holm"


async def test_choice_of_a_worker_that_died_before_the_account_was_made_stays_with_its_person(
    world: World, target: ModelTarget
) -> None:
    await world.sync()
    await world.add_people([1, 2], givenName="Ida", surname="Holm")
    await world.rows(
        "insert into value_claim (job, kind, attribute, value, source_id) values (%s, 'User', 'nickName', 'ida', %s) returning 1",
        world.job,
        person_id(2),
    )

    await world.drain()

    assert target.people()[upn(2)]["nickName"] == "Ida"
    assert target.people()[upn(1)]["nickName"] == "Ida.Holm"


async def test_claim_of_somebody_who_never_got_an_account_is_void(world: World, target: ModelTarget) -> None:
    await world.sync()
    await world.add_people([2], assigned=False)
    await world.rows(
        "insert into value_claim (job, kind, attribute, value, source_id) values (%s, 'User', 'nickName', 'ida', %s) returning 1",
        world.job,
        person_id(2),
    )
    await world.add_people([1], givenName="Ida", surname="Holm")
    await world.drain()

    assert target.people()[upn(1)]["nickName"] == "Ida"
