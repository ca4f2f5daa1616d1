"""The effects of deleting a source's people and groups, or one group, are shown without deleting anything, and without making
others wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from lockstep.actions import assignments, foreseen_deletions, groups, sources
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context, Rehearsal
from lockstep.engine.decisions.effects import Effect, predicted_plan
from lockstep.engine.plans import Plan
from lockstep.engine.records import SourceObject
from lockstep.storage.locks import lock_directory
from tests.support.model_target import ModelTarget
from tests.support.sync_groups import GROUPS
from tests.support.sync_world import CONFIG, USERS, World, upn

STAFF = {"title": "Staff", "all": [{"not": {"memberOf": "contractors"}}]}
# Nested groups, groups with accounts, and a filter that lets people in when a group is gone.
EVERYTHING = {
    **CONFIG,
    "nestedGroups": True,
    "mappings": [{**USERS, "scopingFilters": [STAFF]}, GROUPS],
    "deletions": {"threshold": None, "thresholdPercent": None},
}
MEMBERS = {"outer": (0, 8), "inner": (3, 9), "contractors": (2, 10), "staff": (4, 5)}
Work = Callable[[Context], Awaitable[object]]


@pytest.fixture
async def synced(world: World, context: Context) -> World:
    """Two sources: the club has the people from 8 on and all groups but staff. Person 6 left the scope, person 7 has nothing."""
    await world.configure(EVERYTHING)
    await world.add_people(range(12), assigned=False)
    for name, numbers in MEMBERS.items():
        await groups.create_group(context, name)
        await groups.change_members(context, name, add=[upn(number) for number in numbers])
    await groups.change_members(context, "outer", add=["inner"], groups_too=True)
    await groups.change_members(context, "staff", add=["inner"], groups_too=True)
    await assignments.assign(context, "model", groups=["outer", "staff"])
    await world.assign([1, 2, 5, 6, 10, 11])
    await world.rows("insert into source (name, kind, display_name) values ('club', 'admin', 'Club') returning name")
    await world.rows("update grp set source = 'club' where display_name <> 'staff' returning id")
    await world.rows("update person set source = 'club' where user_principal_name >= %s returning id", upn(8))
    await world.sync()
    await world.unassign([6])
    await world.drain()
    return world


def removal(source: str) -> Work:
    async def work(context: Context) -> object:
        return await sources.remove_source(context, source, with_objects=True)

    return work


def deletion(group: str) -> Work:
    async def work(context: Context) -> object:
        return await groups.delete_group(context, group)

    return work


def made(work: Work) -> Work:
    """Make the deletion in the transaction that is rolled back, instead of noting it."""

    async def making(context: Context) -> object:
        return await work(replace(context, rehearsal=Rehearsal()))

    return making


WORKS = {name: deletion(name) for name in MEMBERS} | {name: removal(name) for name in ("club", "admin")}


async def names(context: Context, work: Work) -> dict[tuple[str, Effect], tuple[str, ...]]:
    return {
        (one.kind.value, effect): found for one in await foresee(context, work) for effect, found in one.names.items()
    }


@pytest.mark.parametrize("size", [1, 500])
async def test_a_noted_deletion_has_the_effects_of_one_that_is_made(
    context: Context, synced: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(foreseen_deletions, "SLICE", size)

    noted = {name: await names(context, work) for name, work in WORKS.items()}
    rehearsed = {name: await names(context, made(work)) for name, work in WORKS.items()}

    assert noted == rehearsed
    assert noted["contractors"] == {("User", Effect.GETS_ACCOUNT): (upn(2), upn(10))}
    assert noted["inner"] == {("User", Effect.LOSES_ACCESS): (upn(3), upn(9))}
    assert all(noted.values()), "each of them has an effect, so that the comparison shows something"


async def test_a_removed_source_does_what_was_foreseen(context: Context, synced: World, target: ModelTarget) -> None:
    before = active(target)

    foreseen = await names(context, removal("club"))
    await sources.remove_source(context, "club", with_objects=True)
    await synced.drain()

    assert before - active(target) == set(foreseen["User", Effect.LOSES_ACCESS])
    assert active(target) - before == set(foreseen["User", Effect.GETS_ACCOUNT]) == {upn(2)}


async def test_the_directory_is_free_while_the_effects_of_a_deletion_are_planned(
    context: Context, synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, free = foreseen_deletions.effects_among, []

    async def watched(*given: Any) -> Any:
        async with synced.pool.connection() as connection, connection.transaction():
            await connection.execute("set local lock_timeout = '1ms'")
            await lock_directory(connection)
            free.append(True)
        return await planned(*given)

    monkeypatch.setattr(foreseen_deletions, "effects_among", watched)

    await foresee(context, removal("club"))

    assert free


async def test_a_deletion_is_made_in_the_rehearsal_if_it_is_not_the_only_change(
    context: Context, synced: World
) -> None:
    async def both(inner: Context) -> object:
        await groups.change_members(inner, "contractors", add=[upn(1)])
        return await groups.delete_group(inner, "contractors")

    async def only_members(inner: Context) -> object:
        return await groups.change_members(inner, "contractors", add=[upn(1)])

    found = await names(context, both)

    assert await names(context, only_members) == {("User", Effect.LOSES_ACCESS): (upn(1),)}
    assert found == {("User", Effect.GETS_ACCOUNT): (upn(2), upn(10))}


async def test_people_for_whom_the_deletion_changes_nothing_are_not_planned(
    context: Context, synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await groups.create_group(context, "lonely")
    await groups.change_members(context, "lonely", add=[upn(1), upn(11)])
    await synced.configure(CONFIG)  # reads no memberships
    planned: list[SourceObject] = []

    def noting(obj: SourceObject, *rest: Any) -> Plan:
        planned.append(obj)
        return predicted_plan(obj, *rest)

    monkeypatch.setattr(foreseen_deletions, "predicted_plan", noting)

    for group in ("lonely", "outer"):
        await foresee(context, deletion(group))

    assert {one.display for one in planned} == {upn(0), upn(8)}


async def test_the_progress_of_a_foreseen_deletion_counts_every_planned_object(
    context: Context, synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseen_deletions, "SLICE", 1)
    reported: list[tuple[int, int]] = []

    await foresee(context, deletion("inner"), report=lambda done, total: reported.append((done, total)))

    assert reported == [(0, 2), (1, 2)]


async def test_only_people_whom_the_application_concerns_are_planned(context: Context, synced: World) -> None:
    await groups.create_group(context, "idle")
    await groups.change_members(context, "idle", add=[upn(7)])
    reported: list[tuple[int, int]] = []

    await foresee(context, deletion("idle"), report=lambda done, total: reported.append((done, total)))

    assert reported == []


async def test_an_application_for_everybody_concerns_people_without_an_assignment(
    context: Context, synced: World
) -> None:
    await groups.change_members(context, "contractors", add=[upn(7)])
    await synced.configure({**EVERYTHING, "scope": "all"})

    found = await names(context, deletion("contractors"))

    assert upn(7) in found["User", Effect.GETS_ACCOUNT]
    assert found == await names(context, made(deletion("contractors")))


async def test_an_application_that_was_never_started_loses_nothing_by_a_deletion(
    context: Context, synced: World
) -> None:
    await synced.rows("update job set started = false, status = 'off' returning 1")

    assert await foresee(context, removal("club")) == []


async def test_everything_counts_if_a_deletion_is_not_the_only_change(context: Context, synced: World) -> None:
    async def with_an_assignment(inner: Context) -> object:
        await assignments.unassign(inner, "model", users=[upn(11)])
        return await groups.delete_group(inner, "contractors")

    async def two_groups(inner: Context) -> object:
        await groups.delete_group(inner, "inner")
        return await groups.delete_group(inner, "contractors")

    gains, loses = ("User", Effect.GETS_ACCOUNT), ("User", Effect.LOSES_ACCESS)

    assert await names(context, with_an_assignment) == {gains: (upn(2), upn(10)), loses: (upn(11),)}
    assert await names(context, two_groups) == {gains: (upn(2), upn(10)), loses: (upn(3), upn(9))}


async def test_members_of_groups_within_the_deleted_group_are_foreseen_too(context: Context, synced: World) -> None:
    await groups.change_members(context, "staff", remove=["inner"], groups_too=True)
    await synced.drain()

    found = await names(context, deletion("outer"))

    assert found == await names(context, made(deletion("outer")))
    assert found["User", Effect.LOSES_ACCESS] == (upn(0), upn(3), upn(8), upn(9))


def active(target: ModelTarget) -> set[str]:
    return {name for name, values in target.people().items() if values["active"]}
