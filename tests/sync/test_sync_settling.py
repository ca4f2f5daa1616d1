"""Operations without a response are settled by what the journal recorded as sent, never by the present plan."""

from __future__ import annotations

import asyncio

import pytest

from lockstep.engine.plans import Plan
from lockstep.engine.records import Action
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import Pool
from lockstep.sync.drain import on_demand
from tests.support.crashes import Lossy, crash, purge, rename, set_deleted, set_enabled, settle
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, World, make_world, person_id, upn


@pytest.fixture
def lossy(target: ModelTarget) -> Lossy:
    return Lossy(target)


@pytest.fixture
async def world(pool: Pool, lossy: Lossy) -> World:
    return await make_world(pool, lossy)  # type: ignore[arg-type]


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


async def test_link_that_settling_makes_says_how_its_account_was_found(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await world.add_people([0])
    await world.sync()
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Old"})
    lossy.loses = lambda verb, key: "after"
    await world.add_people([1, 2])
    await crash(world, lossy, waiting=2)

    await settle(world)

    assert await nothing_is_open(world)
    found = dict(await world.rows("select display, matched_by from link"))
    assert found == {upn(0): "", upn(1): "userName", upn(2): ""}


async def test_update_of_a_matched_account_whose_answer_was_lost_is_written_once(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await world.add_people([0])
    await world.sync()
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Old"})
    lossy.loses = lambda verb, key: "after" if verb == "update" else ""
    await world.add_people([1])
    await crash(world, lossy, waiting=1)

    await settle(world)

    assert target.people()[upn(1)]["name.familyName"] == "Sur1"
    assert target.requests["update"] == 1
    assert await world.rows("select action, state from operation where source_id = %s", person_id(1)) == [
        ("update", "confirmed")
    ]


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
    """Our own disable must not be taken for one by the application's administrator."""
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


async def test_second_account_of_one_person_that_a_late_create_made_is_disabled(
    world: World, target: ModelTarget
) -> None:
    """A worker that was stopped beyond its lease sends its create after the person got an account under another name."""
    await world.add_people([0, 1])
    await world.sync()
    late = target.add({"userName": "late@contoso.com", "active": True, "name.givenName": "Given1"})
    await world.rows(
        """insert into operation (id, job, kind, source_id, action, state, attempt, after, queries)
        values (gen_random_uuid(), %s, 'User', %s, 'create', 'ambiguous', 1,
            '{"userName": "late@contoso.com", "active": true}',
            '[{"attribute": "userName", "value": "late@contoso.com"}]') returning 1""",
        world.job,
        person_id(1),
    )
    await world.change([1], surname="Changed")

    await settle(world)

    assert await active(target) == {upn(0), upn(1)}
    assert target.accounts[USER][late]["active"] is False
    assert target.people()[upn(1)]["name.familyName"] == "Changed"
    assert await nothing_is_open(world)


async def test_several_accounts_that_may_be_the_one_leave_the_create_visibly_open(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await joiner_whose_create_is_never_answered(world, lossy)
    target.add({"userName": upn(1), "active": True})
    await set_enabled(world, [1], enabled=False)

    await world.drain()

    assert await world.value("select last_error ->> 'code' from dirty") == "MaybeCreated"
    assert await world.value("select state from operation where source_id = %s", person_id(1)) == "planned"
    assert await world.value("select count(*) from provisioning_log where error_code = 'MaybeCreated'") == 1


async def test_account_that_cannot_be_looked_for_keeps_the_create_open(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    await joiner_whose_create_is_never_answered(world, lossy)
    await set_enabled(world, [1], enabled=False)
    target.is_down = answered(Verdict.AMBIGUOUS, status=404, code="NotScim")

    async with asyncio.timeout(20):
        drain = asyncio.create_task(world.drain())
        while target.requests["find"] < 3:
            await asyncio.sleep(0.01)
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
    state = await world.value("select state from operation where source_id = %s", person_id(1))
    target.is_down = None
    await world.rows("update dirty set lease_until = now() returning 1")
    await settle(world)

    assert state == "planned"
    assert await active(target) == {upn(0)}


async def test_answer_that_comes_after_the_object_was_taken_over_is_looked_into(
    world: World, lossy: Lossy, target: ModelTarget
) -> None:
    """The late response is not recorded, but the operation that it reports is open again until it is looked up."""
    await world.add_people([0])
    await world.sync()
    lossy.loses = lambda verb, key: "late" if verb == "create" else ""
    await world.add_people([1])
    zombie = asyncio.create_task(world.drain())
    async with asyncio.timeout(20):
        await lossy.moved.wait()
    await world.rows("update operation set state = 'dropped' where state = 'planned' returning 1")
    await world.rows("update dirty set attempt = nextval('dirty_attempt') returning 1")
    lossy.late.set()
    async with asyncio.timeout(20):
        while not await world.value("select count(*) from operation where state = 'ambiguous' and target_id <> ''"):
            await asyncio.sleep(0.01)
    world.services.stopping.set()
    await asyncio.gather(zombie, return_exceptions=True)
    world.services.stopping.clear()
    await set_enabled(world, [1], enabled=False)
    await world.rows("update dirty set lease_until = now() returning 1")

    await settle(world)

    assert await active(target) == {upn(0)}
    assert await nothing_is_open(world)


async def test_account_that_the_application_disabled_is_told_and_not_forgotten_by_the_next_update(
    world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    await world.sync()
    [account] = target.accounts[USER].values()
    account["active"] = False

    await world.change([1], surname="Changed")
    await world.drain()
    [shown] = await preview(world, 1)
    await world.sync()  # a full run, which reads every account

    assert account["name.familyName"] == "Changed"
    assert account["active"] is False
    assert "active was changed in the application" in shown.reason.text
    reasons = [row[0] for row in await world.rows("select reason from provisioning_log where status = 'skipped'")]
    assert len([text for text in reasons if "active was changed in the application" in text]) == 1


@pytest.mark.parametrize("in_application", ["after", "before"])
async def test_preview_tells_an_unanswered_disable_from_one_by_the_application(
    world: World, lossy: Lossy, in_application: str
) -> None:
    await world.add_people([0, 1])
    await world.sync()
    lossy.loses = lambda verb, key: in_application if verb == "update" else ""
    await set_enabled(world, [1], enabled=False)
    await crash(world, lossy, waiting=1)
    await set_enabled(world, [1], enabled=True)

    [shown] = await preview(world, 1)

    assert shown.action is (Action.ENABLE if in_application == "after" else Action.NONE)
    assert "changed in the application" not in shown.reason.text


async def preview(world: World, number: int) -> list[Plan]:
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)
    planned = await on_demand.preview(world.services, job, USER, [person_id(number)], world.target)
    return [one.plan for one in planned]
