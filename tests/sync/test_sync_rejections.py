"""A rejected write is not sent with the person's next change: a rejection stands until something else is planned."""

from __future__ import annotations

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.storage import operations
from lockstep.storage.rejections import approve_rejected
from lockstep.sync.drain.on_demand import push
from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

LEAVERS = range(20)
RENAMED: dict[str, object] = {"target": "userName", "expression": 'Join("", "new-", [userPrincipalName])', "match": 1}
ADMIN: dict[str, object] = {"target": 'roles[primary eq "True"].value', "constant": "Admin", "privileged": ["Admin"]}


def disabled(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if not values["active"]}


async def decide(world: World, decision: str) -> int:
    async with world.pool.connection() as connection:
        return len(await operations.decide_held(connection, world.job, decision=decision, actor="anna"))


async def undecided(world: World) -> tuple[int, int]:
    """How many writes are held, and how many rejected losses are still planned."""
    async with world.pool.connection() as connection:
        found = (await operations.count_undecided(connection, [world.job]))[world.job]
    return found.held, found.rejected


async def mapped(world: World, *attributes: dict[str, object]) -> None:
    targets = {one["target"] for one in attributes}
    kept = [one for one in USERS["attributes"] if one["target"] not in targets]
    await world.configure({"scope": "assigned", "mappings": [{**USERS, "attributes": [*kept, *attributes]}]})


async def everybody_is_renamed(world: World) -> None:
    """A mapping gives forty people another user name; their renames are held."""
    await world.add_people(range(40))
    await world.sync()
    await mapped(world, RENAMED)
    await world.change(range(40))
    await world.drain()


@pytest.fixture
async def rejected(world: World) -> World:
    """Twenty of sixty lost their assignment, and their disables were rejected."""
    await world.add_people(range(60))
    await world.sync()
    await world.unassign(LEAVERS)
    await world.drain()
    assert await decide(world, "rejected") == len(LEAVERS)
    return world


async def test_rejected_disable_does_not_go_out_with_the_next_change_of_the_person(
    rejected: World, target: ModelTarget
) -> None:
    for surname in ("Married", "Divorced"):
        await rejected.change([3], surname=surname)
        await rejected.drain()

    assert disabled(target) == set()
    assert await undecided(rejected) == (0, len(LEAVERS)), "nobody is asked again, and status goes on saying it"
    logged = await rejected.rows("select reason from provisioning_log where error_code = 'Rejected'")
    assert len(logged) == 1, "said once"
    assert logged[0][0].startswith("The disable was rejected by anna on ")


async def test_rejected_leavers_who_change_do_not_count_against_another_leaver(
    rejected: World, target: ModelTarget
) -> None:
    await rejected.change(LEAVERS, surname="Changed")
    await rejected.unassign([50])
    await rejected.drain()

    assert disabled(target) == {upn(50)}
    assert await undecided(rejected) == (0, len(LEAVERS))


async def test_rejection_ends_when_the_person_is_in_scope_again(rejected: World, target: ModelTarget) -> None:
    await rejected.assign([3])
    await rejected.drain()
    assert await undecided(rejected) == (0, len(LEAVERS) - 1)

    await rejected.unassign([3])
    await rejected.drain()

    assert disabled(target) == {upn(3)}, "it is another leaving, which nobody has rejected"


async def test_rejected_disable_is_sent_once_somebody_approves_it(rejected: World, target: ModelTarget) -> None:
    [(one,)] = await rejected.rows(
        "select id::text from operation where source_id = %s and decision = 'rejected'", person_id(3)
    )

    async with rejected.pool.connection() as connection:
        assert await approve_rejected(connection, rejected.job, actor="bo", ids=[one]) == [one]
    await rejected.drain()

    assert disabled(target) == {upn(3)}
    assert await undecided(rejected) == (0, len(LEAVERS) - 1)


async def test_rejected_disable_is_judged_again_where_somebody_provisions_the_person_by_name(
    rejected: World, target: ModelTarget
) -> None:
    async with rejected.pool.connection() as connection:
        job = await rejected.services.read_job(connection, rejected.job)

    await push(rejected.services, job, ObjectKind.USER, [person_id(3)], initiated_by="anna")

    assert disabled(target) == {upn(3)}
    assert await undecided(rejected) == (0, len(LEAVERS) - 1)


async def test_deletion_in_place_of_a_rejected_disable_waits_for_approval(rejected: World, target: ModelTarget) -> None:
    await rejected.rows("delete from person where id = %s returning 1", person_id(3))
    await rejected.change([3])
    await rejected.drain()

    assert upn(3) in target.people()
    assert (await undecided(rejected))[0] == 1


async def test_harmless_change_waits_with_the_rejected_part_of_its_write(world: World, target: ModelTarget) -> None:
    await everybody_is_renamed(world)
    assert await decide(world, "rejected") == 40

    await world.change([3], surname="Married")
    await world.drain()
    assert target.people()[upn(3)]["name.familyName"] == "Sur3"
    assert await undecided(world) == (0, 0)

    await world.configure(CONFIG)
    await world.change([3], surname="Married")
    await world.drain()
    assert target.people()[upn(3)]["name.familyName"] == "Married"


async def test_write_that_does_more_than_was_rejected_waits_for_approval(world: World, target: ModelTarget) -> None:
    await everybody_is_renamed(world)
    await decide(world, "rejected")

    await mapped(world, RENAMED, ADMIN)
    await world.change([3])
    await world.drain()

    assert upn(3) in target.people()
    reasons = await world.rows("select error ->> 'reason' from operation where state = 'held'")
    assert reasons == [
        (
            "Held for approval: the update of this account was rejected before, and now the account would get the role Admin and "
            "get a different userName.",
        )
    ]


async def test_another_name_than_the_rejected_one_waits_for_approval(world: World, target: ModelTarget) -> None:
    await everybody_is_renamed(world)
    await decide(world, "rejected")

    await world.change([3], userPrincipalName="other@contoso.com")
    await world.drain()

    assert upn(3) in target.people()
    assert (await undecided(world))[0] == 1


async def test_approval_is_used_up_by_a_later_hold(world: World, target: ModelTarget) -> None:
    await everybody_is_renamed(world)
    assert await decide(world, "approved") == 40
    await mapped(world, RENAMED, ADMIN)
    await world.change(range(40))
    await world.drain()
    assert (await undecided(world))[0] == 40

    await world.change(range(40), surname="Changed")
    await world.drain()

    assert set(target.people()) == {upn(number) for number in range(40)}
    assert (await undecided(world))[0] == 40
