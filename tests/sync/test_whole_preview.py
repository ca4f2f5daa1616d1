"""A preview of a whole application plans what a full cycle would do, and writes nothing but itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from lockstep.actions import job_previews
from lockstep.actions.context import Actor, Context
from lockstep.actions.job_previews import PreviewedObject, PreviewFilter, PreviewRow, PreviewState
from lockstep.engine.decisions.safeguards import Tally
from lockstep.engine.plans import GuardCode
from lockstep.errors import LockstepError
from lockstep.gallery.loader import load_gallery
from lockstep.ports import Verdict
from lockstep.postgres.pool import Pool
from lockstep.sources.registry import open_source
from lockstep.storage import previews
from lockstep.sync.previewing import making
from lockstep.sync.previewing.risks import GUARDED_EFFECTS
from tests.support.model_target import ModelTarget, answered
from tests.support.scripted_scim import ScriptedScim, saying, scripted_world
from tests.support.sync_world import CONFIG, USERS, World, upn

# Everything that provisioning remembers. A preview changes none of it.
STATE = (
    "link",
    "operation",
    "dirty",
    "cycle",
    "value_claim",
    "target_index",
    "target_index_state",
    "provisioning_log",
    "change",
)


async def previewed(context: Context, world: World) -> tuple[PreviewRow, dict[str, PreviewedObject]]:
    """Make a preview in this process; return it, and its objects by user principal name."""
    begun = await job_previews.begin_preview(context, world.app)
    assert await job_previews.make_due_preview(context)
    found = await job_previews.show_preview(context, world.app, begun.id)
    rows = await job_previews.list_objects(context, world.app, begun.id, limit=1000)
    return found, {one.name: one for one in rows}


async def state_of(world: World) -> Mapping[str, list[Any]]:
    return {table: sorted(await world.rows(f"select to_jsonb({table})::text from {table}")) for table in STATE}


async def test_preview_plans_what_the_first_cycle_then_does(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(30))

    found, objects = await previewed(context, world)
    writes_of_preview = target.writes
    await world.sync()

    assert found.state == PreviewState.DONE
    assert Counter(one.action for one in objects.values()) == {"create": 30}
    assert found.counts["due"] == 30
    assert writes_of_preview == 0
    assert set(target.people()) == set(objects) == {upn(number) for number in range(30)}


async def test_preview_changes_nothing_that_provisioning_remembers(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(6))
    await world.sync()
    await world.change([1], surname="Other")
    await world.unassign([2])
    before = await state_of(world)

    found, _ = await previewed(context, world)

    assert (found.counts["update"], found.counts["disable"]) == (1, 1)
    assert await state_of(world) == before


async def test_preview_sends_nothing_but_reads(pool: Pool, application: ScriptedScim) -> None:
    config = {"scope": "assigned", "mappings": [USERS]}
    async with scripted_world(pool, application, config) as world:
        await world.add_people(range(8))
        await world.sync()
        await world.change([1, 2], surname="Other")
        await world.unassign([3])
        await world.add_people([9])
        del application.resources[next(iter(application.resources))]
        application.asked.clear()

        found, objects = await previewed(context_of(world), world)

        assert found.state == PreviewState.DONE, found.error
        assert {one.action for one in objects.values()} >= {"update", "disable", "create"}
        assert set(application.asked) <= {"listing", "search", "get", "probe"}
        assert found.requests == application.asked.total()


async def test_preview_shows_a_value_that_was_changed_in_the_application(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    target.people()[upn(0)]["name.familyName"] = "Changed there"

    found, objects = await previewed(context, world)

    assert Counter(one.action for one in objects.values()) == {"update": 1, "none": 2}
    assert objects[upn(0)].changes == [
        {"displayName": "name.familyName", "oldValue": "Changed there", "newValue": "Sur0"}
    ]
    assert (objects[upn(0)].is_due, found.counts["due"]) == (False, 0)  # only a full cycle reads this account again


async def test_preview_says_which_changes_the_next_cycle_makes(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    await world.change([1], surname="Other")

    found, objects = await previewed(context, world)

    assert (objects[upn(1)].action, objects[upn(1)].is_due, found.counts["due"]) == ("update", True, 1)


async def test_accounts_are_listed_instead_of_searched_for_one_by_one(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(40))

    found, _ = await previewed(context, world)

    assert found.requests <= 2


async def test_every_object_is_planned_once_however_large_the_slices_are(
    context: Context, world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "SLICE", 7)
    await world.add_people(range(30))

    found, objects = await previewed(context, world)

    assert (found.done, found.total, len(objects)) == (30, 30, 30)


async def test_too_many_leavers_are_flagged_and_shown_as_held(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure({**CONFIG, "deletions": {"threshold": 3}})
    await world.add_people(range(10))
    await world.sync()
    await world.unassign([1, 2, 3, 4])

    found, objects = await previewed(context, world)

    assert [one.name for one in objects.values() if one.is_held] == [upn(number) for number in (1, 2, 3, 4)]
    assert found.counts["held"] == 4
    assert "4 accounts would be disabled or deleted, and the limit is 3" in found.risks[0]["text"]
    assert found.risks[0]["isHigh"]


async def test_accounts_that_a_drift_rule_leaves_as_changed_are_counted_and_can_be_selected(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await world.sync()
    target.people()[upn(1)]["active"] = "False"

    found, objects = await previewed(context, world)
    selected = await job_previews.list_objects(context, world.app, found.id, PreviewFilter(effect="drift"), limit=10)

    assert (found.counts["none"], objects[upn(1)].effects) == (3, ["drift"])
    assert [one.name for one in selected] == [upn(1)]
    assert [(one["text"], one["isHigh"], one["effect"]) for one in found.risks] == [
        ("1 account would keep values that were changed in the application, because of a drift rule.", False, "drift")
    ]


async def test_leavers_below_the_limit_are_named_with_the_limit(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.configure({**CONFIG, "deletions": {"threshold": 30}})
    await world.add_people(range(3))
    await world.sync()
    await world.unassign([1])

    found, objects = await previewed(context, world)

    assert [(one["text"], one["isHigh"]) for one in found.risks] == [
        ("1 account would be disabled or deleted. The limit is 30.", False)
    ]
    assert not any(one.is_held for one in objects.values())


async def test_attribute_that_would_be_emptied_for_many_is_flagged(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(12), jobTitle="Clerk")
    title = {"target": "title", "source": "jobTitle", "clearWhenEmpty": True}
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": [*USERS["attributes"], title]}]})
    await world.sync()
    await world.change(range(12), jobTitle="")

    found, _ = await previewed(context, world)

    assert "title would be emptied in 12 accounts." in [one["text"] for one in found.risks]


async def test_preview_waits_while_the_application_is_busy(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    busy = [1, 1]
    target.before = lambda verb, key: answered(Verdict.THROTTLED) if busy and busy.pop() else None

    found, objects = await previewed(context, world)

    assert (found.state, len(objects)) == (PreviewState.DONE, 3)


async def test_refused_credentials_end_the_preview_with_a_remedy(pool: Pool, application: ScriptedScim) -> None:
    async with scripted_world(pool, application, CONFIG) as world:
        await world.add_people(range(3))
        application.answers = {kind: saying(401, "{}") for kind in ("listing", "search", "get")}

        found, _ = await previewed(context_of(world), world)

        assert found.state == PreviewState.FAILED
        assert found.error is not None
        assert "401" in found.error["detail"]
        assert found.error["nextStep"]


async def test_people_are_searched_for_if_the_application_lists_none(pool: Pool, application: ScriptedScim) -> None:
    async with scripted_world(pool, application, CONFIG) as world:
        await world.add_people(range(3))
        application.answers = {"listing": saying(400, "{}")}

        found, objects = await previewed(context_of(world), world)

        assert found.state == PreviewState.DONE, found.error
        assert [one.action for one in objects.values()] == ["create"] * 3
        assert application.asked["search"] == 3


async def test_only_one_preview_of_an_application_is_made_at_a_time(context: Context, world: World) -> None:
    await job_previews.begin_preview(context, world.app)

    with pytest.raises(LockstepError, match="already being made"):
        await job_previews.begin_preview(context, world.app)


async def test_stopped_preview_is_not_made(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    begun = await job_previews.begin_preview(context, world.app)

    await job_previews.stop_preview(context, world.app, begun.id)

    assert not await job_previews.make_due_preview(context)
    assert (await job_previews.show_preview(context, world.app, begun.id)).state == PreviewState.STOPPED


async def test_preview_that_was_stopped_meanwhile_records_nothing_more(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    begun = await job_previews.begin_preview(context, world.app)
    async with world.pool.connection() as connection:
        claimed = await previews.claim_due(connection, owner="me", lost_after=making.LOST_AFTER)
    assert claimed is not None
    await job_previews.stop_preview(context, world.app, begun.id)

    await making.make_preview(world.services, claimed)

    found = await job_previews.show_preview(context, world.app, begun.id)
    assert (found.state, found.done) == (PreviewState.STOPPED, 0)
    assert await job_previews.list_objects(context, world.app, begun.id) == []


async def test_preview_of_a_lost_process_is_made_again_from_the_beginning(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    begun = await job_previews.begin_preview(context, world.app)
    async with world.pool.connection() as connection:
        await previews.claim_due(connection, owner="lost", lost_after=making.LOST_AFTER)
        await connection.execute("update preview set beat_at = now() - interval '5 minutes', done = 2")

    assert await job_previews.make_due_preview(context)

    found = await job_previews.show_preview(context, world.app, begun.id)
    assert (found.state, found.done, found.attempts) == (PreviewState.DONE, 3, 2)


async def test_only_the_newest_previews_are_kept(context: Context, world: World, target: ModelTarget) -> None:
    made = [(await previewed(context, world))[0].id for _ in range(job_previews.KEPT + 2)]

    kept = await job_previews.list_previews(context, world.app, limit=100)

    assert [one.id for one in kept] == made[: -job_previews.KEPT - 1 : -1]


async def test_newest_complete_preview_is_kept_however_many_failed_after_it(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    older, complete = (await previewed(context, world))[0].id, (await previewed(context, world))[0].id
    target.is_down = answered(Verdict.UNAUTHORIZED)
    failed = [(await previewed(context, world))[0] for _ in range(job_previews.KEPT)]

    kept = [one.id for one in await job_previews.list_previews(context, world.app)]

    assert {one.state for one in failed} == {PreviewState.FAILED}
    assert kept == [*(one.id for one in reversed(failed)), complete]
    assert older not in kept


async def test_preview_knows_that_the_configuration_was_changed_since(context: Context, world: World) -> None:
    found, _ = await previewed(context, world)

    await world.configure({**CONFIG, "deletions": {"threshold": 3}})

    assert not found.is_stale
    assert (await job_previews.show_preview(context, world.app, found.id)).is_stale


async def test_list_is_paged_and_filtered(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(5))
    await world.sync()
    await world.change([3], surname="Other")
    await world.add_people(range(10, 14))
    found, _ = await previewed(context, world)

    names, after = [], ""
    while page := await job_previews.list_objects(context, world.app, found.id, after=after, limit=2):
        names += [one.name for one in page]
        after = page[-1].key
    creates = await job_previews.list_objects(context, world.app, found.id, PreviewFilter("create"))
    searched = await job_previews.list_objects(context, world.app, found.id, PreviewFilter(search="PERSON00011"))

    order = [upn(number) for number in (10, 11, 12, 13, 3, 0, 1, 2, 4)]  # creates, the update, then what stays
    assert names == order
    assert [one.name for one in creates] == order[:4]
    assert [one.name for one in searched] == [upn(11)]
    assert await job_previews.count_objects(context, world.app, found.id, PreviewFilter("writes")) == 5


async def test_preview_that_this_process_makes_is_stopped_if_nobody_waits_for_it(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    target.gate, running = asyncio.Event(), asyncio.Event()
    begun = await job_previews.begin_preview(context, world.app)

    async def follow() -> None:
        async for state in job_previews.follow_preview(context, world.app, begun.id):
            if state.state == PreviewState.RUNNING:
                running.set()

    following = asyncio.create_task(follow())
    await running.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert (await job_previews.show_preview(context, world.app, begun.id)).state == PreviewState.STOPPED


def context_of(world: World) -> Context:
    return Context(
        pool=world.pool,
        actor=Actor("anna"),
        vault=world.services.vault,
        gallery=load_gallery(),
        open_source=open_source,
        opener=world.services.opener,
    )


def test_preview_warns_of_every_guard_that_counts() -> None:
    every_effect = Tally.at_most(1, new=0)

    assert set(GUARDED_EFFECTS) == {guard for guard in GuardCode if every_effect.of(guard)}
