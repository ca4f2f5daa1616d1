"""Two objects compete for one account: one gets it, and nothing of the other is written to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lockstep.engine.decisions.matching import MatchQuery, match_key
from lockstep.engine.records import ObjectKind, Values
from lockstep.ports import Answer, Verdict
from tests.support.model_target import USER, ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until

SAME = "same@contoso.com"
BY_EXTERNAL_ID = {
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


async def _both_have_the_same_name(world: World) -> None:
    mapping = {**USERS, "attributes": [{"target": "userName", "constant": SAME, "match": 1}, *USERS["attributes"][1:]]}
    await world.configure({**CONFIG, "mappings": [mapping]})


async def _errors(world: World) -> list[tuple[str, str]]:
    return await world.rows("select status, error_code from provisioning_log where status <> 'success'")


@pytest.mark.parametrize("is_slow", [False, True])
async def test_the_second_of_two_people_with_one_user_name_is_refused_and_overwrites_nothing(
    world: World, target: ModelTarget, is_slow: bool
) -> None:
    target.seconds = 0.05 if is_slow else 0.0
    await _both_have_the_same_name(world)
    await world.add_people([1, 2])

    cycle = await world.sync()

    ((owner,),) = await world.rows("select source_id::text from link")
    number = 1 if owner == person_id(1) else 2
    assert target.people()[SAME]["name.familyName"] == f"Sur{number}"
    assert (target.requests["create"], target.requests["update"]) == (1, 0)
    assert cycle.counts == {"created": 1, "failed": 1}
    assert await _errors(world) == [("failure", "DuplicateSourceEntries")]


async def test_two_people_who_match_one_account_do_not_both_write_to_it(world: World, target: ModelTarget) -> None:
    target.add({"userName": SAME, "active": True, "name.givenName": "Old", "name.familyName": "Old"})
    await _both_have_the_same_name(world)
    await world.add_people([1, 2])

    cycle = await world.sync()

    ((owner,),) = await world.rows("select source_id::text from link")
    number = 1 if owner == person_id(1) else 2
    assert target.people()[SAME]["name.familyName"] == f"Sur{number}"
    assert target.requests["update"] == 1
    assert cycle.counts == {"updated": 1, "failed": 1}
    assert await _errors(world) == [("failure", "DuplicateSourceEntries")]


async def test_an_application_without_unique_values_gets_one_account_for_one_matching_value(
    world: World, target: ModelTarget
) -> None:
    await world.configure(BY_EXTERNAL_ID)
    await world.add_people([1, 2], employeeId="E-1")

    cycle = await world.sync()

    assert len(target.people()) == 1
    assert cycle.counts == {"created": 1, "failed": 1}


async def test_who_comes_much_later_in_the_initial_cycle_finds_the_account_that_was_made_meanwhile(
    world: World, target: ModelTarget
) -> None:
    """The pages that were read at its start do not show it."""
    await world.configure(BY_EXTERNAL_ID)
    await world.add_people(range(400))
    async with world.pool.connection() as connection:
        await connection.execute(
            """update person set attributes = attributes
                || jsonb_build_object('employeeId', 'E-' || (regexp_replace(user_principal_name, '\\D', '', 'g')::int % 390))"""
        )

    cycle = await world.sync()

    assert len(target.people()) == 390
    assert cycle.counts == {"created": 390, "failed": 10}
    assert target.requests["find"] <= 10 * 4


async def test_a_create_is_not_sent_while_another_worker_makes_the_same(world: World, target: ModelTarget) -> None:
    await world.configure(BY_EXTERNAL_ID)
    await world.sync()
    await world.rows(
        """insert into operation (id, job, kind, source_id, target_id, action, state, attempt, match_key)
        values (gen_random_uuid(), %s, 'User', %s, '', 'create', 'planned', 1, %s) returning 1""",
        world.job,
        person_id(1),
        match_key(world.job, USER, MatchQuery("externalId", "E-1", 1)),
    )
    await world.add_people([2], employeeId="E-1")

    drain = asyncio.create_task(world.drain())
    await until(lambda: _looked(target, 3))
    assert not target.people()
    await world.rows("update operation set state = 'dropped' returning 1")
    await drain

    assert list(target.people()) == [upn(2)]


async def test_an_account_that_another_worker_is_giving_to_somebody_is_left_alone(
    world: World, target: ModelTarget
) -> None:
    await _both_have_the_same_name(world)
    await world.add_people([1], assigned=False)
    await world.sync()
    target.add({"userName": SAME, "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})
    await world.rows(
        """insert into operation (id, job, kind, source_id, target_id, action, state, attempt, match_key)
        values (gen_random_uuid(), %s, 'User', %s, '', 'create', 'planned', 1, %s) returning 1""",
        world.job,
        person_id(1),
        match_key(world.job, USER, MatchQuery("userName", SAME.upper(), 1)),
    )
    await world.add_people([2])

    drain = asyncio.create_task(world.drain())
    await until(lambda: _looked(target, 2))
    await world.rows(
        """insert into link (job, kind, source_id, target_id, state, base) select %s, 'User', %s, 'u_1', 'live', '{}'
        returning 1""",
        world.job,
        person_id(1),
    )
    await world.rows("update operation set state = 'confirmed' returning 1")
    await drain

    assert target.requests["update"] == 0
    assert await _errors(world) == [("failure", "DuplicateSourceEntries")]


async def test_of_two_creates_with_an_unknown_end_the_older_takes_the_account(
    world: World, target: ModelTarget
) -> None:
    """The two must not deadlock."""
    lost = [True, True]

    def lose(verb: str, key: str) -> Answer | None:
        return Answer(Verdict.AMBIGUOUS) if verb == "create" and lost and lost.pop() else None

    target.after = lose
    await _both_have_the_same_name(world)
    await world.add_people([1, 2])

    cycle = await world.sync()

    assert len(target.people()) == 1
    assert cycle.counts["failed"] == 1
    assert await world.value("select count(*) from operation where state in ('planned', 'ambiguous')") == 0


async def _looked(target: ModelTarget, times: int) -> bool:
    return target.requests["find"] >= times


async def test_what_an_account_turned_out_to_be_taken_by_is_in_the_log(world: World, target: ModelTarget) -> None:
    """The last line: the application gave two people one id, and the database refuses the second link."""
    await world.add_people([1])
    await world.sync()
    real = target.create

    async def create(kind: ObjectKind, values: Values, *, operation_id: str) -> Answer:
        answer = await real(kind, values, operation_id=operation_id)
        assert answer.account is not None
        return replace(answer, account=replace(answer.account, id="u_1"))

    target.create = create  # type: ignore[method-assign]
    await world.add_people([2])

    await world.drain()

    assert await _errors(world) == [("failure", "DuplicateSourceEntries")]
