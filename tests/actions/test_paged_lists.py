"""Lists that grow with an application are read page by page, and the pages together are the whole list."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg.types.json import Jsonb

from lockstep.actions import assignments, configuration_history, held
from lockstep.actions.applications import add_application
from lockstep.actions.groups import create_group
from lockstep.actions.settings import change_settings
from lockstep.actions.sources import import_file
from lockstep.engine.plans import GuardCode
from lockstep.postgres.pool import transaction
from lockstep.storage.held_operations import OF_GUARD
from lockstep.targets.opener import ScimTargets
from tests.support.hub import Hub, guid, person, upn, write_csv

NAMES = [f"p{number:02}" for number in range(7)]


@pytest.fixture
async def stage(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Seven people who are assigned to Documo, and two groups."""
    file = write_csv(tmp_path_factory.mktemp("csv") / "people.csv", [person(name) for name in NAMES])
    await import_file(hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await add_application(hub.context, "documo")
    for name in ("sales", "Support"):
        await create_group(hub.context, name)
    await assignments.assign(
        hub.context, "documo", users=[upn(name) for name in NAMES], groups=["sales", "Support"], role="Member"
    )
    return hub


async def hold(hub: Hub, name: str, guard: GuardCode, minute: int, **error: object) -> None:
    async with transaction(hub.pool) as connection:
        await connection.execute(
            """insert into operation (id, job, kind, source_id, target_id, action, attempt, state, error, planned_at)
            select gen_random_uuid(), job.id, 'User', %s, %s, 'disable', 1, 'held', %s,
                timestamptz '2026-11-28 08:00Z' + make_interval(mins => %s)
            from job limit 1""",
            (guid(name), f"u_{name}", Jsonb({"guard": guard, "display": name.upper(), **error}), minute),
        )


async def test_pages_of_assignments_are_the_whole_list_whatever_is_removed_between_them(stage: Hub) -> None:
    context, found = stage.context, []

    rows = await assignments.list_assignments(context, "documo", limit=4)
    while rows:
        found += [row.principal for row in rows]
        last = rows[-1]
        await assignments.unassign(context, "documo", **{f"{last.kind.lower()}s": [last.principal]})  # type: ignore[arg-type]
        rows = await assignments.list_assignments(context, "documo", after=last.place, limit=4)

    assert found == ["sales", "Support", *map(upn, NAMES)] or found == ["Support", "sales", *map(upn, NAMES)]


async def test_assignments_are_selected_by_kind_and_part_of_the_name(stage: Hub) -> None:
    some = await assignments.list_assignments(stage.context, "documo", search="P0", kind="User", limit=3)
    groups = await assignments.list_assignments(stage.context, "documo", kind="Group")

    assert [row.principal for row in some] == [upn("p00"), upn("p01"), upn("p02")]
    assert {row.principal for row in groups} == {"sales", "Support"}


async def test_pages_of_held_writes_are_the_whole_list_and_their_counts_are_those_of_all_pages(stage: Hub) -> None:
    for number, name in enumerate(NAMES):
        await hold(stage, name, GuardCode.LOSSES, -number, cause="unassigned", details={"threshold": "5"})
    await hold(stage, "kim", GuardCode.GRANTS, 1, details={"what": "get the role Admin"})
    context = stage.context

    found: list[str] = []
    while rows := await held.list_held(context, "documo", after=found[-1] if found else "", limit=3):
        found += [row.id for row in rows]
    whole = await held.list_held(context, "documo")
    counts = await held.count_held(context, "documo")
    named = await held.list_held(context, "documo", search="p03")
    admins = await held.list_held(context, "documo", reasons=["privilege"])

    assert found == [row.id for row in whole] == await held.held_ids(context, "documo")
    assert [row.name for row in whole] == [*[name.upper() for name in reversed(NAMES)], "KIM"]
    assert (
        held.summary(counts)
        == held.summary(held.groups_of(whole))
        == [
            "7 accounts would be disabled or deleted: 7 unassigned. The limit is 5 at once.",
            "1 account would get the role Admin.",
        ]
    )
    assert [row.name for row in named] == ["P03"] and [row.name for row in admins] == ["KIM"]
    assert await held.held_ids(context, "documo", ids=[named[0].id, "none"]) == [named[0].id]


async def test_pages_of_versions_are_the_whole_history(stage: Hub) -> None:
    context = replace(stage.context, opener=ScimTargets(()))
    for number in range(1, 5):
        await change_settings(context, "documo", notification_email=f"idm{number}@contoso.test")

    newest = await configuration_history.list_versions(stage.context, "documo", limit=2)
    older = await configuration_history.list_versions(stage.context, "documo", below=newest[-1].version)

    assert [one.version for one in [*newest, *older]] == [5, 4, 3, 2, 1]


def test_every_guard_has_one_word_for_the_list_of_held_writes() -> None:
    """A loss of access has a word for each cause instead."""
    assert set(OF_GUARD) == set(GuardCode) - {GuardCode.LOSSES}
