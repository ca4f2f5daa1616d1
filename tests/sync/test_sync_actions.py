"""The actions of an administrator on provisioning, end to end: start, pause, restart, run, settings, status, logs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockstep.actions import connection, following, logs, provisioning, settings, status
from lockstep.actions.context import Context
from lockstep.actions.held import list_held
from lockstep.actions.provisioning import ResetScope
from lockstep.errors import Kind, LockstepError
from lockstep.ports import Verdict
from lockstep.storage.cycles import Cycle
from lockstep.storage.provisioning_log import LogFilter
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import World, person_id, upn


async def run_to_its_end(context: Context) -> Cycle:
    cycle = await provisioning.run(context, "model")
    async for now in following.follow(context, cycle):
        cycle = now
    return cycle


async def test_start_creates_everybody_and_run_follows_the_next_cycle(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(5))

    await provisioning.start(context, "model")
    first = await run_to_its_end(context)
    second = await run_to_its_end(context)

    assert len(target.people()) == 5
    assert (first.kind, first.state, first.counts) == ("initial", "succeeded", {"created": 5})
    assert (second.kind, second.total, second.requests) == ("incremental", 0, 0)


async def test_start_without_credentials_says_how_to_give_them(context: Context, world: World) -> None:
    await world.rows("delete from credential returning 1")

    with pytest.raises(LockstepError) as refused:
        await provisioning.start(context, "model")

    assert refused.value.kind is Kind.UNAUTHORIZED
    assert "lockstep creds set model" in refused.value.next_step


async def test_paused_job_sends_nothing_and_goes_on_where_it_was(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))
    await provisioning.start(context, "model")
    await world.drain()
    await provisioning.pause(context, "model")

    await world.add_people([3])
    await world.drain()
    assert len(target.people()) == 3
    assert (await status.show_status(context, "model")).code == "Paused"

    await provisioning.start(context, "model")
    await world.drain()
    assert len(target.people()) == 4
    assert target.requests["page"] == 1  # no second initial cycle


@pytest.mark.parametrize("scope", [ResetScope.CONNECTOR_DATA_STORE, ResetScope.FULL])
async def test_restart_that_forgets_the_links_matches_everybody_again(
    context: Context, world: World, target: ModelTarget, scope: ResetScope
) -> None:
    await world.add_people(range(4))
    await provisioning.start(context, "model")
    await world.drain()

    await provisioning.restart(context, "model", {scope})
    await world.drain()

    assert len(target.people()) == 4
    cycle = await world.cycle()
    assert (cycle.kind, cycle.counts) == ("initial", {"linked": 4})
    assert await world.value("select count(*) from link where is_forgotten") == 0


async def test_whoever_leaves_before_being_matched_anew_loses_the_account(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(4))
    await provisioning.start(context, "model")
    await world.drain()

    await provisioning.restart(context, "model", {ResetScope.CONNECTOR_DATA_STORE})
    await world.unassign([1])
    await world.drain()

    active = {one["userName"]: one["active"] for one in target.accounts[USER].values()}
    assert active == {upn(number): number != 1 for number in range(4)}


async def test_links_that_were_crossed_are_put_right_by_forgetting_them(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(2))
    await provisioning.start(context, "model")
    await world.drain()
    right = dict(await world.rows("select source_id::text, target_id from link"))
    await world.rows("delete from link returning 1")
    crossed = zip(right, reversed(right.values()), strict=True)
    for source_id, target_id in crossed:
        await world.rows(
            "insert into link (job, kind, source_id, target_id, state) values (%s, 'User', %s, %s, 'live') returning 1",
            world.job, source_id, target_id,
        )  # fmt: skip

    await provisioning.restart(context, "model", {ResetScope.CONNECTOR_DATA_STORE})
    await world.drain()

    assert dict(await world.rows("select source_id::text, target_id from link")) == right
    assert (await world.cycle()).counts == {"linked": 2}


async def test_forgotten_link_leads_nowhere_once_its_account_is_anothers(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(2))
    await provisioning.start(context, "model")
    await world.drain()
    await world.unassign([1])
    await world.drain()
    account = await world.value("select target_id from link where source_id = %s", person_id(0))
    await world.rows(
        "update link set target_id = %s, is_forgotten = true where source_id = %s returning 1", account, person_id(1)
    )

    await world.rows(
        "update person set deleted_at = now() - interval '90 days' where id = %s returning 1", person_id(1)
    )
    await world.unassign([1])
    await world.drain()

    assert target.accounts[USER][account]["active"] is True
    assert (await world.cycle()).counts == {"skipped": 1}


async def test_restart_retries_those_who_failed(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(2))
    target.before = lambda verb, key: (
        answered(Verdict.REFUSED, status=400, code="X") if (verb, key) == ("create", upn(1)) else None
    )
    await provisioning.start(context, "model")
    await world.drain()
    assert (await status.show_status(context, "model")).escrowed == 1
    target.before = lambda verb, key: None

    await provisioning.restart(context, "model")
    await world.drain()

    assert len(target.people()) == 2
    assert (await status.show_status(context, "model")).escrowed == 0


async def test_run_of_a_quarantined_job_says_why_it_does_not_go_on(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(2))
    target.is_down = answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized", detail="The key was revoked")
    await provisioning.start(context, "model")

    with pytest.raises(LockstepError) as held:
        await run_to_its_end(context)

    assert held.value.kind is Kind.HELD
    assert "The key was revoked" in held.value.detail
    assert (await status.show_status(context, "model")).code == "Quarantine"


async def test_start_lifts_a_quarantine_once_the_application_works(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(2))
    target.is_down = answered(Verdict.UNAUTHORIZED, status=401)
    await provisioning.start(context, "model")
    await world.drain()
    target.is_down = None

    await provisioning.start(context, "model")
    await world.drain()

    assert len(target.people()) == 2
    assert (await status.show_status(context, "model")).code == "Active"


async def test_changed_mapping_writes_only_what_differs(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(10))
    await world.add_people([10], jobTitle="Director")
    await provisioning.start(context, "model")
    await world.drain()
    target.requests.clear()

    await settings.set_mapping(context, "model", "title", {"source": "jobTitle"})
    await world.drain()

    assert target.requests == {"update": 1}
    assert target.people()[upn(10)]["title"] == "Director"
    assert (await world.cycle()).counts == {"unchanged": 10, "updated": 1}


async def test_mapping_that_cannot_be_compiled_is_refused_and_nothing_is_saved(context: Context, world: World) -> None:
    before = (await settings.show_settings(context, "model")).version

    with pytest.raises(LockstepError) as wrong:
        await settings.set_mapping(context, "model", "title", {"expression": "Left([jobTitle])"})

    assert "Left needs" in wrong.value.detail
    assert (await settings.show_settings(context, "model")).version == before


async def test_scoping_filter_disables_those_it_leaves_out(context: Context, world: World, target: ModelTarget) -> None:
    await world.add_people(range(3), department="Sales")
    await world.add_people([3], department="Legal")
    await provisioning.start(context, "model")
    await world.drain()

    clause = {"attribute": "department", "operator": "EQUALS", "value": "Sales"}
    await settings.set_scope(context, "model", [{"title": "Sales only", "all": [clause]}])
    await world.drain()

    assert [name for name, values in target.people().items() if not values["active"]] == [upn(3)]


async def test_settings_are_kept_and_off_pauses(context: Context, world: World) -> None:
    await settings.change_settings(
        context, "model", mode="automatic", notification_email="it@contoso.com", email_on_failure=True,
        scope="all", status="on", interval=timedelta(minutes=20),
    )  # fmt: skip

    view = await settings.change_settings(context, "model", status="off")

    assert (view.status, view.scope, view.notification_email, view.email_on_failure, view.interval) == (
        "off", "all", "it@contoso.com", True, timedelta(minutes=20),
    )  # fmt: skip
    assert await world.value("select syncs_all from job")


@pytest.mark.parametrize("is_good", [True, False])
async def test_connection_that_is_good_again_ends_the_wait_of_a_quarantine(
    context: Context, world: World, target: ModelTarget, is_good: bool
) -> None:
    await world.add_people(range(3))
    target.is_down = answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized")
    await provisioning.start(context, "model")
    await world.drain()
    target.is_down = None if is_good else target.is_down

    await connection.test_connection(context, "model")
    target.is_down = None
    await world.drain()

    assert len(target.people()) == (3 if is_good else 0)


async def test_push_names_people_and_is_logged_under_who_asked(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(3))

    (result,) = await provisioning.push(context, "model", users=[upn(1)])

    assert (result.source_id, result.counted) == (person_id(1), "created")
    ((row),) = await logs.list_log(context, LogFilter(person=upn(1)), app="model")
    assert (row.action, row.status, row.initiated_by) == ("create", "success", "anna")
    ((record),) = await logs.as_graph(context, [row])
    assert record["provisioningAction"] == "create"
    assert record["sourceIdentity"]["displayName"] == upn(1)
    assert record["targetIdentity"]["id"] in target.accounts[USER]
    assert [one.seq for one in await logs.show_log(context, row.change_id)] == [row.seq]


async def test_held_deletes_are_listed_and_rejected_ones_stay(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people(range(60))
    await provisioning.start(context, "model")
    await world.drain()
    await world.unassign(range(20))
    await world.drain()

    held = await list_held(context, "model")
    decided = await provisioning.reject_deletes(context, "model")
    await world.drain()

    assert len(held) == 20
    assert {one.action for one in held} == {"disable"}
    assert {one.guard for one in held} == {"TooManyDeletes"}
    assert decided.count == 20
    assert all(values["active"] for values in target.people().values())
    assert (await status.show_status(context, "model")).held == 0


async def test_settings_of_nested_groups_and_the_deletion_threshold_are_kept(context: Context, world: World) -> None:
    view = await settings.change_settings(context, "model", nested_groups=True, deletion_threshold=5)
    assert (view.nested_groups, view.deletion_threshold) == (True, 5)
    assert await world.value("select nested_groups from job")

    view = await settings.change_settings(context, "model", nested_groups=False, deletion_threshold=0)
    assert (view.nested_groups, view.deletion_threshold) == (False, None)
    assert not await world.value("select nested_groups from job")


async def test_leaver_whose_failures_are_forgotten_is_still_disabled(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([1])
    await world.sync()
    refused = answered(Verdict.REFUSED, status=400, code="UnprocessableEntity")
    target.before = lambda verb, key: refused if verb in ("update", "create") else None
    await world.unassign([1])
    await world.add_people([2])
    await world.drain()
    assert await world.value("select count(*) from dirty where failures > 0") == 2

    await provisioning.restart(context, "model", [ResetScope.ESCROWS])
    target.before = lambda verb, key: None
    await world.drain()

    assert {name: one["active"] for name, one in target.people().items()} == {upn(1): False}
    assert await world.value("select count(*) from dirty") == 0
