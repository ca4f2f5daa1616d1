"""A conflict does not outlast its cause: when the value becomes free, the refused object is tried again at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from lockstep.actions.context import Context
from lockstep.actions.links import forget_link
from lockstep.ports import Answer, Verdict
from lockstep.storage.resume import Resume, Stage
from tests.support.crashes import mark, rename
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World, person_id, upn

HOLDER, WANTS, NEWCOMER, LATER = 1, 2, 3, "later@contoso.com"
NAME = upn(HOLDER)
CONFLICT = answered(Verdict.CONFLICT, status=409, code="Conflict", detail="The name exists")


@pytest.fixture
async def refused(world: World, target: ModelTarget) -> World:
    """One person is refused the user name that another one's account still has."""
    world.services.times = replace(world.services.times, ambiguous_wait=timedelta(seconds=0.001))
    await world.add_people([HOLDER, WANTS])
    await world.sync()
    await _name_changes_only_in_the_directory(world)
    await rename(world, {WANTS: NAME})
    await world.drain()
    return world


@pytest.fixture
async def newcomer_refused(world: World) -> World:
    """The same for a person without an account."""
    await world.add_people([HOLDER])
    await world.sync()
    await _name_changes_only_in_the_directory(world)
    await world.add_people([NEWCOMER], assigned=False)
    await rename(world, {NEWCOMER: NAME})
    await world.assign([NEWCOMER])
    await world.drain()
    assert await failures(world) == [(person_id(NEWCOMER), "DuplicateSourceEntries")]
    return world


async def _name_changes_only_in_the_directory(world: World) -> None:
    """The account keeps the old name until `give_up`."""
    await rename(world, {HOLDER: LATER})
    await world.rows("delete from dirty where source_id = %s returning 1", person_id(HOLDER))


async def give_up(world: World) -> None:
    async with world.pool.connection() as connection:
        await mark(world, connection, [HOLDER])
    await world.drain()


async def failures(world: World) -> list[tuple[str, str]]:
    return await world.rows("select source_id::text, last_error ->> 'code' from dirty where failures > 0")


async def test_refusal_of_a_name_says_whose_account_has_it(refused: World) -> None:
    assert await failures(refused) == [(person_id(WANTS), "DuplicateSourceEntries")]
    reason = await refused.value("select last_error ->> 'reason' from dirty")
    assert reason.endswith(f'has the same userName, but belongs to "{LATER}".')


async def test_name_that_its_holder_gives_up_is_taken_in_the_same_cycle(refused: World, target: ModelTarget) -> None:
    await give_up(refused)

    assert set(target.people()) == {LATER, NAME}
    assert await failures(refused) == []


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_name_that_was_given_up_by_a_lost_answer_is_taken_too(
    refused: World, target: ModelTarget, lost: str
) -> None:
    """The rename is found to have happened when it is settled, or is sent again."""
    lose = [answered(Verdict.AMBIGUOUS, status=504)]

    def fault(verb: str, key: str) -> Answer | None:
        return lose.pop() if verb == "update" and lose else None

    setattr(target, lost, fault)
    await give_up(refused)

    assert not lose
    assert set(target.people()) == {LATER, NAME}
    assert await failures(refused) == []


async def test_newcomer_whose_name_was_given_up_by_a_lost_answer_gets_an_account(
    newcomer_refused: World, target: ModelTarget
) -> None:
    lose = [answered(Verdict.AMBIGUOUS, status=504)]
    target.after = lambda verb, key: lose.pop() if verb == "update" and lose else None

    await give_up(newcomer_refused)

    assert not lose
    assert set(target.people()) == {LATER, NAME}
    assert await failures(newcomer_refused) == []


async def test_newcomer_is_tried_again_when_somebody_forgets_the_link_that_is_in_the_way(
    newcomer_refused: World, context: Context
) -> None:
    await newcomer_refused.unassign([HOLDER])
    await newcomer_refused.rows("delete from dirty where source_id = %s returning 1", person_id(HOLDER))

    await forget_link(context, "model", LATER)
    await newcomer_refused.drain()

    assert await newcomer_refused.rows("select source_id::text from link where state = 'live'") == [
        (person_id(NEWCOMER),)
    ]


async def test_people_who_change_names_with_each_other_are_both_told_so(world: World, target: ModelTarget) -> None:
    """Neither account can be renamed first. Nothing is created, and neither gets the other's account."""
    world.services.times = replace(world.services.times, ambiguous_wait=timedelta(seconds=0.001))
    await world.add_people([HOLDER, WANTS])
    await world.sync()
    await rename(world, {HOLDER: LATER, WANTS: NAME})
    await rename(world, {HOLDER: upn(WANTS)})
    await world.drain()

    assert set(target.people()) == {NAME, upn(WANTS)}
    assert sorted(await failures(world)) == sorted(
        (person_id(number), "DuplicateSourceEntries") for number in (HOLDER, WANTS)
    )


@pytest.mark.parametrize("verb", ["create", "update"])
async def test_conflict_after_other_waits_is_looked_into_like_a_first_one(
    world: World, target: ModelTarget, verb: str
) -> None:
    """Waiting for rivals and lost answers are no conflicts."""
    await world.add_people([WANTS], assigned=verb == "update")
    if verb == "update":
        await world.sync()
        await world.change([WANTS], surname="Other")
    else:
        await world.sync()
        await world.assign([WANTS])
    conflicts = [CONFLICT]
    target.before = lambda asked, key: conflicts.pop() if asked == verb and conflicts else None
    waited = Resume(Stage.LOOK_AGAIN, looks=7)
    await world.rows("update dirty set resume = %s returning 1", Jsonb(waited.as_json()))
    await world.drain()

    assert not conflicts
    assert target.people()
    assert await failures(world) == []
