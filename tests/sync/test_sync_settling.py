"""Operations whose answer never came are settled by what the journal says was sent, never by what is wanted now."""

from __future__ import annotations

import pytest
from crashes import Lossy, crash, purge, rename, set_deleted, set_enabled, settle
from model_target import USER, ModelTarget, answered
from sync_world import CONFIG, World, make_world, person_id, upn

from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Pool


@pytest.fixture
def lossy(target: ModelTarget) -> Lossy:
    return Lossy(target)


@pytest.fixture
async def world(pool: Pool, lossy: Lossy) -> World:  # type: ignore[misc]
    world = await make_world(pool, lossy)  # type: ignore[arg-type]
    yield world  # type: ignore[misc]
    await world.services.close()


async def joiner_whose_create_is_never_answered(world: World, lossy: Lossy) -> None:
    await world.add_people([0])
    await world.sync()
    lossy.loses = lambda verb, key: "after" if verb == "create" else ""
    await world.add_people([1])
    await crash(world, lossy, waiting=1)


async def active(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if values["active"] is True}


async def nothing_is_open(world: World) -> bool:
    return not await world.value("select count(*) from operation where state in ('planned', 'ambiguous')")


@pytest.mark.parametrize("leaving", ["disabled", "unassigned", "deleted", "purged"])
async def test_leaver_whose_create_was_never_answered_loses_the_account(
    world: World, lossy: Lossy, target: ModelTarget, leaving: str
) -> None:
    await joiner_whose_create_is_never_answered(world, lossy)
    match leaving:
        case "disabled":
            await set_enabled(world, [1], enabled=False)
        case "unassigned":
            await world.unassign([1])
        case "deleted":
            await set_deleted(world, [1])
        case "purged":
            await purge(world, [1])

    await settle(world)

    assert await active(target) == {upn(0)}
    assert await nothing_is_open(world)
    states = await world.rows(
        "select action, state from operation where source_id = %s order by planned_at", person_id(1)
    )
    last = "delete" if leaving == "purged" else "disable"
    assert states == [("create", "confirmed"), (last, "confirmed")]
    state = await world.value("select state from link where source_id = %s", person_id(1))
    assert state == ("tombstone" if leaving == "purged" else "disabled")


async def test_person_renamed_while_the_create_is_open_keeps_the_one_account(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await joiner_whose_create_is_never_answered(world, lossy)
    await rename(world, {1: "renamed@contoso.com"})

    await settle(world)

    assert await active(target) == {upn(0), "renamed@contoso.com"}
    assert target.requests["create"] == 2
    assert await nothing_is_open(world)


async def test_joiner_who_takes_the_old_name_meanwhile_gets_an_account_of_their_own(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await joiner_whose_create_is_never_answered(world, lossy)
    await rename(world, {1: "renamed@contoso.com"})
    await world.add_people([2], userPrincipalName=upn(1))

    await settle(world)

    names = {values["userName"]: key for key, values in target.accounts[USER].items()}
    assert set(names) == {upn(0), upn(1), "renamed@contoso.com"}
    links = dict(await world.rows("select source_id::text, target_id from link"))
    assert links[person_id(1)] == names["renamed@contoso.com"]
    assert links[person_id(2)] == names[upn(1)]


@pytest.mark.parametrize("in_application", ["after", "before"])
async def test_person_who_returned_after_an_unanswered_disable_is_let_in(
    world: World, lossy: Lossy, target: ModelTarget, in_application: str
) -> None:
    """Our own disable must not pass for one by the application's administrator."""
    await world.add_people([0, 1])
    await world.sync()
    lossy.loses = lambda verb, key: in_application if verb == "update" else ""
    await set_enabled(world, [1], enabled=False)
    await crash(world, lossy, waiting=1)
    await set_enabled(world, [1], enabled=True)

    await settle(world)

    assert await active(target) == {upn(0), upn(1)}
    assert await nothing_is_open(world)
    assert await world.value("select state from link where source_id = %s", person_id(1)) == "live"


async def test_leaver_is_not_forgotten_because_a_write_was_answered_with_not_found(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(4))
    await world.sync()
    lies = [3]

    def lie(verb: str, key: str) -> Answer | None:
        if verb != "update" or not lies[0]:
            return None
        lies[0] -= 1
        return answered(Verdict.GONE, status=404)

    target.before = lie
    await set_enabled(world, [1, 2, 3], enabled=False)

    await settle(world)

    assert await active(target) == {upn(0)}
    assert {state for (state,) in await world.rows("select state from link")} == {"live", "disabled"}


async def test_leaver_is_not_forgotten_because_a_delete_was_answered_with_not_found(
    world: World, target: ModelTarget
) -> None:
    await world.configure({**CONFIG, "deletions": {"onSourceDeleted": "delete"}})
    await world.add_people([0, 1])
    await world.sync()
    lies = [1]
    target.before = lambda verb, key: (
        answered(Verdict.DONE_ALREADY, status=404) if verb == "delete" and lies and lies.pop() else None
    )
    await set_deleted(world, [1])

    await settle(world)

    assert await active(target) == {upn(0)}
    assert await world.value("select state from link where source_id = %s", person_id(1)) == "tombstone"
