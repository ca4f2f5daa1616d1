"""Accounts that Lockstep created and that have no link: they are listed, and linked again or disabled."""

from __future__ import annotations

from lockstep.actions import links
from lockstep.actions.context import Context
from lockstep.actions.health import Level, examine
from tests.support.crashes import purge, set_enabled, settle
from tests.support.model_target import USER, ModelTarget
from tests.support.sync_world import World, person_id, upn


async def left_behind(world: World, target: ModelTarget) -> None:
    """The state left by an older version: 1 left and 2 was renamed, and their creates are recorded as dropped; the account of 3 is recorded
    as gone.
    """
    await world.add_people(range(4))
    await world.sync()
    await world.rows("delete from link where source_id = any(%s::uuid[]) returning 1", [person_id(1), person_id(2)])
    await world.rows("update link set state = 'tombstone' where source_id = %s returning 1", person_id(3))
    await world.rows(
        "update operation set state = 'dropped', queries = null, target_id = '' where source_id = any(%s::uuid[]) returning 1",
        [person_id(1), person_id(2)],
    )
    await set_enabled(world, [1, 3], enabled=False)
    await world.rows("delete from dirty returning 1")


async def test_accounts_that_older_versions_left_behind_are_named_with_whom_they_were_made_for(
    context: Context, world: World, target: ModelTarget
) -> None:
    await left_behind(world, target)

    found = {one.display: one.made.display if one.made else "" for one in await links.list_orphans(context, "model")}
    told = [one for one in await examine(context) if one.level is Level.WARN and "created without a link" in one.text]

    assert found == {upn(1): upn(1), upn(2): upn(2), upn(3): upn(3)}
    assert [upn(1) in one.text and upn(2) in one.text for one in told] == [True]


async def test_settling_disables_those_of_leavers_and_links_the_others(
    context: Context, world: World, target: ModelTarget
) -> None:
    await left_behind(world, target)

    await links.settle_orphans(context, "model")
    await settle(world)

    assert {name for name, values in target.people().items() if values["active"]} == {upn(0), upn(2)}
    states = dict(await world.rows("select source_id::text, state from link"))
    assert states == {person_id(0): "live", person_id(1): "disabled", person_id(2): "live", person_id(3): "disabled"}
    assert await links.list_orphans(context, "model") == []
    assert not [one for one in await examine(context) if "created without a link" in one.text]


async def test_account_that_the_administrator_made_by_hand_is_nobodys(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([0])
    await world.sync()
    target.add({"userName": "by.hand@contoso.com", "active": True})

    [found] = await links.list_orphans(context, "model")

    assert found.made is None
    assert await links.settle_orphans(context, "model", [found]) == []


async def test_account_of_somebody_purged_long_ago_is_deleted_as_purged_people_are(
    context: Context, world: World, target: ModelTarget
) -> None:
    await left_behind(world, target)
    await purge(world, [1])
    await world.rows("delete from dirty returning 1")

    await links.settle_orphans(context, "model", await links.list_orphans(context, "model"))
    await settle(world)

    assert upn(1) not in target.people()
    assert len(target.accounts[USER]) == 3


async def test_accounts_without_a_link_are_read_page_by_page_in_a_steady_order(
    context: Context, world: World, target: ModelTarget
) -> None:
    await world.add_people([0])
    await world.sync()
    for number in range(7):
        target.add({"userName": f"hand{number}@contoso.com", "active": True})

    whole = await links.list_orphans(context, "model")
    paged: list[links.Orphan] = []
    while some := await links.list_orphans(
        context, "model", limit=3, after=(paged[-1].kind, paged[-1].target_id) if paged else ("", "")
    ):
        assert len(some) <= 3
        paged += some

    assert len(whole) == 7 and paged == whole
