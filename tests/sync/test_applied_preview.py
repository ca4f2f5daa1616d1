"""Applying a preview writes exactly what is still planned as previewed. The rest is left, listed, and done by the next ordinary cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from lockstep.actions import applied_previews, job_previews, provisioning
from lockstep.actions.context import Context
from lockstep.actions.job_previews import PreviewRow
from lockstep.engine.records import ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.storage import previews
from lockstep.storage.cycles import Cycle
from tests.support.crashes import Lossy, crash
from tests.support.model_target import ModelOpener, ModelTarget
from tests.support.sync_groups import WITH_GROUPS, add_group, members_of, named
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until


async def made(context: Context, world: World) -> int:
    begun = await job_previews.begin_preview(context, world.app)
    assert await job_previews.make_due_preview(context)
    return begun.id


async def applied(context: Context, world: World, number: int) -> Cycle:
    await applied_previews.apply_preview(context, world.app, number)
    await world.drain()
    return await world.cycle()


async def left_of(context: Context, world: World, number: int) -> dict[str, tuple[str, str]]:
    """The objects that were left, each with the actions in the preview ("" if it lacks the object) and now."""
    return {
        one.planned.name: (one.previewed.action if one.previewed else "", one.planned.action)
        for one in await applied_previews.list_left(context, world.app, number)
    }


async def shown(context: Context, world: World, number: int) -> PreviewRow:
    return await job_previews.show_preview(context, world.app, number)


async def test_unchanged_preview_is_written_whole_and_provisioning_stays_off(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(5))
    number = await made(context, world)

    cycle = await applied(context, world, number)

    assert set(target.people()) == {upn(one) for one in range(5)}
    assert (cycle.preview, cycle.state, dict(cycle.counts)) == (number, "succeeded", {"created": 5})
    assert (await shown(context, world, number)).left == 0
    assert await world.value("select status from job") == "off"


async def test_updates_and_leavers_are_written_as_previewed(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(6))
    await world.sync()
    await world.change([1], surname="Other")
    await world.unassign([2])
    target.people()[upn(3)]["name.familyName"] = "Changed there"
    number = await made(context, world)

    cycle = await applied(context, world, number)

    assert (cycle.counts["updated"], cycle.counts["disabled"]) == (2, 1)
    assert (await shown(context, world, number)).left == 0


async def test_object_that_changed_since_is_left_and_listed_and_the_next_cycle_writes_it(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(4))
    await world.sync()
    await world.change([1, 2], surname="Other")
    number = await made(context, world)
    await world.change([2], surname="Another")
    await world.unassign([3])
    people = target.people()
    at_its_end: list[tuple[object, ...]] = []

    async def woken(_: Collection[str]) -> None:
        """The cycle has ended and left something, so that another one is due. The same drain may begin it at once."""
        at_its_end.append(
            (people[upn(1)]["name.familyName"], people[upn(2)]["name.familyName"], people[upn(3)]["active"])
        )

    world.services.wake = woken
    await applied_previews.apply_preview(context, world.app, number)
    await world.drain()
    left = await left_of(context, world, number)
    await world.drain()

    assert at_its_end == [("Other", "Sur2", True)]
    counts = await world.value("select counts from cycle where preview = %s", number)
    assert (counts["updated"], (await shown(context, world, number)).left) == (1, 2)
    assert left == {upn(2): ("update", "update"), upn(3): ("none", "disable")}
    assert (people[upn(2)]["name.familyName"], people[upn(3)]["active"]) == ("Another", False)


async def test_person_who_is_not_in_the_preview_is_left(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(2))
    number = await made(context, world)
    await world.add_people([7])

    await applied(context, world, number)

    assert upn(7) not in target.people()
    assert await left_of(context, world, number) == {upn(7): ("", "create")}


async def test_while_provisioning_is_off_what_was_left_waits_for_the_start(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    await provisioning.pause(context, world.app)
    number = await made(context, world)
    await world.unassign([1])

    await applied(context, world, number)
    await world.drain()
    still_active = target.people()[upn(1)]["active"]
    await provisioning.start(context, world.app)
    await world.drain()

    assert still_active is True
    assert target.people()[upn(1)]["active"] is False


async def test_account_that_appeared_in_the_application_is_not_linked(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    number = await made(context, world)
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})

    await applied(context, world, number)

    assert await left_of(context, world, number) == {upn(1): ("create", "link")}
    assert await world.value("select count(*) from link") == 0


async def test_killed_worker_goes_on_with_the_same_pin(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(6))
    number = await made(context, world)
    await world.add_people([7])
    lossy = Lossy(target)
    world.services.opener = ModelOpener(lossy)  # type: ignore[arg-type]
    lossy.loses = lambda verb, key: {upn(1): "before", upn(2): "after"}.get(key, "")
    await applied_previews.apply_preview(context, world.app, number)

    await crash(world, lossy, waiting=2)
    await world.change([1], surname="Other")  # the create of person 1 has not arrived
    await world.drain()

    assert set(target.people()) == {upn(one) for one in (0, 2, 3, 4, 5)}
    assert await left_of(context, world, number) == {upn(1): ("create", "create"), upn(7): ("", "create")}
    assert (await world.cycle()).preview == number


async def test_pause_before_the_first_write_ends_the_application_and_loses_nothing(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)

    await provisioning.pause(context, world.app)
    await world.drain()
    before = target.people()
    await provisioning.start(context, world.app)
    await world.drain()

    assert (before, (await shown(context, world, number)).is_being_applied) == ({}, False)
    assert set(target.people()) == {upn(one) for one in range(3)}


async def test_pause_while_writing_ends_the_application_and_loses_nothing(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    number = await made(context, world)
    await world.add_people([7])
    lossy = Lossy(target)
    world.services.opener = ModelOpener(lossy)  # type: ignore[arg-type]
    lossy.loses = lambda verb, key: "late" if key == upn(1) else ""
    await applied_previews.apply_preview(context, world.app, number)
    draining = asyncio.create_task(world.drain())
    await until(lambda: has_left_one(world, number))

    await provisioning.pause(context, world.app)
    lossy.late.set()
    await draining
    parked = await world.value("select count(*) from dirty where not_before = 'infinity'")
    await provisioning.start(context, world.app)
    await world.drain()

    assert parked == 1
    assert set(target.people()) == {upn(one) for one in (0, 1, 2, 7)}


async def has_left_one(world: World, number: int) -> bool:
    return bool(await world.value("select count(*) = 1 from preview_left where preview = %s", number))


async def test_guards_hold_previewed_writes_too(context: Context, world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "deletions": {"threshold": 2}})
    await world.add_people(range(8))
    await world.sync()
    await world.unassign([1, 2, 3, 4])
    number = await made(context, world)

    await applied(context, world, number)

    assert await world.value("select count(*) from operation where state = 'held'") == 4
    assert all(one["active"] for one in target.people().values())


async def test_random_values_are_generated_again_but_chosen_ones_count(
    context: Context, world: World, target: ModelTarget
) -> None:
    attributes = [
        *USERS["attributes"],
        {"target": "password", "expression": "RandomString(12,2,2,2,2)"},
        {"target": "externalId", "expression": "Guid()"},
        {"target": "nickName", "expression": "SelectUniqueValue([givenName], [surname])"},
    ]
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": attributes}]})
    await world.add_people(range(3))
    number = await made(context, world)
    target.add({"userName": "stranger@contoso.com", "nickName": "Given1"})

    await applied(context, world, number)

    assert await left_of(context, world, number) == {upn(1): ("create", "create")}
    stored = await world.rows("select fingerprint, changes::text, planned::text from preview_object, preview_left")
    passwords = [one["password"] for one in target.people().values() if "password" in one]
    assert len(passwords) == 2 and not any(word in str(stored) for word in passwords)


async def test_changed_secret_is_left(context: Context, world: World, target: ModelTarget) -> None:
    attributes = [*USERS["attributes"], {"target": "urn:x:apiKey", "source": "department"}]
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": attributes}]})
    await world.add_people(range(2), department="Canary-1")
    number = await made(context, world)
    await world.change([1], department="Canary-2")

    await applied(context, world, number)

    assert await left_of(context, world, number) == {upn(1): ("create", "create")}
    assert "Canary" not in str(
        await world.rows("select preview_object::text, planned::text from preview_object, preview_left")
    )


async def test_members_of_groups_wait_for_the_next_ordinary_cycle(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(3))
    await add_group(world, [0, 1])
    number = await made(context, world)

    cycle = await applied(context, world, number)
    groups, members = len(target.accounts[ObjectKind.GROUP]), target.requests["members"]
    await provisioning.start(context, world.app)
    await world.drain()

    assert (groups, members) == (1, 0)
    assert (cycle.state, dict(cycle.counts)) == ("succeeded", {"created": 4})
    assert (await shown(context, world, number)).left == 0
    assert await members_of(world, target) == named(0, 1)


async def test_object_that_is_left_and_then_planned_as_previewed_is_no_longer_listed(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    number = await made(context, world)
    await world.change([1], surname="Other")
    await applied(context, world, number)
    before = await left_of(context, world, number)
    await world.change([1], surname="Sur1")

    await applied(context, world, number)

    assert (set(before), await left_of(context, world, number)) == ({upn(1)}, {})
    assert upn(1) in target.people()


async def test_removed_preview_lets_its_cycle_write_nothing_more(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)
    with pytest.raises(LockstepError) as refused:
        await job_previews.discard_preview(context, world.app, number)
    await world.rows("delete from preview returning 1")

    await world.drain()

    assert refused.value.kind is Kind.CONFLICT
    assert target.writes == 0
    assert (await world.cycle()).counts == {"left": 3}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update preview set state = 'stopped' returning 1", "PreviewIncomplete"),
        ("update preview set state = 'running' returning 1", "PreviewIncomplete"),
        ("update preview set state = 'waiting' returning 1", "PreviewIncomplete"),
        ("update preview set state = 'failed' returning 1", "PreviewIncomplete"),
        ("update job set config_version = config_version + 1 returning 1", "PreviewStale"),
        ("update preview set ended_at = ended_at - interval '25 hours' returning 1", "PreviewTooOld"),
        ("update preview set has_fingerprints = false returning 1", "PreviewTooOld"),
    ],
)
async def test_preview_that_no_longer_says_what_would_happen_is_refused(
    context: Context, world: World, target: ModelTarget, change: str, code: str
) -> None:
    await world.add_people(range(2))
    number = await made(context, world)
    await world.rows(change)

    with pytest.raises(LockstepError) as refused:
        await applied_previews.apply_preview(context, world.app, number)
    await world.drain()

    assert (refused.value.kind, refused.value.code) == (Kind.CONFLICT, code)
    assert refused.value.next_step
    assert target.writes == 0


async def test_application_in_quarantine_is_refused(context: Context, world: World) -> None:
    await world.add_people([1])
    number = await made(context, world)
    await world.rows("""update job set quarantine = '{"reason": "EncounteredQuarantineException"}' returning 1""")

    with pytest.raises(LockstepError, match="is in quarantine"):
        await applied_previews.apply_preview(context, world.app, number)


async def test_preview_is_applied_once_at_a_time(context: Context, world: World) -> None:
    await world.add_people([1])
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)

    with pytest.raises(LockstepError) as refused:
        await applied_previews.apply_preview(context, world.app, number)

    assert refused.value.code == "PreviewBeingApplied"


async def test_newest_complete_preview_and_one_that_is_being_applied_are_kept(context: Context, world: World) -> None:
    applying, complete = await made(context, world), await made(context, world)
    await applied_previews.apply_preview(context, world.app, applying)
    for _ in range(job_previews.KEPT):
        await job_previews.stop_preview(context, world.app, (await job_previews.begin_preview(context, world.app)).id)

    async with world.pool.connection() as connection:
        await previews.remove_all_but_newest(connection, world.job, most=job_previews.KEPT)

    kept = {one.id for one in await job_previews.list_previews(context, world.app, limit=20)}
    assert {applying, complete} <= kept
    assert len(kept) == job_previews.KEPT + 2


async def test_pin_of_an_object_is_read_with_its_claim(context: Context, world: World) -> None:
    """A row that another cycle marked, and that is claimed in the cycle of the preview, is pinned too."""
    await world.add_people([1])
    number = await made(context, world)
    await applied_previews.apply_preview(context, world.app, number)
    await world.add_people([2])

    await world.drain()

    assert await left_of(context, world, number) == {upn(2): ("", "create")}
    assert await world.value("select count(*) from link where source_id = %s", person_id(1)) == 1
